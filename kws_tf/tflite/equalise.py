"""Gives all channels of a tensor the same range, so that one int8 scale serves every one of them."""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.flatbuffer import CONVOLUTIONS, constant
from kws_tf.tflite.nodes import ROWS
from kws_tf.tflite.quantise import WEIGHTED
from kws_tf.tflite.ranges import Histogram, by_channel, choose_range

SCALING_ACTIVATIONS = (schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU)
# A channel that hardly moves is not blown up to more than this share of the largest range allows.
SMALLEST_SHARE = 1e-3


def equalise(graph, clips):
    """Divides every channel by its own range where a convolution gives it and only weighted layers read it, in place.

    A convolution, with or without ReLU, commutes with positive factors per channel: x'[c] = x[c] / factor[c] by its weights and
    biases; the weights of what reads x' take the factors back. The network computes the same, but a channel of small values no longer
    shares the coarse steps of one with large values.

    Nagel, van Baalen, Blankevoort, Welling: "Data-free quantization through weight equalization and bias correction", ICCV 2019, with
    the observed ranges in the place of those of the weights.

    Args:
        graph: flatbuffer.Graph of float32 tensors; every convolution has a bias.
        clips: float32 [clips, ...], calibration clips.
    """
    found = []
    for node in graph.nodes:
        output, readers = _scalable(graph, node) if node.operator in CONVOLUTIONS else (None, [])
        if readers:
            found.append((output, node, readers))
    reaches = by_channel(graph, [output for output, _, _ in found], clips, reach)
    for (_, node, readers), own in zip(found, reaches, strict=True):
        spans = np.maximum(own, SMALLEST_SHARE * max(own))
        if spans.max() > 0:
            factors = spans / np.exp(np.log(spans).mean())
            if any(reader.operator == "FULLY_CONNECTED" for reader, _ in readers):
                factors = np.sqrt(factors)      # its weights share one scale, and a factor that helps the one harms the other
            _scale(node, readers, factors.astype(np.float32))


def reach(values):
    """The distance from zero up to which the values of a channel are worth their bits."""
    return float(np.max(np.abs(choose_range(Histogram.of(values)))))


def _scalable(graph, node):
    """The output of a convolution with its channels on the last axis, and its readers; none if one of them cannot take factors back."""
    output = node.output
    if node.options.fusedActivationFunction not in SCALING_ACTIVATIONS:
        return output, []
    if node.operator == "DEPTHWISE_CONV_2D" and node.options.depthMultiplier > 1:
        columns = graph.only_consumer(output)                # see row_products.product
        turned = None if columns is None else graph.only_consumer(columns.output)
        if turned is None or (columns.operator, turned.operator) != ("RESHAPE", "TRANSPOSE"):
            return output, []
        channels_apart = columns.output.shape[2:] == (node.inputs[0].shape[3], node.options.depthMultiplier)
        if not channels_apart or list(turned.inputs[1].data) != [0, 1, 3, 2]:
            return output, []
        output = turned.output
    return output, _readers(graph, output)


def _readers(graph, tensor):
    """(weighted node, rows of its weights that meet the tensor) of all that read it; none if anything else reads it."""
    found = []
    if any(tensor is entry for entry in graph.outputs):
        return []
    for node in graph.consumers(tensor):
        inner = []
        if node.operator in WEIGHTED and node.inputs[0] is tensor:
            inner = [(node, slice(None))] if node.operator != "FULLY_CONNECTED" or node.inputs[1].shape[1] == tensor.shape[-1] else []
        elif node.operator == "PAD":
            inner = _readers(graph, node.output)
        elif node.operator == "MEAN" and len(tensor.shape) - 1 not in np.atleast_1d(node.inputs[1].data) % len(tensor.shape):
            inner = _readers(graph, node.output)
        elif node.operator == "CONCATENATION" and node.options.axis == ROWS:
            inner = _joint_readers(graph, node, tensor)
        if not inner:
            return []
        found += inner
    return found


def _joint_readers(graph, node, tensor):
    """The readers of rows among others: depthwise convolutions with weights of their own for every row."""
    found, first = [], 0
    for operand in node.inputs:
        for reader in graph.consumers(node.output) if operand is tensor else ():
            if reader.operator != "DEPTHWISE_CONV_2D" or reader.inputs[1].shape[1:3] != (1, node.output.shape[ROWS]):
                return []
            found.append((reader, slice(first, first + tensor.shape[ROWS])))
        first += operand.shape[ROWS]
    return found


def _scale(node, readers, factors):
    """Divides the output channels of a convolution by factors, and multiplies the weights of its readers by them."""
    own = np.repeat(factors, node.output.shape[-1] // len(factors))
    weights, bias = node.inputs[1], node.inputs[2]
    shape = (-1, 1, 1, 1) if node.operator == "CONV_2D" else (1, 1, 1, -1)
    node.inputs[1] = constant(weights.name, weights.data / own.reshape(shape))
    node.inputs[2] = constant(bias.name, bias.data / own)
    for reader, rows in readers:
        weights = reader.inputs[1]
        changed = weights.data.copy()
        if reader.operator == "DEPTHWISE_CONV_2D":
            changed[:, :, rows] *= np.repeat(factors, weights.shape[3] // len(factors))
        else:
            changed *= factors
        reader.inputs[1] = constant(weights.name, changed)
