import numpy as np
import pytest

from kws_tf.augment import synthetic_noise


def test_spectra_fall_with_0_3_and_6_db_per_octave():
    recordings = synthetic_noise(16000, 4.0, seed=5)
    assert [recording.dtype for recording in recordings] == [np.int16] * 3 and {len(recording) for recording in recordings} == {64000}
    for recording, slope in zip(recordings, (0, -3.01, -6.02), strict=True):
        assert 20 * np.log10(recording.std() / 32768) == pytest.approx(-30, abs=0.01)
        power = np.abs(np.fft.rfft(recording / 32768)) ** 2
        octaves = [10 * np.log10(power[4 * low:8 * low].mean()) for low in (50, 100, 200, 400, 800, 1600)]
        assert np.diff(octaves).mean() == pytest.approx(slope, abs=0.25)
        assert abs(recording.mean()) < 0.01 * recording.std()


def test_seed_decides():
    first, again, other = (synthetic_noise(8000, 0.1, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
