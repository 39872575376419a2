"""Runs a graph of either kind on a batch, node by node, with real numbers: what its kernels compute, and what they round.

TFLite interpreters take one clip at a time and show no values in between without copying all of them; calibration needs every value
of many clips at once.
"""

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError

# That of TFLite's float kernel for L2_NORMALIZATION.
SMALLEST_LENGTH = 1e-6
PADDINGS = {schema.Padding.SAME: "SAME", schema.Padding.VALID: "VALID"}


class Execution:
    """One pass of a graph over a batch. Values that no later node reads are forgotten.

    In a quantised graph constants are dequantised, and every computed value is rounded and saturated to the grid of its tensor, so
    the result differs from an integer kernel by about one step per node (kernels round scales and sums once more).

    Args:
        graph: flatbuffer.Graph with one input.
        batch: float32 [clips, ...], the shape of the input in place of its batch of 1.

    Example:
        >>> run = Execution(graph, clips)
        >>> for node in graph.nodes:
        ...     values = run.advance(node)
    """

    def __init__(self, graph, batch):
        self._values = {id(graph.inputs[0]): to_grid(tf.constant(batch, tf.float32), graph.inputs[0])}
        self._last_reader = {id(tensor): node for node in graph.nodes for tensor in node.inputs}

    def advance(self, node):
        """Computes the next node in order: its output [clips, ...] on its grid."""
        result = to_grid(compute(node, self._values), node.output)
        self._values[id(node.output)] = result
        for tensor in node.inputs:
            if self._last_reader[id(tensor)] is node:
                self._values.pop(id(tensor), None)
        return result

    def value(self, tensor):
        """The values of a tensor that was computed and is still to be read: float32 [clips, ...]."""
        return self._values[id(tensor)].numpy()

    def before_activation(self, node):
        """The output of the next node in order without its fused activation and without rounding; does not advance."""
        return compute(node, self._values, activate=False)


def to_grid(values, tensor):
    """Real values as an integer tensor can hold them; unchanged for a float tensor."""
    if tensor.scales is None:
        return values
    limits = np.iinfo(tensor.dtype)
    scale, zero_point = float(tensor.scales[0]), int(tensor.zero_points[0])
    return (tf.clip_by_value(tf.round(values / scale) + zero_point, limits.min, limits.max) - zero_point) * scale


def real(tensor):
    """The real values of a constant."""
    if tensor.scales is None:
        return tensor.data
    scales, zero_points = tensor.scales, tensor.zero_points
    if len(scales) > 1:
        spread = [-1 if axis == tensor.axis else 1 for axis in range(tensor.data.ndim)]
        scales, zero_points = scales.reshape(spread), zero_points.reshape(spread)
    return ((tensor.data.astype(np.float64) - zero_points) * scales).astype(np.float32)


def compute(node, values, activate=True):
    """The real output of one node before it is rounded to its grid.

    Args:
        node: Node.
        values: id(tensor) -> tf.Tensor of its computed inputs.
        activate: whether to apply the fused activation.
    """
    if node.operator not in _OPERATORS:
        raise ConversionError(f"int8 conversion: operator {node.operator} ({node.output.name}) is not supported; "
                              f"known are {', '.join(sorted(_OPERATORS))}.")
    operands = [values[id(tensor)] if id(tensor) in values else real(tensor) for tensor in node.inputs if tensor is not None]
    result = _OPERATORS[node.operator](node, *operands)
    function = getattr(node.options, "fusedActivationFunction", schema.ActivationFunctionType.NONE)
    return _ACTIVATIONS[function](result) if activate else result


def _convolution(node, x, weights, bias=0.0):
    options = node.options
    kernel = np.transpose(weights, (1, 2, 3, 0))
    return tf.nn.conv2d(x, kernel, (1, options.strideH, options.strideW, 1), PADDINGS[options.padding],
                        dilations=(1, options.dilationHFactor, options.dilationWFactor, 1)) + bias


