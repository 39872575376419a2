"""Turns swish between two convolutions into bent lines, which cost no node of their own.

A convolution whose int8 output saturates at its lower end is a line with a bend, max(z - knot, 0). Several of them, one per knot, are one
convolution with more outputs, and the pointwise convolution that reads swish(z) reads

    swish(z) = height + sum over j of bend[j] * max(z - knot[j], 0)

with weights times bend. LOGISTIC and MUL round twice to 8 bits; a sum of LINES straight pieces per channel, laid for the values of that
channel, is as close.
"""

import numpy as np

from kws_tf.tflite.flatbuffer import Node, Tensor, constant
from kws_tf.tflite.nodes import NO_ACTIVATION, SATURATING, TIME, replace
from kws_tf.tflite.ranges import by_channel

LINES = 5
POINTS = 512
SMALLEST_SPAN = 1e-3
# Share of the values that is taken to lie anywhere in the range; keeps knots apart and the outer pieces defined.
ANYWHERE = 1e-3
# The upper end of an int8 tensor with zero point 0 is 127 / 128 of the lower one.
UPPER_END = 127 / 128


def swish_to_lines(graph, clips, lines=LINES):
    """Applies this to every swish between a depthwise and a pointwise convolution, in place.

    Args:
        graph: flatbuffer.Graph of float32 tensors; every convolution has a bias.
        clips: float32 [clips, ...], calibration clips.
        lines: per channel.
    """
    found = [match for node in graph.nodes if (match := match_swish(graph, node)) is not None]
    laid = by_channel(graph, [match[0].output for match in found], clips, lambda values: lay_lines(values, lines))
    for match, fits in zip(found, laid, strict=True):
        _replace(graph, *match, np.array([knots for knots, _ in fits]), np.array([heights for _, heights in fits]))


def match_swish(graph, node):
    """(depthwise convolution over rows, LOGISTIC, MUL, pointwise convolution), if `node` is such a convolution; else None."""
    if node.operator != "DEPTHWISE_CONV_2D" or node.options.fusedActivationFunction != NO_ACTIVATION or node.options.depthMultiplier != 1:
        return None
    if node.inputs[1].shape[TIME] != 1:
        return None
    readers = sorted(graph.consumers(node.output), key=lambda reader: reader.operator)
    if [reader.operator for reader in readers] != ["LOGISTIC", "MUL"] or graph.only_consumer(readers[0].output) is not readers[1]:
        return None
    reader = graph.only_consumer(readers[1].output)
    pointwise = reader is not None and reader.operator == "CONV_2D" and reader.inputs[1].shape[1:3] == (1, 1)
    return (node, *readers, reader) if pointwise else None


def swish(z):
    """z * sigmoid(z)."""
    return z / (1 + np.exp(-z))


def lay_lines(values, lines):
    """The polyline with the least mean squared distance from swish over some values, but for its knots.

    Knots are spaced by the density (curvature^2 * density of the values)^(1/5), which is best for many knots; heights by least squares.

    Args:
        values: float [n]. lines: pieces of the polyline.

    Returns:
        (knots, heights), float64 [lines + 1] each, from the least to the largest value.
    """
    low, high = float(np.min(values)), float(np.max(values))
    low, high = (low, high) if high - low > SMALLEST_SPAN else (low - SMALLEST_SPAN, high + SMALLEST_SPAN)
    counts, edges = np.histogram(values, np.linspace(low, high, POINTS + 1))
    z, share = (edges[:-1] + edges[1:]) / 2, counts / counts.sum() + ANYWHERE / POINTS
    sigmoid = 1 / (1 + np.exp(-z))
    curvature = sigmoid * (1 - sigmoid) * (2 + z * (1 - 2 * sigmoid))
    density = (curvature**2 * share) ** 0.2
    reached = np.concatenate([[0], np.cumsum(density + ANYWHERE * density.max())])
    knots = np.interp(np.linspace(0, reached[-1], lines + 1), reached, edges)
    # hat functions: the value of the polyline at z as a weighted sum of its heights
    hats = np.stack([np.interp(z, knots, unit) for unit in np.eye(lines + 1)], 1)
    weighted = hats * share[:, None]
    return knots, np.linalg.solve(hats.T @ weighted + 1e-9 * np.eye(lines + 1), weighted.T @ swish(z))


def _replace(graph, convolution, logistic, product, pointwise, knots, heights):
    lines = knots.shape[1] - 1
    half = (knots[:, -1:] - knots[:, :1]) / (2 * UPPER_END)
    slopes = np.diff(heights, axis=1) / np.diff(knots, axis=1)
    bends = np.diff(slopes, axis=1, prepend=0) * half
    weights, bias = convolution.inputs[1:3]
    steep = np.repeat(weights.data / half.reshape(-1), lines, 3).astype(np.float32)
    offset = ((bias.data[:, None] - knots[:, :-1]) / half - 1).reshape(-1).astype(np.float32)
    output = Tensor(f"{product.output.name}/lines", (*convolution.output.shape[:3], knots.shape[0] * lines), "float32")
    convolution.options.depthMultiplier, convolution.options.fusedActivationFunction = lines, SATURATING
    bent = Node("DEPTHWISE_CONV_2D", [convolution.inputs[0], constant(weights.name, steep), constant(bias.name, offset)], [output],
                convolution.options)
    kernel, constants = pointwise.inputs[1:3]
    matrix = kernel.data[:, 0, 0]
    mixed = (np.repeat(matrix, lines, 1) * bends.reshape(-1)).astype(np.float32)
    level = heights[:, 0] + bends.sum(1)                                    # every line starts at -1
    pointwise.inputs = [output, constant(kernel.name, mixed[:, None, None]),
                        constant(constants.name, (constants.data + matrix @ level).astype(np.float32))]
    replace(graph, [convolution, logistic, product], [bent])
