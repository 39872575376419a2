import numpy as np
import pytest

from kws_tf.augment import NoiseBank
from kws_tf.errors import ConfigError


@pytest.fixture
def bank():
    """Three recordings that hold 1, 2 and 3; the last is shorter than a clip of 5 samples."""
    return NoiseBank([np.full(9, 1, np.int16), np.full(5, 2, np.int16), np.full(2, 3, np.int16)], clip_samples=5)


def test_every_cut_lies_in_one_recording_and_recordings_are_equally_likely(bank, seeds):
    starts = np.asarray(bank.draw(6000, seeds))
    assert starts.dtype == np.int32
    places, counts = np.unique(starts, return_counts=True)
    assert places.tolist() == [0, 1, 2, 3, 4, 9, 14], "all five places of the long recording, the only one of the others"
    np.testing.assert_array_equal(np.asarray(bank.cut(places)) * 32768, np.repeat([[1] * 5, [2] * 5, [3] * 5], [5, 1, 1], axis=0))
    np.testing.assert_allclose(counts, [400] * 5 + [2000] * 2, rtol=0.12)


def test_short_recording_is_repeated():
    bank = NoiseBank([np.array([1, -2], np.int16)], clip_samples=5)
    np.testing.assert_array_equal(np.asarray(bank.cut(np.array([0], np.int32))) * 32768, [[1, -2, 1, -2, 1]])


def test_cut_scales_to_unit_range():
    bank = NoiseBank([np.array([-32768, 32767, 16384], np.int16)], clip_samples=2)
    np.testing.assert_array_equal(bank.cut(np.array([0, 1], np.int32)), [[-1, 32767 / 32768], [32767 / 32768, 0.5]])


@pytest.mark.parametrize(("recordings", "message"), [
    ([], "received none. Check --noise_dir"),
    ([np.zeros(5, np.int16), np.zeros(5, np.float32)], r"recording 1 is float32 \(5,\)"),
    ([np.zeros((2, 5), np.int16)], r"recording 0 is int16 \(2, 5\)"),
    ([np.zeros(0, np.int16)], r"at least one sample; recording 0 is int16 \(0,\)"),
])
def test_unusable_recordings_are_refused(recordings, message):
    with pytest.raises(ConfigError, match=f"^NoiseBank: .*{message}"):
        NoiseBank(recordings, 4)


def test_more_noise_than_int32_can_address_is_refused():
    endless = np.broadcast_to(np.int16(1), (2**31,))
    with pytest.raises(ConfigError, match="at most 2.31 samples"):
        NoiseBank([endless], 4)
