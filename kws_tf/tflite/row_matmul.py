"""Computes the row products of a step as matrix products, channel by channel.

A row product (row_products) and the lines of swish (swish_lines) have several outputs for every channel: as convolutions they were a
third of the arena of a small BC-ResNet, see matrix_product.
"""

import dataclasses

from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.flatbuffer import Graph, Node
from kws_tf.tflite.matrix_product import matrix_product
from kws_tf.tflite.nodes import CHANNELS, NO_ACTIVATION, ROWS, SATURATING, concatenation, reshape, split, transpose

LOWEST = -128
# [1, frames, rows, channels] -> [frames, channels, 1, rows], and back.
TO_CHANNELS, TO_ROWS = (1, 3, 0, 2), (2, 0, 3, 1)
# [frames, 1, 1, channels] -> [frames, channels, 1, 1]. No data moves; TFLite Micro keeps more for a RESHAPE than for a TRANSPOSE.
BLOCK_TO_CHANNELS = (0, 3, 1, 2)


def multiply_rows(step):
    """Rewrites the blocks of a step so that their rows are [frames, channels, 1, rows] from one product to the next.

    A TRANSPOSE is left where another operator reads the rows.

    Args:
        step: step_graph.StepGraph; only depthwise convolutions over all rows with one scale for all weights are replaced.

    Returns:
        StepGraph.
    """
    return dataclasses.replace(step, graph=_Rewriter(step.graph).run())


