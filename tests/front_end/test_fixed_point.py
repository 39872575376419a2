import numpy as np
import pytest

from kws_tf.front_end import fixed_point


@pytest.mark.parametrize(("real", "expected"),
                         [(0.75, (1610612736, 0)), (1.0, (2**30, 1)), (6.0, (1610612736, 3)), (2.0**-12, (2**30, -11))])
def test_a_multiplier_is_31_bits_and_a_shift(real, expected):
    q, shift = fixed_point.quantise_multiplier(real)
    assert (q, shift) == expected
    assert q * 2.0 ** (shift - 31) == real


def test_a_multiplier_that_rounds_up_to_the_next_power_of_two_stays_in_31_bits():
    assert fixed_point.quantise_multiplier(1 - 2.0**-33) == (2**30, 1)


def test_a_short_ratio_keeps_16_bits_of_the_factor():
    # 1/3 is 0x55555555 / 2**32; the upper 16 bits are 0x5555 / 2**16
    assert fixed_point.short_ratio(1 / 3) == 0x5555 / 2**16
    assert fixed_point.short_ratio([0.5, 0.25]).tolist() == [0.5, 0.25]


def test_a_short_ratio_that_would_round_up_to_17_bits_saturates():
    assert fixed_point.short_ratio(1 - 2.0**-20) == 0x7FFF / 2**15


def test_rounding_down_saturates():
    assert fixed_point.floor_int16(np.array([-1.5, -0.25, 0.75, 40000.0, -40000.0])).tolist() == [-2, -1, 0, 32767, -32768]
    assert fixed_point.floor_int16(np.array([-1.5, 9.5]), 0, 8).tolist() == [0, 8]


def gemmlowp(value, q, shift):
    """SaturatingRoundingDoublingHighMul and RoundingDivideByPOT, word for word, on Python integers."""
    product = value * q
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    high = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)             # C++ divides towards 0
    exponent = -shift
    mask = (1 << exponent) - 1
    remainder, threshold = high & mask, (mask >> 1) + (1 if high < 0 else 0)
    return (high >> exponent) + (1 if remainder > threshold else 0)


@pytest.mark.parametrize("real", [0.5, 2.0**-15, 0.0097656, 0.3, 0.9999])
def test_narrow_rescaling_is_that_of_gemmlowp(real):
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.integers(-(2**30), 2**30, 2000), np.arange(-40, 40), rng.integers(-(2**16), 2**16, 2000)])
    q, shift = fixed_point.quantise_multiplier(real)
    expected = [gemmlowp(value, q, shift) for value in values.tolist()]
    assert fixed_point.rescale_narrow(values, real).tolist() == expected
    assert fixed_point.rescale_narrow(values.astype(np.int32), real).tolist() == expected


def test_rows_get_the_scale_with_the_smallest_error():
    rows = np.array([[0.0, 0.7, 0.62, 0.0], [0.1, 1.0, 0.33, 0.05], [0.0, 0.0, 0.0, 0.0]])
    integers, scales = fixed_point.quantise_rows(rows)
    assert np.abs(integers).max() <= 127
    assert integers[2].tolist() == [0, 0, 0, 0] and scales[2] == 1
    plain_scale = np.abs(rows[:2]).max(1, keepdims=True) / 127
    plain = np.abs(np.rint(rows[:2] / plain_scale) * plain_scale - rows[:2])
    searched = np.abs(integers[:2] * scales[:2, None] - rows[:2])
    assert (np.square(searched).sum(1) <= np.square(plain).sum(1)).all()
    assert searched.max() < 0.5 * scales[:2].max() * 1.001


def test_int16_constants_use_the_whole_range():
    integers, scale = fixed_point.quantise_int16(np.array([[0.5, -2.0]]))
    assert integers.tolist() == [[8192, -32767]]
    assert scale == pytest.approx(2 / 32767)
