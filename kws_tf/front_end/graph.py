"""The integer operators that the front end is made of, and the bounds that keep them the same on every runtime."""

import abc
import dataclasses

import numpy as np

from kws_tf.errors import ConversionError
from kws_tf.front_end import fixed_point

# What the optimised Cortex-M kernels can do; the reference kernels can do more.
LARGEST_RATIO = 128
LARGEST_BEFORE_CLAMP = 2**30
LARGEST_SUM = 2**31
# TFLite Micro concatenates at most so many tensors.
MOST_PARTS = 10
RELU6_STEPS = 8192
RELU6_SCALE = 6 / RELU6_STEPS


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An int16 tensor inside a graph, or the int8 tensor that quantise makes of one.

    Args:
        shape: sizes of its axes. scale: real value of one step, rounded to float32 as the file stores it.
        value: what the graph keeps for it: an array in NumpyGraph, a flatbuffer.Tensor in TfliteGraph.
        integers: the values of a constant; None for a computed tensor.
        zero_point: the integer that stands for 0; always 0 for int16.
    """

    shape: tuple
    scale: float
    value: object = dataclasses.field(repr=False)
    integers: np.ndarray | None = dataclasses.field(repr=False, default=None)
    zero_point: int = 0

    def __post_init__(self):
        object.__setattr__(self, "scale", float(np.float32(self.scale)))


class Graph(abc.ABC):
    """A chain of int16 operators, each with the meaning of the TFLite builtin of that name.

    The stages of the front end are written once against this class. TfliteGraph turns them into a flatbuffer, NumpyGraph computes
    them at once; both get the same shapes, scales and constants, and every bound is checked here, before either sees the operator:

    - a scale ratio is below 128 and the rescaled sum below 2**30, because the optimised Cortex-M kernels rescale in 32 bits;
    - the sum of products of a convolution is below 2**31, their accumulator. 516 taps of any int8 weights meet this.

    Attributes:
        stage: prefix of the names of the operators that follow.
        macs: multiply-accumulates of all operators so far.
    """

    def __init__(self):
        self.stage = "front_end"
        self.macs = 0
        self._names = {}

    @abc.abstractmethod
    def apply(self, operator, name, inputs, shape, scale, **options):
        """One operator whose shapes and bounds are checked: returns its output Tensor."""

    @abc.abstractmethod
    def constant(self, values, scale, name):
        """An int16 constant as a Tensor."""

    def _add(self, operator, inputs, shape, scale, name="", **options):
        name = f"{self.stage}/{name or operator.lower()}"
        self._names[name] = count = self._names.get(name, 0) + 1
        return self.apply(operator, name if count == 1 else f"{name}_{count}", inputs, tuple(int(size) for size in shape), scale, **options)

    def reshape(self, x, shape):
        """The same values in another shape."""
        shape = tuple(shape)
        if shape == x.shape:
            return x
        _require(np.prod(shape) == np.prod(x.shape), f"RESHAPE of {x.shape} to {shape}")
        return self._add("RESHAPE", [x], shape, x.scale)

    def transpose(self, x, order):
        """Axis order[i] of x becomes axis i."""
        return self._add("TRANSPOSE", [x], tuple(x.shape[axis] for axis in order), x.scale, order=tuple(order))

    def slice(self, x, begin, end):
        """x[begin[0]:end[0], begin[1]:end[1], ...]."""
        shape = tuple(stop - start for start, stop in zip(begin, end, strict=True))
        return x if shape == x.shape else self._add("STRIDED_SLICE", [x], shape, x.scale, begin=tuple(begin), end=tuple(end))

    def pad_end(self, x, counts):
        """Zeros after the last entry of each axis."""
        if not any(counts):
            return x
        shape = tuple(size + count for size, count in zip(x.shape, counts, strict=True))
        return self._add("PAD", [x], shape, x.scale, counts=tuple(counts))

    def concatenate(self, parts, axis):
        """Tensors of one scale behind each other."""
        while len(parts) > MOST_PARTS:
            parts = [self.concatenate(parts[:MOST_PARTS], axis), *parts[MOST_PARTS:]]
        if len(parts) == 1:
            return parts[0]
        _require(len({part.scale for part in parts}) == 1, "CONCATENATION of different scales")
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        return self._add("CONCATENATION", parts, shape, parts[0].scale, axis=axis)

    def absolute(self, x):
        """|x|; -32768 becomes 32767."""
        return self._add("ABS", [x], x.shape, x.scale)

    def max_pool(self, x, window):
        """Maximum over blocks of window = (height, width) of [batch, height, width, channels]."""
        return self._add("MAX_POOL_2D", [x], _pooled(x.shape, window), x.scale, window=tuple(window))

    def average_pool(self, x, window):
        """Mean over blocks, rounded half away from 0."""
        return self._add("AVERAGE_POOL_2D", [x], _pooled(x.shape, window), x.scale, window=tuple(window))

    def maximum(self, x, y):
        """The larger value, of two tensors of one scale."""
        _require(x.scale == y.scale, "MAXIMUM of different scales")
        return self._add("MAXIMUM", [x, y], np.broadcast_shapes(x.shape, y.shape), x.scale)

    def add(self, x, y):
        """x + y of one scale, saturating."""
        _require(x.scale == y.scale, "ADD of different scales")
        return self._add("ADD", [x, y], np.broadcast_shapes(x.shape, y.shape), x.scale)

    def multiply(self, x, y, scale):
        """x * y, rounded and saturated to steps of scale.

        TFLite computes the scale ratio of MUL in float32 and TFLite Micro in float64: they agree only when it is exact.
        """
        ratio = x.scale * y.scale / scale
        in_float32 = np.float32(x.scale) * np.float32(y.scale) / np.float32(scale)
        _require(float(in_float32) == ratio and ratio < 1, f"MUL with scale ratio {ratio!r}, which must be exact in float32 and below 1")
        return self._add("MUL", [x, y], np.broadcast_shapes(x.shape, y.shape), scale, ratio=ratio)

    def quantise(self, x, scale, zero_point):
        """int16 to int8 of another scale, rounded and saturated."""
        ratio = x.scale / float(np.float32(scale))
        _require(ratio < 1 and -128 <= zero_point <= 127, f"QUANTIZE with scale ratio {ratio:g} and zero point {zero_point}")
        return self._add("QUANTIZE", [x], x.shape, scale, zero_point=zero_point, scales=(x.scale, scale))

    def convolve(self, x, weights, weight_scales, scale, *, bias=None, relu6=False, row_stride=1, name=""):
        """CONV_2D without padding: int8 weights with one scale per output, int64 bias.

        Args:
            x: [batch, height, width, channels]. weights: integers [outputs, height, width, channels] within +-127.
            weight_scales: real value of a weight step, one number or one per output.
            scale: of the output. bias: integers in steps of x.scale * weight_scale, or None.
            relu6: clamps the output to 0 ... 6; the scale must then be RELU6_SCALE.
            row_stride: stride along the height.

        Raises:
            ConversionError: a sum or a scale ratio that the kernels of Cortex-M cannot hold.
        """
        weights = np.asarray(weights)
        outputs, height, width, channels = weights.shape
        _require(channels == x.shape[3] and np.abs(weights).max() <= 127, f"CONV_2D of {x.shape} with weights {weights.shape}")
        weight_scales = np.broadcast_to(np.asarray(weight_scales, np.float32), outputs)
        bias = np.rint(np.broadcast_to(0 if bias is None else bias, outputs)).astype(np.int64)
        ratios = x.scale * weight_scales.astype(np.float64) / float(np.float32(scale))
        sums = np.abs(weights).reshape(outputs, -1).sum(1) * -fixed_point.INT16_MIN
        _check_bounds("CONV_2D", name, sums, sums + np.abs(bias), ratios)
        shape = (x.shape[0], (x.shape[1] - height) // row_stride + 1, x.shape[2] - width + 1, outputs)
        self.macs += int(np.prod(shape)) * height * width * channels
        return self._add("CONV_2D", [x], shape, scale, name, weights=weights.astype(np.int8), weight_scales=weight_scales, bias=bias,
                         ratios=ratios, relu6=relu6, row_stride=row_stride)

    def matrix_product(self, x, y, scale, *, transpose_y=False, name=""):
        """BATCH_MATMUL x @ y (or x @ y^T) over the last two axes; the others broadcast.

        Args:
            x: [..., rows, inner]. y: [..., inner, columns], or [..., columns, inner] with transpose_y.
            scale: of the output.

        Raises:
            ConversionError: a scale ratio that the kernels of Cortex-M cannot hold.
        """
        *y_batch, y_rows, y_columns = y.shape
        inner, columns = (y_columns, y_rows) if transpose_y else (y_rows, y_columns)
        _require(inner == x.shape[-1], f"BATCH_MATMUL of {x.shape} and {y.shape}")
        ratio = float(np.float32(x.scale) * np.float32(y.scale)) / float(np.float32(scale))
        _check_bounds("BATCH_MATMUL", name, 0, _largest_product(x, y, transpose_y), ratio)
        shape = (*np.broadcast_shapes(x.shape[:-2], tuple(y_batch)), x.shape[-2], columns)
        self.macs += int(np.prod(shape)) * inner
        return self._add("BATCH_MATMUL", [x, y], shape, scale, name, transpose_y=transpose_y, ratio=ratio)


def _largest_product(x, y, transpose_y):
    """The greatest |sum of products| that any data can give, using the values of a constant side."""
    for tensor, inner_axis in ((x, -1), (y, -1 if transpose_y else -2)):
        if tensor.integers is not None:
            return np.abs(tensor.integers.astype(np.int64)).sum(inner_axis).max() * -fixed_point.INT16_MIN
    return x.shape[-1] * fixed_point.INT16_MIN**2


def _pooled(shape, window):
    batch, height, width, channels = shape
    _require(height % window[0] == 0 and width % window[1] == 0, f"pooling of {shape} in blocks of {window}")
    return batch, height // window[0], width // window[1], channels


def _check_bounds(operator, name, sums, before_rescale, ratios):
    own = f"{operator} {name!r}"
    _require(np.max(sums) < LARGEST_SUM, f"{own}: a sum of products can reach {np.max(sums):g}; the limit is 2**31")
    _require(np.max(ratios) < LARGEST_RATIO, f"{own}: scale ratio {np.max(ratios):g}; the limit is {LARGEST_RATIO}")
    largest = np.max(before_rescale * ratios)
    _require(largest < LARGEST_BEFORE_CLAMP, f"{own}: a result can reach {largest:g} before it is clamped; the limit is 2**30")


def _require(condition, message):
    if not condition:
        raise ConversionError(f"integer front end: {message}. These feature parameters cannot run on every runtime.")
