"""The integer operators in numpy: the twin of the TFLite kernels, bit for bit.

Products of matrices are float64, by BLAS, with the scale ratio folded into the constant side. That is exact: kernels hold the ratio as
m * 2**-s with an m of 16 bits and sums in 32 bits, so every product and every sum is a multiple of 2**-s below 2**47 * 2**-s, in any order.
"""

import functools

import numpy as np

from kws_tf.front_end import fixed_point
from kws_tf.front_end.graph import RELU6_STEPS


def bind(operator, inputs, shape, **options):
    """An operator, with all that does not depend on its data computed beforehand.

    Args:
        operator: builtin name. inputs: Tensors. shape: of the output. options: see Graph.apply.

    Returns:
        function of the int16 arrays of the inputs -> the array of the output.
    """
    if operator in _PREPARED:
        return _PREPARED[operator](inputs, shape, **options)
    return functools.partial(_PLAIN[operator], shape=shape, **options)


def _convolution(inputs, shape, *, weights, weight_scales, bias, ratios, relu6, row_stride):  # noqa: ARG001 - ratios hold the scales
    outputs, height, width, channels = weights.shape
    factors = fixed_point.short_ratio(ratios)
    matrix = weights.reshape(outputs, -1).T * factors
    half_up = bias * factors + 0.5
    limits = (0, RELU6_STEPS) if relu6 else (fixed_point.INT16_MIN, fixed_point.INT16_MAX)
    whole = (height, width) in ((1, 1), tuple(inputs[0].shape[1:3])) and row_stride == 1

    def convolve(x):
        columns = x
        if not whole:
            windows = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(1, 2))[:, ::row_stride]
            # [batch, y, x, channels, height, width] -> the order of the weights
            columns = windows.transpose(0, 1, 2, 4, 5, 3)
        sums = columns.astype(np.float64, order="C").reshape(-1, len(matrix)) @ matrix
        sums += half_up
        return fixed_point.floor_int16(sums, *limits).reshape(shape)

    return convolve


def _matrix_product(inputs, shape, *, transpose_y, ratio):
    x, y = inputs
    factor = fixed_point.short_ratio(ratio)
    four = len(x.shape) == len(y.shape) == 4

    def turned(values):
        return np.swapaxes(values, -1, -2) if transpose_y else values

    def rows(values):
        return values.astype(np.float64, order="C")

    def finished(sums):
        sums += 0.5
        return fixed_point.floor_int16(sums)

    if four and x.integers is not None and x.shape[0] == y.shape[1] == 1:
        # the columns of all frames as rows of one product
        right = np.ascontiguousarray((x.integers * factor).reshape(-1, x.shape[3]).T)
        return lambda _, y: finished(rows(turned(y[:, 0]).transpose(0, 2, 1)) @ right).transpose(0, 2, 1).reshape(shape)
    if four and y.integers is not None and y.shape[0] == x.shape[2] == 1 and x.shape[1] == y.shape[1]:
        # the frames as rows of one product for each matrix of the constant side
        right = turned(y.integers[0]) * factor
        return lambda x, _: finished(rows(x[:, :, 0].transpose(1, 0, 2)) @ right).transpose(1, 0, 2).reshape(shape)
    return lambda x, y: finished((x * factor) @ turned(y))


def _multiply(x, y, *, shape, ratio):  # noqa: ARG001 - follows from the arrays
    return fixed_point.clamp_int16(fixed_point.rescale_narrow(x.astype(np.int32) * y, ratio))


def _entries(x, shape, window):
    """[batch, height, width, channels] for every place in a block: numpy folds these quicker than it reduces short axes."""
    batch, height, width, channels = shape
    blocks = x.reshape(batch, height, window[0], width, window[1], channels)
    return [blocks[:, :, row, :, column] for row in range(window[0]) for column in range(window[1])]


def _max_pool(x, *, shape, window):
    return functools.reduce(np.maximum, _entries(x, shape, window))


def _average_pool(x, *, shape, window):
    count = window[0] * window[1]
    sums = sum(_entries(x.astype(np.int32), shape, window))
    return (np.sign(sums) * ((np.abs(sums) + count // 2) // count)).astype(np.int16)


_PREPARED = {"CONV_2D": _convolution, "BATCH_MATMUL": _matrix_product}
_PLAIN = {
    "RESHAPE": lambda x, shape: x.reshape(shape),
    "TRANSPOSE": lambda x, shape, order: np.ascontiguousarray(x.transpose(order)),
    "STRIDED_SLICE": lambda x, shape, begin, end: x[tuple(slice(*limits) for limits in zip(begin, end, strict=True))],
    "PAD": lambda x, shape, counts: np.pad(x, [(0, count) for count in counts]),
    "CONCATENATION": lambda *parts, shape, axis: np.concatenate(parts, axis),
    "ABS": lambda x, shape: np.abs(x.astype(np.int32)).clip(max=fixed_point.INT16_MAX).astype(np.int16),
    "MAX_POOL_2D": _max_pool,
    "AVERAGE_POOL_2D": _average_pool,
    "MAXIMUM": lambda x, y, shape: np.maximum(x, y),
    "ADD": lambda x, y, shape: fixed_point.clamp_int16(x.astype(np.int32) + y),
    "MUL": _multiply,
    "QUANTIZE": lambda x, shape, scales, zero_point: fixed_point.quantise_int8(x, *scales, zero_point),
}
