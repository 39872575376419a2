"""The microphone's response and limits, measured with tones and noise."""

import keras
import numpy as np
import pytest

from kws_tf.augment import Microphone

RATE, CLIP = 16000, 8000


def draws(highpass=100.0, lowpass=6000.0, tilt=0.0, clip=2.0, n=1):
    return {"mic_highpass_hz": np.full(n, highpass, np.float32), "mic_lowpass_hz": np.full(n, lowpass, np.float32),
            "mic_tilt_db": np.full(n, tilt, np.float32), "mic_clip": np.full(n, clip, np.float32)}


def gain_db(hz, **settings):
    """Of a tone with a whole number of periods in the clip."""
    tone = 0.3 * np.sin(2 * np.pi * hz / RATE * np.arange(CLIP)).astype(np.float32)[None]
    heard = np.asarray(Microphone(1.0, RATE, CLIP).apply(tone, draws(**settings)))
    return 10 * np.log10(np.mean(heard**2) / np.mean(tone**2))


@pytest.mark.parametrize(("hz", "settings", "expected"), [
    (100, {}, -3.01), (50, {}, -10 * np.log10(17)), (1000, {}, 0.0), (6000, {}, -3.01), (7600, {}, -10 * np.log10(1 + (7600 / 6000) ** 8)),
    (2000, {"tilt": 2.0, "highpass": 20.0, "lowpass": 12000.0}, 2.0), (500, {"tilt": 2.0, "highpass": 20.0, "lowpass": 12000.0}, -2.0),
])
def test_the_response_is_butterworth_times_tilt(hz, settings, expected):
    assert gain_db(hz, **settings) == pytest.approx(expected, abs=0.05)


def test_clipping_is_a_share_of_the_largest_sample():
    noise = np.random.default_rng(1).normal(size=(2, CLIP)).astype(np.float32) * np.float32([[0.1], [0.01]])
    free = np.asarray(Microphone(1.0, RATE, CLIP).apply(noise, draws(n=2)))
    clipped = np.asarray(Microphone(1.0, RATE, CLIP).apply(noise, draws(clip=0.5, n=2)))
    limit = 0.5 * np.abs(free).max(axis=1, keepdims=True)
    np.testing.assert_allclose(clipped, np.clip(free, -limit, limit), atol=1e-6)
    assert (np.abs(free) > limit).mean() > 0.02


def test_clips_that_are_not_chosen_stay_as_they_are_and_draws_differ(seeds, as_numpy):
    microphone = Microphone(0.5, RATE, CLIP)
    drawn = as_numpy(microphone.draw(keras.ops.convert_to_tensor(np.tile(np.float32([0.1, 0.9]), 200)), seeds))
    assert (drawn["mic_highpass_hz"][1::2] == 0).all() and (drawn["mic_highpass_hz"][::2] >= 20).all()
    for values in drawn.values():
        assert len(set(values[::2].tolist())) > 190
    assert 0.3 < (drawn["mic_clip"] > 1).mean() < 0.7
    pcm = np.random.default_rng(2).uniform(-0.5, 0.5, (400, CLIP)).astype(np.float32)
    got = np.asarray(microphone.apply(pcm, drawn))
    np.testing.assert_array_equal(got[1::2], pcm[1::2])
    assert np.isfinite(got).all() and (np.abs(got - pcm)[::2].max(axis=1) > 0.01).all()


def test_an_uneven_response_goes_straight_from_octave_to_octave():
    microphone = Microphone(1.0, RATE, CLIP, uneven_db=6.0)
    levels = np.float32([[0, 0, 0, 6, -6, 3, 0, 0]])                         # at 62.5, 125, 250, 500, 1000, 2000, 4000, 8000 Hz
    for hz, expected in ((250, 0.0), (500, 6.0), (1000, -6.0), (2000, 3.0), (1414, -1.5), (354, 3.0)):
        tone = 0.3 * np.sin(2 * np.pi * hz / RATE * np.arange(CLIP)).astype(np.float32)[None]
        heard = np.asarray(microphone.apply(tone, {**draws(highpass=20.0, lowpass=12000.0), "mic_uneven_db": levels}))
        assert 10 * np.log10(np.mean(heard**2) / np.mean(tone**2)) == pytest.approx(expected, abs=0.15)


def test_the_uneven_levels_are_drawn_for_every_clip(seeds, as_numpy):
    drawn = as_numpy(Microphone(0.5, RATE, CLIP, uneven_db=6.0).draw(keras.ops.zeros(300), seeds))["mic_uneven_db"]
    assert drawn.shape == (300, 8) and len(np.unique(drawn)) > 2300 and 5.9 < drawn.max() < 6 and -6 < drawn.min() < -5.9
    assert "mic_uneven_db" not in Microphone(0.5, RATE, CLIP).draw(keras.ops.zeros(3), seeds)
