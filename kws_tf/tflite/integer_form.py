"""Rewrites a float32 graph into one that computes the same and loses less when its tensors become int8.

Every rewrite is exact up to float rounding. They apply to patterns, not to a named network; where a pattern does not occur,
nothing changes.
"""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.equalise import equalise
from kws_tf.tflite.flatbuffer import CONVOLUTIONS, Tensor, constant
from kws_tf.tflite.nodes import NO_ACTIVATION, ROWS, depthwise, replace, reshape
from kws_tf.tflite.past_frames import split_past
from kws_tf.tflite.quantise import WEIGHTED
from kws_tf.tflite.ranges import Histogram, by_channel, choose_range, parts
from kws_tf.tflite.row_products import merge_row_products
from kws_tf.tflite.swish_lines import swish_to_lines


def integer_form(graph, clips, compact=False):
    """Applies all rewrites in place.

    Args:
        graph: flatbuffer.Graph of float32 tensors.
        clips: float32 [clips, ...], calibration clips; large networks use as many of them as fit into memory.
        compact: whether blocks take the form of streaming.prepare with little working memory, for a step that is cut out of the graph.
    """
    give_biases(graph)
    merge_row_products(graph)
    poolings_to_depthwise(graph)
    clips = parts(graph, clips)[0]
    if compact:
        split_past(graph, clips)
        swish_to_lines(graph, clips)
    equalise(graph, clips)
    affines = [found for node in graph.nodes if (found := match_row_affine(graph, node)) is not None]
    ranges = by_channel(graph, [affine[0].output for affine in affines], clips, range_of)
    for affine, of_channels in zip(affines, ranges, strict=True):
        split_row_affine(graph, *affine, *np.array(of_channels, np.float32).T)
    joints = [found for node in graph.nodes if (found := match_joint(graph, node)) is not None]
    ranges = [np.array(of_channels, np.float32).T for of_channels in by_channel(
        graph, [node.output for joint in joints for node in joint[:2]], clips, range_of)]
    for joint, of_rows, of_row in zip(joints, ranges[::2], ranges[1::2], strict=True):
        fill_range(*joint, *of_row, float(of_rows[0].min()), float(of_rows[1].max()), compact)


def give_biases(graph):
    """Gives a bias of zeros to every convolution and matrix product that has none, for the rewrites and corrections to come."""
    for node in graph.nodes:
        if node.operator in WEIGHTED and (len(node.inputs) < 3 or node.inputs[2] is None):
            node.inputs[2:] = [constant(f"{node.output.name}/bias", np.zeros(node.output.shape[-1], np.float32))]


def match_row_affine(graph, node):
    """Finds depthwise convolution -> MUL [frequency, channels] -> ADD [frequency, channels], as SubSpectralNormalization leaves it.

    Returns:
        (convolution, MUL node, ADD node, scale, shift), the last two float32 [frequency, channels]; None if `node` starts none.
    """
    if node.operator != "DEPTHWISE_CONV_2D" or node.options.fusedActivationFunction != NO_ACTIVATION:
        return None
    rows_channels = node.output.shape[2:]
    found, tensor = [], node.output
    for operator in ("MUL", "ADD"):
        reader = graph.only_consumer(tensor)
        if reader is None or reader.operator != operator:
            return None
        values = reader.inputs[1] if reader.inputs[0] is tensor else reader.inputs[0]
        if values.data is None or values.shape[-2:] != rows_channels or values.data.size != np.prod(rows_channels):
            return None
        found.append((reader, values.data.reshape(rows_channels)))
        tensor = reader.output
    (mul, scale), (add, shift) = found
    return None if mul.options.fusedActivationFunction != NO_ACTIVATION else (node, mul, add, scale, shift)


def range_of(values):
    """(low, high) of a channel: the range worth its bits, which need not hold zero."""
    histogram = Histogram.of(values)
    return choose_range(histogram, anchor=(histogram.low + histogram.high) / 2)


