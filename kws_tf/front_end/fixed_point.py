"""Fixed-point arithmetic exactly as the integer kernels of TFLite do it, in numpy."""

import math

import numpy as np

INT16_MAX = 32767
INT16_MIN = -32768


def quantise_multiplier(real):
    """A positive real factor as q * 2**(shift - 31) with a 31-bit q, the form in which TFLite kernels hold their scale ratios.

    Args:
        real: the factor, above 0.

    Returns:
        (q, shift), q between 2**30 and 2**31 - 1.

    Example:
        >>> quantise_multiplier(0.75)
        (1610612736, 0)
    """
    fraction, shift = math.frexp(real)
    q = math.floor(fraction * 2**31 + 0.5)
    if q == 2**31:
        q, shift = 2**30, shift + 1
    return q, shift


def short_ratio(real):
    """The scale ratio of CONV_2D with 64-bit bias and of BATCH_MATMUL for int16: the upper 16 bits of quantise_multiplier.

    Args:
        real: float, or several.

    Returns:
        float64 of the shape of real, m * 2**-s with m below 2**15. The kernels' result, rounded once and half up, is
        floor(sum * ratio + 1/2): exact in float64 for sums below 2**37.
    """
    pairs = [quantise_multiplier(value) for value in np.atleast_1d(real).tolist()]
    # the kernels saturate where the rounding to 16 bits would carry into the 17th
    short = [math.ldexp((q + 2**15) >> 16 if q < 0x7FFF0000 else 0x7FFF, shift - 15) for q, shift in pairs]
    return np.array(short).reshape(np.shape(real))


def floor_int16(values, low=INT16_MIN, high=INT16_MAX):
    """Real values rounded down and saturated, as int16. The array is overwritten.

    Args:
        values: float64. low, high: integers.
    """
    np.clip(np.floor(values, out=values), low, high, out=values)
    return values.astype(np.int16)


def rescale_narrow(accumulator, real):
    """Scales 32-bit accumulators as MUL does for int16: a doubling high product rounded half up, then a shift rounded half away from 0.

    Args:
        accumulator: integers that fit 32 bits, not -2**31 ... 2**31 - 1 themselves. real: factor below 1.

    Returns:
        integers, not yet clamped.
    """
    q, shift = quantise_multiplier(real)
    # a power of two needs no 64 bits
    high = (accumulator + 1) >> 1 if q == 2**30 else (accumulator.astype(np.int64) * q + 2**30) >> 31
    if shift == 0:
        return high
    sign = high >> (8 * high.itemsize - 1)
    high += sign + ((1 << -shift) >> 1)
    return high >> -shift


def quantise_int8(steps, scale, new_scale, zero_point):
    """int16 of one scale as int8 of another, as QUANTIZE does it.

    Args:
        steps: int16 array. scale, new_scale: real value of a step before and after, scale < new_scale.
        zero_point: int8 value of 0.

    Returns:
        int8 array.
    """
    ratio = float(np.float32(scale)) / float(np.float32(new_scale))
    return np.clip(rescale_narrow(np.asarray(steps, np.int64), ratio) + zero_point, -128, 127).astype(np.int8)


def clamp_int16(values, low=INT16_MIN, high=INT16_MAX):
    """Saturates to int16."""
    return np.clip(values, low, high).astype(np.int16)


def quantise_rows(rows, largest=127):
    """Each row of a matrix as small integers times a scale of its own, the scale that leaves the smallest squared error.

    A plain division by the row's maximum wastes up to half a step on every other weight; a row of two or three weights, such as a
    narrow mel band, gains most from the search.

    Args:
        rows: float [outputs, inputs]. largest: greatest integer magnitude, 127 for int8.

    Returns:
        (integers [outputs, inputs] as int64, scales float32 [outputs]); a row of zeros has scale 1.
    """
    integers, scales = np.zeros(rows.shape, np.int64), np.ones(len(rows), np.float32)
    for index, row in enumerate(rows):
        peak = np.abs(row).max()
        if peak == 0:
            continue
        used = row[row != 0]
        candidates = (peak / np.linspace(largest / 2, largest, 256)).astype(np.float32)
        error = np.square(np.rint(used / candidates[:, None]) * candidates[:, None] - used).sum(1)
        scales[index] = candidates[np.argmin(error)]
        integers[index] = np.clip(np.rint(row / scales[index]), -largest, largest)
    return integers, scales


def quantise_int16(matrix):
    """A constant as int16 with one scale; the largest magnitude becomes 32767.

    Returns:
        (int16 array, scale).
    """
    scale = float(np.float32(np.abs(matrix).max() / INT16_MAX))
    return np.clip(np.rint(matrix / scale), -INT16_MAX, INT16_MAX).astype(np.int16), scale
