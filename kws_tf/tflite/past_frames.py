"""Parts a causal convolution over time into what earlier frames give it and what the present one does.

A mean over the rows that a depthwise convolution over time reads

    z(t) = bias + sum over k of weight[k] * mean(t - k * dilation)

becomes one convolution over rows: those of the present frame, and one more row with what the earlier frames add up to. In a stream
that row does not depend on the step, so those of all blocks are one node (joint_lines), and the means ride along as one more output.
"""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.equalise import reach
from kws_tf.tflite.flatbuffer import Node, Tensor, constant
from kws_tf.tflite.nodes import NO_ACTIVATION, ROWS, SATURATING, TIME, concatenation, depthwise, replace
from kws_tf.tflite.ranges import by_channel


def split_past(graph, clips):
    """Applies this to every mean over rows with a causal depthwise convolution over time behind it, in place.

    The means are counted in units of their own reach, one per channel, and saturate there: the scale and zero point of all of them
    are the same.

    Args:
        graph: flatbuffer.Graph of float32 tensors; every convolution has a bias.
        clips: float32 [clips, ...], calibration clips.
    """
    found = [match for node in graph.nodes if (match := match_past(graph, node)) is not None]
    for match, reaches in zip(found, by_channel(graph, [match[0].output for match in found], clips, reach), strict=True):
        _split(graph, *match, np.maximum(np.array(reaches, np.float32), np.float32(1e-6)))


def match_past(graph, node):
    """(mean over rows, PAD, depthwise convolution over time), if `node` is such a mean of rows that a row product reads too; else None."""
    if not _is_depthwise(node) or node.inputs[1].shape[:3] != (1, 1, node.inputs[0].shape[ROWS]) or node.output.shape[ROWS] != 1:
        return None
    padding, others = graph.only_consumer(node.output), [reader for reader in graph.consumers(node.inputs[0]) if reader is not node]
    if padding is None or padding.operator != "PAD" or [other.operator for other in others] != ["CONCATENATION"]:
        return None
    if others[0].options.axis != ROWS:
        return None
    widths, reader = np.asarray(padding.inputs[1].data), graph.only_consumer(padding.output)
    if reader is None or not _is_depthwise(reader) or widths[TIME, 1] or np.delete(widths, TIME, 0).any():
        return None
    taps = reader.inputs[1].shape[TIME]
    causal = taps > 1 and reader.inputs[1].shape[ROWS] == 1 and widths[TIME, 0] == (taps - 1) * reader.options.dilationHFactor
    return (node, padding, reader) if causal else None


def _is_depthwise(node):
    options = node.options
    return (node.operator == "DEPTHWISE_CONV_2D" and options.depthMultiplier == 1 and options.strideH == options.strideW == 1
            and options.padding == schema.Padding.VALID and options.fusedActivationFunction == NO_ACTIVATION)


def _split(graph, mean, padding, convolution, unit):
    source, weights = mean.inputs[0], convolution.inputs[1].data
    batch, time, rows, channels = source.shape
    mean_weights, mean_bias = (tensor.data for tensor in mean.inputs[1:])
    present = weights[:, -1:]                                              # [1, 1, 1, channels]
    z_bias = convolution.inputs[2].data + present.reshape(-1) * mean_bias

    mean.inputs[1:] = [constant(mean.inputs[1].name, mean_weights / unit), constant(mean.inputs[2].name, mean_bias / unit)]
    mean.options.fusedActivationFunction = SATURATING
    earlier = weights * unit
    earlier[:, -1] = 0
    name = convolution.output.name
    past = Tensor(f"{name}/past", (batch, time, 1, channels), "float32")
    bias = constant(f"{name}/bias", np.zeros(channels, np.float32))
    sources = Tensor(f"{name}/sources", (batch, time, rows + 1, channels), "float32")
    kernel = np.concatenate([mean_weights * present, np.ones_like(present)], ROWS)
    replace(graph, [convolution], [
        Node("DEPTHWISE_CONV_2D", [padding.output, constant(convolution.inputs[1].name, earlier), bias], [past], convolution.options),
        concatenation([source, past], sources, ROWS),
        depthwise(sources, kernel.astype(np.float32), z_bias.astype(np.float32), convolution.output)])


def row_scales(graph):
    """The products of rows that a step computes as matrix products, which have one scale for all weights.

    Returns:
        id(node) -> largest weight; that of a mean over rows and of the convolution over the same rows and earlier frames is the same.
    """
    found = {}
    for node in graph.nodes:
        reader = graph.only_consumer(node.output) if node.operator == "CONCATENATION" and node.options.axis == ROWS else None
        if reader is None or reader.operator != "DEPTHWISE_CONV_2D" or reader.options.depthMultiplier == 1:
            continue
        means = [other for other in graph.consumers(node.inputs[0])
                 if other.operator == "DEPTHWISE_CONV_2D" and other.options.fusedActivationFunction == SATURATING]
        if means:
            group = [reader, *means] if reader.options.fusedActivationFunction == SATURATING else [reader]
            found |= dict.fromkeys(map(id, group), max(float(np.abs(each.inputs[1].data).max()) for each in group))
    return found
