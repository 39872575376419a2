"""Merges what a float graph does to the frequency rows of every channel into one product with a matrix per channel.

A broadcasted residual block filters over frequency, normalises every row, adds its input and adds a row that it repeats: five nodes
that move and round [time, frequency, channels] values each time. All of them are linear and none mixes frames or channels, so together
they are

    y[t, i, c] = activation(offset[i, c] + sum_j weights[i, j, c] * x[t, j, c]),

with the rows of all sources as j. One DEPTHWISE_CONV_2D with a window over all rows and one output per row (its depth multiplier)
computes that with a single rounding.
"""

import dataclasses

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.executor import same_padding
from kws_tf.tflite.flatbuffer import Tensor
from kws_tf.tflite.nodes import NO_ACTIVATION, ROWS, concatenation, depthwise, reshape, transpose

# The matrix is dense where the operators that it replaces are sparse: beyond this many elements per channel, 20 rows from 21, it costs
# more multiplications and bytes than it saves.
LARGEST_MATRIX = 420
LARGEST_SOURCES = 2


@dataclasses.dataclass(frozen=True)
class Rows:
    """The rows of a tensor [1, time, rows, channels] as sums over rows of other tensors.

    Args:
        terms: (source Tensor, float64 [rows, rows of the source, channels]) each; no source twice.
        offset: float64 [rows, channels].
    """

    terms: tuple
    offset: np.ndarray

    @classmethod
    def of(cls, tensor):
        """A tensor as itself."""
        rows, channels = tensor.shape[ROWS:]
        return cls(((tensor, np.repeat(np.eye(rows)[:, :, None], channels, 2)),), np.zeros((rows, channels)))

    def __add__(self, other):
        rows = max(len(self.offset), len(other.offset))
        terms = {}
        for tensor, weights in (*self.terms, *other.terms):
            repeated = np.broadcast_to(weights, (rows, *weights.shape[1:]))
            known = terms.get(id(tensor), (tensor, 0.0))[1]
            terms[id(tensor)] = tensor, known + repeated
        return Rows(tuple(terms.values()), self.offset + other.offset)

    def product(self, matrix):
        """The rows multiplied by a matrix: float [new rows, rows, channels]."""
        terms = tuple((tensor, np.einsum("ijc,jkc->ikc", matrix, weights)) for tensor, weights in self.terms)
        return Rows(terms, np.einsum("ijc,jc->ic", matrix, self.offset))

    def affine(self, scale, shift):
        """scale * rows + shift, both float [rows, channels]."""
        return Rows(tuple((tensor, weights * scale[:, None]) for tensor, weights in self.terms), self.offset * scale + shift)

    @property
    def size(self):
        """Elements of the matrix of one channel."""
        return sum(weights.shape[0] * weights.shape[1] for _, weights in self.terms)


def merge_row_products(graph, largest_matrix=LARGEST_MATRIX):
    """Replaces every group of operators that is linear in the rows by fewer nodes, in place, where that is possible.

    Args:
        graph: flatbuffer.Graph of float32 tensors.
        largest_matrix: elements that the matrix of a channel may have.
    """
    known, linear = {}, {}
    for node in graph.nodes:
        rows = _rows_after(node, known)
        if rows is not None:
            linear[id(node)] = rows
            if _activation(node) == NO_ACTIVATION:
                known[id(node.output)] = rows
    for group in _groups(graph, linear, known):
        kept = [node for node in group if _is_needed(graph, node, linear, known)]
        products = [product(linear[id(node)], node.output, _activation(node)) for node in kept]
        small = all(linear[id(node)].size <= largest_matrix and len(linear[id(node)].terms) <= LARGEST_SOURCES for node in kept)
        if small and sum(map(len, products)) <= len(group):
            for node, new in zip(kept, products, strict=True):
                position = graph.nodes.index(node)
                graph.nodes[position:position] = new
            graph.nodes = [node for node in graph.nodes if not any(node is gone for gone in group)]


def product(rows, output, activation):
    """The nodes that compute a tensor from Rows: CONCATENATION of several sources, the product, and the way back to rows.

    Args:
        rows: Rows. output: Tensor [1, time, rows, channels]. activation: that is applied to it.

    Returns:
        list of Nodes.
    """
    nodes, (source, weights) = [], rows.terms[0]
    name = output.name
    if len(rows.terms) > 1:
        weights = np.concatenate([each for _, each in rows.terms], 1)
        sources = [tensor for tensor, _ in rows.terms]
        source = Tensor(f"{name}/sources", (1, output.shape[1], weights.shape[1], output.shape[3]), "float32")
        nodes.append(concatenation(sources, source, ROWS))
    n_rows, window, channels = weights.shape
    target = output if n_rows == 1 else Tensor(f"{name}/flat", (1, output.shape[1], 1, channels * n_rows), "float32")
    kernel = weights.transpose(1, 2, 0).reshape(1, 1, window, channels * n_rows).astype(np.float32)
    nodes.append(depthwise(source, kernel, rows.offset.T.reshape(-1).astype(np.float32), target, n_rows))
    nodes[-1].options.fusedActivationFunction = activation
    if n_rows > 1:
        columns = Tensor(f"{name}/columns", (1, output.shape[1], channels, n_rows), "float32")
        nodes += [reshape(target, columns), transpose(columns, output, (0, 1, 3, 2))]
    return nodes