def _depthwise(node, x, weights, bias=0.0):
    options, channels = node.options, x.shape[-1]
    if weights.shape[1:] == (1, 1, channels):
        return x[:, ::options.strideH, ::options.strideW] * weights[0] + bias
    # output channels are ordered by input channel first, as those of TensorFlow
    kernel = np.reshape(weights, (*weights.shape[1:3], channels, -1))
    dilations = (options.dilationHFactor, options.dilationWFactor)
    if options.strideH == options.strideW:
        return tf.nn.depthwise_conv2d(x, kernel, (1, options.strideH, options.strideW, 1), PADDINGS[options.padding],
                                      dilations=dilations) + bias
    # TensorFlow refuses unequal strides; without padding, dropping outputs gives the same.
    if options.padding == schema.Padding.SAME:
        zeros = [same_padding(*axis) for axis in zip(x.shape[1:3], kernel.shape[:2], (options.strideH, options.strideW), dilations,
                                                     strict=True)]
        x = tf.pad(x, [(0, 0), *zeros, (0, 0)])
    return tf.nn.depthwise_conv2d(x, kernel, (1, 1, 1, 1), "VALID", dilations=dilations)[:, ::options.strideH, ::options.strideW] + bias


def same_padding(size, taps, stride, dilation=1):
    """Zeros (before, after) an axis that the padding SAME stands for."""
    total = max((-(-size // stride) - 1) * stride + (taps - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def _pool(function):
    def pool(node, x):
        options = node.options
        return function(x, (options.filterHeight, options.filterWidth), (options.strideH, options.strideW), PADDINGS[options.padding])
    return pool


def _mean(node, x, axes):
    rank = len(node.inputs[0].shape)
    return tf.reduce_mean(x, [int(axis) % rank for axis in np.atleast_1d(axes)], keepdims=node.options.keepDims)


def _fully_connected(node, x, weights, bias=0.0):
    return tf.matmul(tf.reshape(x, (-1, weights.shape[1])), weights, transpose_b=True) + bias


def _reshape(node, x, *_):
    source, target = node.inputs[0].shape, node.output.shape
    # The batch of 1 that stands in for the clips need not stay in front: [1, T, F, C] -> [T, 1, F, C] folds time into it.
    return tf.reshape(x, (x.shape[0] * target[0] // source[0], *target[1:]))


def _transpose(node, x, order):
    if order[0] != 0:
        raise ConversionError(f"{node.output.name}: a transposition that moves the batch is not supported.")
    return tf.transpose(x, order)


_OPERATORS = {
    "ADD": lambda node, a, b: a + b,
    "AVERAGE_POOL_2D": _pool(tf.nn.avg_pool2d),
    "CONCATENATION": lambda node, *parts: tf.concat(parts, node.options.axis),
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "GREATER": lambda node, a, b: a > b,
    "L2_NORMALIZATION": lambda node, x: x / tf.maximum(tf.norm(x, axis=-1, keepdims=True), SMALLEST_LENGTH),
    "LOGISTIC": lambda node, x: tf.sigmoid(x),
    "MAX_POOL_2D": _pool(tf.nn.max_pool2d),
    "MAXIMUM": lambda node, a, b: tf.maximum(a, b),
    "MEAN": _mean,
    "MINIMUM": lambda node, a, b: tf.minimum(a, b),
    "MUL": lambda node, a, b: a * b,
    "PAD": lambda node, x, widths: tf.pad(x, widths),
    "RELU": lambda node, x: tf.nn.relu(x),
    "RESHAPE": _reshape,
    "SELECT_V2": lambda node, condition, a, b: tf.where(condition, a, b),
    "SUB": lambda node, a, b: a - b,
    "TANH": lambda node, x: tf.tanh(x),
    "TRANSPOSE": _transpose,
}
_ACTIVATIONS = {
    schema.ActivationFunctionType.NONE: lambda x: x,
    schema.ActivationFunctionType.RELU: tf.nn.relu,
    schema.ActivationFunctionType.RELU_N1_TO_1: lambda x: tf.clip_by_value(x, -1.0, 1.0),
    schema.ActivationFunctionType.RELU6: tf.nn.relu6,
}
