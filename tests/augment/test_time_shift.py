import keras
import numpy as np
import pytest

from kws_tf.augment import TimeShift
from kws_tf.errors import ConfigError


def test_moves_each_clip_by_its_own_shift_and_fills_with_zeros():
    pcm = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [1, 2, 3, 4], [5, 6, 7, 8]], np.float32)
    shift = np.array([2, -1, 0, 3], np.int32)
    got = TimeShift(1.0, 3, 4).apply(pcm, {"shift_samples": shift})
    np.testing.assert_array_equal(got, [[0, 0, 1, 2], [6, 7, 8, 0], [1, 2, 3, 4], [0, 0, 0, 5]])


def test_draws_are_uniform_over_the_whole_range(seeds, as_numpy):
    coin = np.repeat(np.float32([0.2, 0.5]), 4000)
    shift = as_numpy(TimeShift(0.5, 2, 100).draw(keras.ops.convert_to_tensor(coin), seeds))["shift_samples"]
    assert shift.dtype == np.int32
    assert (shift[4000:] == 0).all(), "a coin that is not below prob must leave the clip where it is"
    counts = np.bincount(shift[:4000] + 2)
    assert counts.size == 5 and counts.min() > 0.9 * 800 and counts.max() < 1.1 * 800


def test_shift_as_long_as_the_clip_is_refused():
    TimeShift(1.0, 99, 100)
    with pytest.raises(ConfigError, match="100 samples moves a clip of 100 samples out of sight; use a smaller --shift_ms"):
        TimeShift(1.0, 100, 100)
