"""Playing faster and slower, against numpy.interp and by the pitch of a tone."""

import keras
import numpy as np
import pytest

from kws_tf.augment import TapeSpeed, WaveformAugment
from kws_tf.config import AugmentConfig
from kws_tf.errors import ConfigError

CLIP = 1000


@pytest.mark.parametrize("speed", [0.8, 0.97, 1.0, 1.13, 1.5])
def test_equals_interpolation_around_the_middle(speed):
    pcm = np.random.default_rng(1).uniform(-0.5, 0.5, (3, CLIP)).astype(np.float32)
    got = np.asarray(TapeSpeed(1.0, (0.5, 2), CLIP).apply(pcm, {"tape_speed": np.full(3, speed, np.float32)}))
    middle = (CLIP - 1) / 2
    place = (np.arange(CLIP) - middle) * speed + middle
    grid, padded = np.arange(-1, CLIP + 1), np.pad(pcm, [(0, 0), (1, 1)])
    expected = np.stack([np.interp(place, grid, clip, left=0, right=0) for clip in padded])
    np.testing.assert_allclose(got, expected, atol=2e-4)
    if speed == 1.0:
        np.testing.assert_array_equal(got, pcm)


def test_a_tone_rises_with_the_speed():
    tone = np.sin(2 * np.pi * 50 / CLIP * np.arange(CLIP)).astype(np.float32)[None]
    got = np.asarray(TapeSpeed(1.0, (0.5, 2), CLIP).apply(tone, {"tape_speed": np.array([0.8], np.float32)}))
    assert np.argmax(np.abs(np.fft.rfft(got[0]))) == 40


def test_draws(seeds, as_numpy):
    coin = keras.ops.convert_to_tensor(np.tile(np.float32([0.1, 0.9]), 1000))
    speed = as_numpy(TapeSpeed(0.5, (0.9, 1.2), CLIP).draw(coin, seeds))["tape_speed"]
    assert (speed[1::2] == 1).all() and len(set(speed[::2].tolist())) > 950
    assert 0.9 <= speed[::2].min() < 0.91 and 1.19 < speed[::2].max() < 1.2


def test_it_comes_before_the_shift_and_takes_its_part_in_the_chain(as_numpy):
    pcm = np.random.default_rng(2).uniform(-0.5, 0.5, (16, CLIP)).astype(np.float32)
    waveform = WaveformAugment(AugmentConfig(tape_prob=0.6, tape_speed=(0.8, 1.2), shift_prob=1.0, shift_ms=50.0), 1000, CLIP)
    draws = as_numpy(waveform.draw(16, None, keras.random.SeedGenerator(4)))
    assert 4 < (draws["tape_speed"] != 1).sum() < 16
    expected = waveform.shift.apply(waveform.tape.apply(pcm, draws), draws)
    np.testing.assert_array_equal(waveform.apply(pcm, draws), expected)


@pytest.mark.parametrize("speed", [(0.4, 1.0), (1.0, 2.1), (1.2, 1.1)])
def test_impossible_speeds_are_refused(speed):
    with pytest.raises(ConfigError, match="tape_speed"):
        AugmentConfig(tape_speed=speed)