class _Rewriter:
    """Walks the nodes once. `by_channel` maps tensors [1, n, rows, C] to [n, C, 1, rows], `in_blocks` maps [1, n, 1, C * k] to
    [n, C, 1, k]; `late` holds the node that makes the tensor itself, for the first reader that needs it. `same` maps tensors to others
    of the same shape and values."""

    def __init__(self, graph):
        self.graph, self.nodes = graph, []
        self.by_channel, self.in_blocks, self.late, self.same = {}, {}, {}, {}
        self.products = {id(node): found for node in graph.nodes if (found := _match(graph, node)) is not None}
        self.done = {id(each) for found in self.products.values() for each in found if each is not None}

    def run(self):
        for node in self.graph.nodes:
            if id(node) in self.products:
                self._multiply(node, *self.products[id(node)])
            elif id(node) not in self.done:
                self._rewrite(node)
        for tensor in self.graph.outputs:
            self._need(tensor)
        return Graph(self.nodes, self.graph.inputs, self.graph.outputs) if self.products else self.graph

    def _rewrite(self, node):
        blocks = [self.in_blocks.get(id(tensor)) for tensor in node.inputs if tensor is not None and tensor.data is None]
        if node.operator == "CONV_2D" and blocks[0] is not None and node.inputs[1].shape[1:3] == (1, 1):
            self._convolve(node, blocks[0])
        elif node.operator == "CONCATENATION" and node.options.axis == CHANNELS and None not in blocks:
            shape = (blocks[0].shape[0], sum(block.shape[1] for block in blocks), 1, blocks[0].shape[3])
            self._block(node.output, dataclasses.replace(blocks[0], name=f"{node.output.name}/blocks", shape=shape))
            self.nodes.append(concatenation(blocks, self.in_blocks[id(node.output)], 1))
        elif node.operator == "RESHAPE" and blocks[0] is not None and blocks[0].shape == node.output.shape:
            self.same[id(node.output)] = blocks[0]
        elif node.operator == "TRANSPOSE" and tuple(node.inputs[1].data) == TO_ROWS:
            self.by_channel[id(node.output)], self.late[id(node.output)] = node.inputs[0], node
        elif node.operator == "SPLIT_V" and all(self._only_multiplied(tensor) for tensor in node.outputs):
            self._split(node)
        else:
            for tensor in node.inputs:
                if tensor is not None:
                    self._need(tensor)
            inputs = [self.same.get(id(tensor), tensor) for tensor in node.inputs]
            self.nodes.append(dataclasses.replace(node, inputs=inputs))

    def _multiply(self, node, joint, columns, turned):
        """A depthwise convolution over rows that are concatenated."""
        source, (weights, bias) = node.inputs[0], node.inputs[1:]
        _, frames, rows, channels = source.shape
        outputs = node.options.depthMultiplier
        matrix = weights.data.reshape(1, rows, channels, outputs).transpose(0, 2, 3, 1)
        product = dataclasses.replace(node.output, name=f"{node.output.name}/product", shape=(frames, channels, 1, outputs))
        self.nodes += matrix_product([self._turned(each) for each in joint.inputs], matrix, weights.scales,
                                     bias.data.reshape(channels, outputs), product, source.name)
        if turned is None:
            self._block(node.output, product)
        else:
            self.by_channel[id(turned.output)] = product
            self.late[id(turned.output)] = transpose(product, turned.output, TO_ROWS)

    def _convolve(self, node, block):
        """A pointwise convolution as one whose window is all channels of a block."""
        frames, channels, _, each = block.shape
        weights = node.inputs[1]
        shape = (weights.shape[0], channels, 1, each)
        kernel = dataclasses.replace(weights, shape=shape, data=weights.data.reshape(shape))
        output = dataclasses.replace(node.output, name=f"{node.output.name}/frames", shape=(frames, 1, 1, weights.shape[0]))
        self.nodes.append(Node("CONV_2D", [block, kernel, *node.inputs[2:]], [output], node.options, node.version))
        self._block(node.output, output)

    def _split(self, node):
        source = self._turned(node.inputs[0])
        outputs = []
        for tensor in node.outputs:
            shape = (source.shape[0], tensor.shape[CHANNELS], 1, 1)
            outputs.append(dataclasses.replace(tensor, shape=shape))
            self.by_channel[id(tensor)] = outputs[-1]
        self.nodes.append(split(source, outputs, 1))

    def _block(self, tensor, block):
        """`block` holds the values of `tensor` in the same order."""
        self.in_blocks[id(tensor)] = block
        self.late[id(tensor)] = reshape(block, tensor)

    def _only_multiplied(self, tensor):
        joints = [found[0] for found in self.products.values()]
        return all(any(reader is joint for joint in joints) for reader in self.graph.consumers(tensor))

    def _turned(self, tensor):
        """[frames, channels, 1, rows] of a tensor."""
        if id(tensor) not in self.by_channel:
            _, frames, rows, channels = tensor.shape
            turned = dataclasses.replace(tensor, name=f"{tensor.name}/by_channel", shape=(frames, channels, 1, rows))
            source, order = self.in_blocks.get(id(tensor)), BLOCK_TO_CHANNELS
            if source is None:
                self._need(tensor)
                source, order = tensor, TO_CHANNELS
            self.nodes.append(transpose(source, turned, order))
            self.by_channel[id(tensor)] = turned
        return self.by_channel[id(tensor)]

    def _need(self, tensor):
        if id(tensor) in self.late:
            self.nodes.append(self.late.pop(id(tensor)))


def _match(graph, node):
    """(CONCATENATION ahead of a convolution over all rows, RESHAPE, TRANSPOSE behind it), the latter None for the lines of swish."""
    if node.operator != "DEPTHWISE_CONV_2D" or node.options.depthMultiplier == 1:
        return None
    weights, joint, columns = node.inputs[1], graph.producer(node.inputs[0]), graph.only_consumer(node.output)
    if joint is None or joint.operator != "CONCATENATION" or joint.options.axis != ROWS or graph.only_consumer(joint.output) is not node:
        return None
    if weights.scales is None or len(weights.scales) > 1 or weights.shape[1:3] != (1, node.inputs[0].shape[ROWS]):
        return None
    activation = node.options.fusedActivationFunction
    if activation == SATURATING:
        return joint, None, None
    turned = None if columns is None else graph.only_consumer(columns.output)
    if turned is None or (columns.operator, turned.operator) != ("RESHAPE", "TRANSPOSE") or list(turned.inputs[1].data) != [0, 1, 3, 2]:
        return None
    plain = activation == NO_ACTIVATION or activation == schema.ActivationFunctionType.RELU and node.output.spec.zero_point == LOWEST
    return (joint, columns, turned) if plain else None
