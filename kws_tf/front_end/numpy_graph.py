"""The integer operators in numpy: the twin of the TFLite kernels, bit for bit."""

import numpy as np

from kws_tf.front_end import fixed_point
from kws_tf.front_end.graph import RELU6_STEPS, Graph, Tensor


class NumpyGraph(Graph):
    """Computes every operator the moment it is added.

    Args:
        keep: remember every result in `results`.

    Attributes:
        results: name of the operator -> its output array, in order; empty without keep.

    Example:
        graph = NumpyGraph()
        y = graph.absolute(graph.input(np.array([[-3, 4]], np.int16), 1.0))
        y.value                                                      # [[3, 4]], int16
    """

    def __init__(self, keep=False):
        super().__init__()
        self._keep = keep
        self.results = {}

    def input(self, values, scale):
        """An int16 array as a Tensor."""
        return Tensor(values.shape, scale, values)

    def constant(self, values, scale, name):
        values = np.asarray(values).astype(np.int16)
        return Tensor(values.shape, scale, values, values)

    def apply(self, operator, name, inputs, shape, scale, **options):
        result = _KERNELS[operator](*(tensor.value for tensor in inputs), shape=shape, **options)
        if self._keep:
            self.results[name] = result
        return Tensor(shape, scale, result, zero_point=options.get("zero_point", 0))


def _convolve(x, *, shape, weights, weight_scales, bias, ratios, relu6, row_stride):  # noqa: ARG001 - ratios hold the scales
    outputs, height, width, channels = weights.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(1, 2))[:, ::row_stride]
    # [batch, y, x, channels, height, width] -> the order of the weights
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, height * width * channels)
    # float64 holds these sums exactly (below 2**31) and is the type that BLAS multiplies
    sums = columns.astype(np.float64) @ weights.reshape(outputs, -1).T.astype(np.float64)
    result = fixed_point.rescale_wide(sums.astype(np.int64) + bias, ratios)
    low, high = (0, RELU6_STEPS) if relu6 else (fixed_point.INT16_MIN, fixed_point.INT16_MAX)
    return fixed_point.clamp_int16(result, low, high).reshape(shape)


def _matrix_product(x, y, *, shape, transpose_y, ratio):
    y = y.astype(np.float64)
    sums = x.astype(np.float64) @ (np.swapaxes(y, -1, -2) if transpose_y else y)
    return fixed_point.clamp_int16(fixed_point.rescale_wide(sums.astype(np.int64), ratio))


def _multiply(x, y, *, shape, ratio):
    return fixed_point.clamp_int16(fixed_point.rescale_narrow(x.astype(np.int64) * y, ratio))


def _blocks(x, shape, window):
    batch, height, width, channels = shape
    return x.reshape(batch, height, window[0], width, window[1], channels)


def _average_pool(x, *, shape, window):
    count = window[0] * window[1]
    sums = _blocks(x, shape, window).sum((2, 4), dtype=np.int64)
    return (np.sign(sums) * ((np.abs(sums) + count // 2) // count)).astype(np.int16)


_KERNELS = {
    "RESHAPE": lambda x, shape: x.reshape(shape),
    "TRANSPOSE": lambda x, shape, order: np.ascontiguousarray(x.transpose(order)),
    "STRIDED_SLICE": lambda x, shape, begin, end: x[tuple(slice(*limits) for limits in zip(begin, end, strict=True))],
    "PAD": lambda x, shape, counts: np.pad(x, [(0, count) for count in counts]),
    "CONCATENATION": lambda *parts, shape, axis: np.concatenate(parts, axis),
    "ABS": lambda x, shape: np.abs(x.astype(np.int32)).clip(max=fixed_point.INT16_MAX).astype(np.int16),
    "MAX_POOL_2D": lambda x, shape, window: _blocks(x, shape, window).max((2, 4)),
    "AVERAGE_POOL_2D": _average_pool,
    "MAXIMUM": lambda x, y, shape: np.maximum(x, y),
    "ADD": lambda x, y, shape: fixed_point.clamp_int16(x.astype(np.int32) + y),
    "MUL": _multiply,
    "CONV_2D": _convolve,
    "BATCH_MATMUL": _matrix_product,
    "QUANTIZE": lambda x, shape, scales, zero_point: fixed_point.quantise_int8(x, *scales, zero_point),
}
