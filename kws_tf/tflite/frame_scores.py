"""Turns a classifier of clips into one that scores every frame: the mean over time becomes a causal convolution over time."""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError
from kws_tf.tflite.flatbuffer import Node, Tensor, constant
from kws_tf.tflite.nodes import NO_ACTIVATION, ROWS, TIME, convolution_options, depthwise

AVERAGE = "average"


def score_every_frame(graph, window):
    """Puts the mean over the last `window` frames in the place of the mean over all, in place.

    What follows the mean is linear in most networks, and then it changes places with the mean: the logits of single frames are
    averaged, of which a stream has to remember far fewer than of embeddings. The mean is a convolution over time with equal weights
    behind window - 1 frames of zeros, so a stream treats it as every other layer over time; and unlike a pooling, which keeps the
    scale of single frames, it gives integer means a scale of their own.

    Args:
        graph: flatbuffer.Graph, float32, features [1, frames, rows, 1] -> logits [1, classes], simplified.
        window: frames of the last layer; all sums are divided by it, so frames before the recording count as zeros.

    Raises:
        ConversionError: there is no mean over time, or what follows it cannot work on every frame.
    """
    mean = next((node for node in graph.nodes if _is_time_mean(node)), None)
    if mean is None:
        raise ConversionError("streaming: the graph has no mean over time; a network that streams ends in one.")
    position = graph.nodes.index(mean)
    tail, graph.nodes = graph.nodes[position + 1:], graph.nodes[:position]
    source = _mean_over_rows(graph, mean.inputs[0])
    tail = [node for node in tail if node.operator != "RESHAPE"]
    linear = len(tail) == 1 and tail[0].operator == "FULLY_CONNECTED" and tail[0].options.fusedActivationFunction == NO_ACTIVATION
    if linear:
        source = _pointwise(graph, source, tail[0])
    source = _window_mean(graph, source, window)
    for node in [] if linear else tail:
        source = _pointwise(graph, source, node) if node.operator == "FULLY_CONNECTED" else _on_every_frame(graph, source, node)
    graph.outputs = [source]


def _is_time_mean(node):
    """A mean over all frames, as MEAN or as a pooling that leaves one frame."""
    if node.operator == "MEAN":
        return TIME in np.atleast_1d(node.inputs[1].data) % len(node.inputs[0].shape)
    return node.operator == "AVERAGE_POOL_2D" and 1 < node.inputs[0].shape[TIME] == node.options.filterHeight


def _mean_over_rows(graph, source):
    """Leaves one row of [1, frames, rows, channels]."""
    if source.shape[ROWS] == 1:
        return source
    _, frames, rows, channels = source.shape
    pooled = Tensor("mean/rows", (1, frames, 1, channels), "float32")
    options = schema.Pool2DOptionsT()
    options.padding, options.fusedActivationFunction = schema.Padding.VALID, NO_ACTIVATION
    options.filterHeight = options.strideH = 1
    options.filterWidth = options.strideW = rows
    graph.nodes.append(Node("AVERAGE_POOL_2D", [source], [pooled], options))
    return pooled


def _pointwise(graph, source, product):
    """A matrix product as a convolution of one tap, which works on every frame."""
    weights = product.inputs[1]
    classes, channels = weights.shape
    if channels != source.shape[3]:
        raise ConversionError(f"streaming: {product.output.name} takes {channels} values per clip, but the mean over time has "
                              f"{source.shape[3]}.")
    bias = product.inputs[2] if len(product.inputs) > 2 and product.inputs[2] is not None else None
    bias = constant(f"{product.output.name}/bias", np.zeros(classes, np.float32)) if bias is None else bias
    kernel = constant(weights.name, weights.data.reshape(classes, 1, 1, channels))
    output = Tensor(product.output.name, (1, source.shape[TIME], 1, classes), "float32")
    graph.nodes.append(Node("CONV_2D", [source, kernel, bias], [output], convolution_options(product.options.fusedActivationFunction)))
    return output


def _window_mean(graph, source, window):
    _, frames, _, channels = source.shape
    padded = Tensor(f"{AVERAGE}/Pad", (1, frames + window - 1, 1, channels), "float32")
    widths = np.array([(0, 0), (window - 1, 0), (0, 0), (0, 0)], np.int32)
    graph.nodes.append(Node("PAD", [source, constant(f"{AVERAGE}/widths", widths)], [padded], schema.PadOptionsT()))
    mean = Tensor(AVERAGE, source.shape, "float32")
    weights = np.full((1, window, 1, channels), 1 / window, np.float32)
    graph.nodes.append(depthwise(padded, weights, np.zeros(channels, np.float32), mean))
    return mean


def _on_every_frame(graph, source, node):
    """One operation behind a mean that does not commute with it."""
    if node.operator not in ("L2_NORMALIZATION", "LOGISTIC", "RELU", "TANH"):
        raise ConversionError(f"streaming: {node.operator} ({node.output.name}) behind the mean over time has no form for every frame.")
    output = Tensor(node.output.name, source.shape, "float32")
    graph.nodes.append(Node(node.operator, [source, *node.inputs[1:]], [output], node.options, node.version))
    return output
