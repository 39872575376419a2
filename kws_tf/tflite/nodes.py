"""Makes nodes of a graph, and puts them in the place of others."""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.flatbuffer import Node, constant

# Axes of a tensor [1, time, rows, channels].
TIME, ROWS, CHANNELS = 1, 2, 3
NO_ACTIVATION = schema.ActivationFunctionType.NONE
# -1 ... 1: an int8 tensor in steps of 1 / 128 saturates there by itself, just below the upper end.
SATURATING = schema.ActivationFunctionType.RELU_N1_TO_1
# Of operators that move values: takes int8 and float32; tflite-runtime 2.14 and TFLite Micro know it.
MOVE_VERSION = 2


def depthwise(source, weights, bias, target, multiplier=1):
    """A DEPTHWISE_CONV_2D node of stride 1 without padding.

    Args:
        source, target: Tensors. weights: float32 [1, height, width, channels]. bias: float32 [channels].
        multiplier: channels of the target per channel of the source.
    """
    options = schema.DepthwiseConv2DOptionsT()
    options.padding, options.fusedActivationFunction = schema.Padding.VALID, NO_ACTIVATION
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    options.depthMultiplier = multiplier
    constants = constant(f"{target.name}/weights", weights), constant(f"{target.name}/bias", bias)
    return Node("DEPTHWISE_CONV_2D", [source, *constants], [target], options)


def convolution_options(activation=NO_ACTIVATION):
    """Options of a CONV_2D of stride 1 without padding."""
    options = schema.Conv2DOptionsT()
    options.padding, options.fusedActivationFunction = schema.Padding.VALID, activation
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    return options


def reshape(source, target):
    """A RESHAPE node."""
    options = schema.ReshapeOptionsT()
    options.newShape = np.array(target.shape, np.int32)
    return Node("RESHAPE", [source, constant(f"{target.name}/shape", np.array(target.shape, np.int32))], [target], options)


def concatenation(values, output, axis, version=MOVE_VERSION):
    """A CONCATENATION node."""
    options = schema.ConcatenationOptionsT()
    options.axis, options.fusedActivationFunction = axis, NO_ACTIVATION
    return Node("CONCATENATION", values, [output], options, version)


def strided_slice(source, target, begin, end, strides=None, version=MOVE_VERSION):
    """A STRIDED_SLICE node, source[begin[0]:end[0]:strides[0], ...]; every stride is 1 by default."""
    options = schema.StridedSliceOptionsT()
    options.beginMask = options.endMask = options.ellipsisMask = options.newAxisMask = options.shrinkAxisMask = 0
    limits = [constant("i", np.array(values, np.int32)) for values in (begin, end, strides or [1] * len(begin))]
    return Node("STRIDED_SLICE", [source, *limits], [target], options, version)


def split(source, targets, axis):
    """A SPLIT_V node, into the sizes that the targets have on an axis."""
    options = schema.SplitVOptionsT()
    options.numSplits = len(targets)
    sizes = constant("i", np.array([target.shape[axis] for target in targets], np.int32))
    return Node("SPLIT_V", [source, sizes, constant("i", np.array(axis, np.int32))], targets, options, MOVE_VERSION)


def transpose(source, target, order):
    """A TRANSPOSE node."""
    return Node("TRANSPOSE", [source, constant("order", np.array(order, np.int32))], [target], schema.TransposeOptionsT(), MOVE_VERSION)


def replace(graph, old, new):
    """Puts nodes in the place of others, at the position of the last of them."""
    position = graph.nodes.index(old[-1]) + 1
    graph.nodes[position:position] = new
    graph.nodes = [node for node in graph.nodes if not any(node is gone for gone in old)]