def split_row_affine(graph, convolution, mul, add, scale, shift, low, high):
    """Makes the convolution fill its 8 bits in every channel, and y = x * scale[f, c] + shift[f, c] a depthwise convolution.

    Ahead of its normalisation the output of the convolution has another range in every channel, and one scale per tensor leaves
    most of them a few steps: this was the largest error of the whole network. So the convolution is made to give

        x' = (x - middle[c]) / half[c],   middle = (low + high) / 2,   half = (high - low) / 2

    and the normalisation takes that back. It becomes a 1x1 depthwise convolution over the (frequency, channel) pairs as
    channels, with a 32-bit bias and one rounding, where MUL and ADD round twice with constants of 8 bits.

    Args:
        graph: flatbuffer.Graph, changed in place.
        convolution, mul, add, scale, shift: see match_row_affine.
        low, high: float32 [channels], range of the convolution's output.
    """
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, np.float32(1e-6))
    weights, bias = convolution.inputs[1], convolution.inputs[2]
    convolution.inputs[1] = constant(weights.name, weights.data / half)
    convolution.inputs[2] = constant(bias.name, (bias.data - middle) / half)

    batch, time, rows, channels = convolution.output.shape
    flat = Tensor(f"{mul.output.name}/flat", (batch, time, 1, rows * channels), "float32")
    scaled = Tensor(f"{add.output.name}/flat", flat.shape, "float32")
    pointwise = depthwise(flat, (scale * half).reshape(1, 1, 1, -1), (shift + scale * middle).reshape(-1), scaled)
    pointwise.options.fusedActivationFunction = add.options.fusedActivationFunction
    replace(graph, [mul, add], [reshape(convolution.output, flat), pointwise, reshape(scaled, add.output)])


def match_joint(graph, node):
    """Finds rows and the output of a convolution that a concatenation joins for one depthwise convolution, see row_products.

    Returns:
        (node that computes the rows, convolution, depthwise convolution); None if `node` does not join such tensors.
    """
    if node.operator != "CONCATENATION" or len(node.inputs) != 2 or node.options.axis != ROWS:
        return None
    producers, reader = [graph.producer(tensor) for tensor in node.inputs], graph.only_consumer(node.output)
    if None in producers or reader is None or reader.operator != "DEPTHWISE_CONV_2D":
        return None
    if reader.inputs[1].shape[1:3] != (1, node.output.shape[ROWS]):
        return None
    alone = graph.only_consumer(node.inputs[1]) is node and producers[1].operator in CONVOLUTIONS
    return (*producers, reader) if alone and producers[1].options.fusedActivationFunction == NO_ACTIVATION else None


def fill_range(rows, convolution, reader, low, high, target_low, target_high, saturate=False):
    """Gives every channel of a convolution the range of the tensor that it is concatenated with, for they share one int8 scale.

    x' = (x - low[c]) * gain[c] + target_low,   gain = (target_high - target_low) / (high - low),

    by its weights and biases; the depthwise convolution that reads both takes it back by its own.

    Args:
        rows, convolution, reader: see match_joint.
        low, high: float32 [channels], range of the convolution's output. target_low, target_high: that of the other tensor.
        saturate: whether what falls below 0 is cut off, as it is from rows behind a ReLU: all of them have the zero point -128 then.
    """
    gain = (target_high - target_low) / np.maximum(high - low, np.float32(1e-6))
    shift = target_low - gain * low
    weights, bias = convolution.inputs[1], convolution.inputs[2]
    spread = (-1, 1, 1, 1) if convolution.operator == "CONV_2D" else (1, 1, 1, -1)
    convolution.inputs[1] = constant(weights.name, weights.data * gain.reshape(spread))
    convolution.inputs[2] = constant(bias.name, bias.data * gain + shift)
    if saturate and target_low >= 0:
        convolution.options.fusedActivationFunction = schema.ActivationFunctionType.RELU

    multiplier, first = reader.options.depthMultiplier, rows.output.shape[ROWS]
    weights, bias = reader.inputs[1], reader.inputs[2]
    changed = weights.data.copy()
    changed[0, 0, first:] /= np.repeat(gain, multiplier)
    reader.inputs[1] = constant(weights.name, changed)
    reader.inputs[2] = constant(bias.name, bias.data - (changed[0, 0, first:] * np.repeat(shift, multiplier)).sum(0))


def poolings_to_depthwise(graph):
    """Turns average poolings over a whole axis into depthwise convolutions with equal weights.

    A pooling has to keep the scale of its input, which is far too coarse for a mean of many values; a convolution rescales its
    32-bit sum to a scale of its own. (MEAN does so too, but has only a slow reference kernel on microcontrollers.)
    """
    for node in list(graph.nodes):
        if node.operator == "AVERAGE_POOL_2D" and _pools_everything(node):
            window, channels = (node.options.filterHeight, node.options.filterWidth), node.output.shape[3]
            weights = np.full((1, *window, channels), 1 / (window[0] * window[1]), np.float32)
            replace(graph, [node], [depthwise(node.inputs[0], weights, np.zeros(channels, np.float32), node.output)])


def _pools_everything(node):
    """Whether each axis is either pooled as a whole or not at all, which makes padding and strides irrelevant."""
    windows = (node.options.filterHeight, node.options.filterWidth)
    strides = (node.options.strideH, node.options.strideW)
    whole = all(size == axis or (size, stride) == (1, 1)
                for size, stride, axis in zip(windows, strides, node.inputs[0].shape[1:3], strict=True))
    return whole and node.options.padding == schema.Padding.VALID and node.options.fusedActivationFunction == NO_ACTIVATION
