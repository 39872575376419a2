"""Removes nodes that only move data, without changing any value."""

import numpy as np

from kws_tf.tflite.nodes import ROWS


def simplify(graph):
    """Applies all simplifications in place; for float32 and int8 graphs alike.

    Args:
        graph: flatbuffer.Graph.
    """
    unfold_time(graph)
    merge_reshapes(graph)


def unfold_time(graph):
    """Undoes RESHAPE [1, T, F, C] -> [T, 1, F, C], ..., RESHAPE back, around nodes that work on each frame alone.

    TensorFlow computes depthwise convolutions with unequal strides only in this form; TFLite kernels take the stride (1, s) as it is.
    """
    for first in list(graph.nodes):
        if first.operator != "RESHAPE" or not _folds(first.inputs[0].shape, first.output.shape):
            continue
        chain, node = [], graph.only_consumer(first.output)
        while node is not None and _works_on_frames(node):
            chain.append(node)
            node = graph.only_consumer(node.output)
        if node is None or node.operator != "RESHAPE" or not chain or not _folds(node.output.shape, node.inputs[0].shape):
            continue
        for inside in chain:
            time, _, rows, channels = inside.output.shape
            inside.output.shape = (1, time, rows, channels)
            if inside.operator == "DEPTHWISE_CONV_2D":
                inside.options.strideH = 1
        chain[0].inputs[0] = first.inputs[0]
        chain[-1].outputs[0] = node.output
        graph.nodes = [entry for entry in graph.nodes if entry is not first and entry is not node]


def _folds(source, target):
    return len(source) == len(target) == 4 and source[0] == 1 and target == (source[1], 1, *source[2:])


def _works_on_frames(node):
    """Whether a node on [T, 1, F, C] treats every frame alike and apart, so that it may work on [1, T, F, C] as well."""
    if len(node.output.shape) != 4 or node.output.shape[1] != 1:
        return False
    if node.operator == "PAD":
        return not np.any(np.delete(node.inputs[1].data, ROWS, axis=0))
    if node.operator == "DEPTHWISE_CONV_2D":
        return node.inputs[1].shape[1] == 1
    others = [tensor for tensor in node.inputs if tensor.data is not None]
    return node.operator in ("ADD", "MUL") and len(others) == 1 and len(others[0].shape) <= 2  # [frequency, channels] or less


def merge_reshapes(graph):
    """Lets a RESHAPE behind another read the source of that one, and removes those that nothing reads or that change nothing."""
    for node in graph.nodes:
        before = graph.producer(node.inputs[0])
        if node.operator == "RESHAPE" and before is not None and before.operator == "RESHAPE":
            node.inputs[0] = before.inputs[0]
    for node in list(graph.nodes):
        unread = not graph.consumers(node.output) and not any(node.output is tensor for tensor in graph.outputs)
        same = node.inputs[0].shape == node.output.shape and not any(node.output is tensor for tensor in graph.outputs)
        if node.operator == "RESHAPE" and (unread or same):
            for reader in graph.consumers(node.output):
                reader.inputs = [node.inputs[0] if tensor is node.output else tensor for tensor in reader.inputs]
            graph.nodes.remove(node)
