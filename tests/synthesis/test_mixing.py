"""Trimming, placing and mixing on signals small enough to check by hand."""

import numpy as np
import pytest

from kws_tf.errors import AudioError
from kws_tf.synthesis import mixing


def test_trim_keeps_what_is_audible_and_the_margin():
    speech = np.concatenate([np.zeros(500), 0.001 * np.ones(100), np.ones(50), 0.004 * np.ones(50), np.zeros(300)])
    assert len(mixing.trim(speech, 1000, floor_db=-50, margin_ms=0)) == 100
    np.testing.assert_array_equal(mixing.trim(speech, 1000, floor_db=-50, margin_ms=20), speech[580:720])
    np.testing.assert_array_equal(mixing.trim(speech, 1000, floor_db=-40, margin_ms=0), np.ones(50))
    np.testing.assert_array_equal(mixing.trim(speech, 1000, margin_ms=10_000), speech)


def test_trim_refuses_silence():
    with pytest.raises(AudioError, match="silent"):
        mixing.trim(np.zeros(10), 1000)


@pytest.mark.parametrize(("position", "expected"), [(0, [1, 2, 0, 0, 0, 0]), (0.5, [0, 0, 1, 2, 0, 0]), (1, [0, 0, 0, 0, 1, 2])])
def test_place(position, expected):
    np.testing.assert_array_equal(mixing.place(np.array([1.0, 2.0]), 6, position), expected)


def test_place_never_cuts():
    with pytest.raises(AudioError, match="7 samples does not fit into a clip of 6"):
        mixing.place(np.ones(7), 6, 0.5)


def test_the_ratio_counts_the_spoken_part_only():
    speech = np.array([0, 0, 2, -2, 0, 2, 0, 0.0])
    mixed = mixing.add_noise(speech, np.array([1, -1, 1, -1, 1, -1, 1, -1.0]), snr_db=0)
    # Power of [2, -2, 0, 2] is 3, of the noise 1: the gain is sqrt(3).
    np.testing.assert_allclose(mixed - speech, np.sqrt(3) * np.array([1, -1, 1, -1, 1, -1, 1, -1]))
    quieter = mixing.add_noise(speech, np.ones(8), snr_db=20)
    np.testing.assert_allclose(quieter - speech, np.sqrt(3) / 10)


def test_pcm_has_the_asked_peak():
    np.testing.assert_array_equal(mixing.to_pcm(np.array([0.5, -0.25, 0.1]), 0.0), np.array([32767, -16384, 6553], np.int16))
    assert np.abs(mixing.to_pcm(np.array([9.0, -3.0]), -20.0)).max() == 3277
    assert mixing.to_pcm(np.array([-5.0, 1.0]), 0.0).dtype == np.int16


def test_an_offset_is_taken_away_and_speech_stays():
    rate = 16000
    time = np.arange(rate) / rate
    speech = np.sin(2 * np.pi * 200 * time)
    clean = mixing.block_offset(speech + 0.3, rate)
    assert abs(clean[rate // 2:].mean()) < 1e-3
    assert np.std(clean[rate // 2:]) == pytest.approx(np.std(speech), rel=0.01)
    low = mixing.block_offset(np.sin(2 * np.pi * 20 * time), rate)[rate // 2:]
    assert 20 * np.log10(np.std(low) * np.sqrt(2)) == pytest.approx(-3.01, abs=0.1)