def _rows_after(node, known):
    """Rows of the output of a node before its activation; None if it is not linear in the rows, or mixes frames or channels."""
    if len(node.output.shape) != 4 or node.output.shape[0] != 1 or node.operator not in _LINEAR:
        return None
    operands = [None if tensor.data is not None or len(tensor.shape) != 4 else known.get(id(tensor)) or Rows.of(tensor)
                for tensor in node.inputs if tensor is not None]
    return _LINEAR[node.operator](node, operands)


def _padding(node, operands):
    widths = node.inputs[1].data
    if operands[0] is None or np.any(np.delete(widths, ROWS, axis=0)):
        return None
    rows, channels = node.inputs[0].shape[ROWS:]
    before, after = widths[ROWS]
    return operands[0].product(np.repeat(np.eye(rows + before + after)[:, before:before + rows, None], channels, 2))


def _convolution(node, operands):
    options, weights = node.options, node.inputs[1]
    source, output = node.inputs[0].shape, node.output.shape
    frame_wise = weights.shape[1] == 1 and options.strideH == 1 and weights.shape[3] == source[3]
    if operands[0] is None or weights.data is None or not frame_wise:
        return None
    taps, stride, dilation = weights.shape[2], options.strideW, options.dilationWFactor
    before = same_padding(source[2], taps, stride, dilation)[0] if options.padding == schema.Padding.SAME else 0
    matrix = np.zeros((output[2], source[2], source[3]))
    for row in range(output[2]):
        for tap in range(taps):
            column = row * stride + tap * dilation - before
            if 0 <= column < source[2]:
                matrix[row, column] += weights.data[0, 0, tap]
    bias = node.inputs[2].data if len(node.inputs) > 2 and node.inputs[2] is not None else np.zeros(output[3])
    return operands[0].product(matrix).affine(np.ones(output[2:]), np.broadcast_to(bias, output[2:]))


def _pooling(node, operands):
    options, source = node.options, node.inputs[0].shape
    whole = (options.filterHeight, options.filterWidth, options.strideH) == (1, source[2], 1) and options.padding == schema.Padding.VALID
    return operands[0].product(np.full((1, *source[2:]), 1 / source[2])) if whole and operands[0] is not None else None


def _mean(node, operands):
    axes, source = np.atleast_1d(node.inputs[1].data) % 4, node.inputs[0].shape
    frame_wise = operands[0] is not None and axes.tolist() == [ROWS] and node.options.keepDims
    return operands[0].product(np.full((1, *source[2:]), 1 / source[2])) if frame_wise else None


def _sum(node, operands):
    found = _with_constant(node, operands)
    if found is not None:
        rows, values = found
        return rows.affine(np.ones_like(values), values)
    return operands[0] + operands[1] if all(operand is not None for operand in operands) else None


def _scaling(node, operands):
    found = _with_constant(node, operands)
    return None if found is None else found[0].affine(found[1], np.zeros_like(found[1]))


def _with_constant(node, operands):
    """Of an element-wise node with one constant operand: (Rows of the other, the constant as [rows, channels])."""
    for first, second in ((0, 1), (1, 0)):
        values = node.inputs[second]
        if operands[first] is None or values.data is None or len(values.shape) > 2 and np.prod(values.shape[:-2]) != 1:
            continue
        if node.inputs[first].shape == node.output.shape:
            shape = values.shape[-2:]
            return operands[first], np.broadcast_to(values.data.reshape(shape), node.output.shape[2:]).astype(np.float64)
    return None


_LINEAR = {"ADD": _sum, "AVERAGE_POOL_2D": _pooling, "DEPTHWISE_CONV_2D": _convolution, "MEAN": _mean, "MUL": _scaling, "PAD": _padding}


def _activation(node):
    return getattr(node.options, "fusedActivationFunction", NO_ACTIVATION)


def _is_needed(graph, node, linear, known):
    """Whether something outside of the linear operators reads the output of a node, or its activation ends them."""
    readers = graph.consumers(node.output)
    return (id(node.output) not in known or not all(id(reader) in linear for reader in readers)
            or any(node.output is tensor for tensor in graph.outputs))


def _groups(graph, linear, known):
    """The linear nodes, those together that read each other's results."""
    group_of = {}
    for node in graph.nodes:
        if id(node) not in linear:
            continue
        group = [node]
        group_of[id(node)] = group
        for tensor in node.inputs:
            if tensor is not None and id(tensor) in known:
                other = group_of[id(graph.producer(tensor))]
                if other is not group:
                    other.extend(group)
                    for member in group:
                        group_of[id(member)] = other
                    group = other
    return list({id(group): group for group in group_of.values()}.values())
