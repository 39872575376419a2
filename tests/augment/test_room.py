"""Rooms against numpy.convolve."""

import keras
import numpy as np
import pytest

from kws_tf.augment import Room
from kws_tf.augment.room import fft_size
from kws_tf.errors import ConfigError

CLIP = 300


@pytest.fixture(scope="module")
def responses():
    rng = np.random.default_rng(4)
    return rng.normal(size=(5, 2, 170)) * np.exp(-np.arange(170) / 30)


@pytest.fixture(scope="module")
def sources():
    return np.random.default_rng(5).uniform(-0.5, 0.5, (2, 8, CLIP)).astype(np.float32)


def test_equals_convolution_of_voice_and_noise_each_with_its_own_response(responses, sources):
    voice, noise = sources
    draws = {"room": np.array([0, 1, 2, 3, 4, -1, 2, -1], np.int32)}
    got = np.asarray(Room(0.5, responses, CLIP).apply(voice, noise, draws))
    for clip, room in enumerate(draws["room"]):
        expected = voice[clip] + noise[clip]
        if room >= 0:
            expected = np.convolve(voice[clip], responses[room, 0])[:CLIP] + np.convolve(noise[clip], responses[room, 1])[:CLIP]
        np.testing.assert_allclose(got[clip], expected, atol=3e-6)


def test_without_noise_the_voice_alone(responses, sources):
    draws = {"room": np.full(8, 3, np.int32)}
    got = np.asarray(Room(0.5, responses, CLIP).apply(sources[0], None, draws))
    np.testing.assert_allclose(got[7], np.convolve(sources[0][7], responses[3, 0])[:CLIP], atol=3e-6)


def test_a_response_longer_than_the_clip_does_not_wrap_around(sources):
    late = np.zeros((1, 2, 900))
    late[0, :, [0, 299, 700]] = 1
    got = np.asarray(Room(1.0, late, CLIP).apply(sources[0], None, {"room": np.zeros(8, np.int32)}))
    expected = sources[0].copy()
    expected[:, 299] += sources[0][:, 0]
    np.testing.assert_allclose(got, expected, atol=3e-6)


def test_draws(responses, seeds, as_numpy):
    coin = np.tile(np.float32([0.1, 0.9]), 1000)
    room = as_numpy(Room(0.5, responses, CLIP).draw(keras.ops.convert_to_tensor(coin), seeds))["room"]
    assert (room[1::2] == -1).all() and set(room[::2].tolist()) == {0, 1, 2, 3, 4}
    assert np.bincount(room[::2]).min() > 150


def test_fft_sizes_are_large_enough_and_smooth():
    for size in (1, 7, 1025, 23999, 24001, 31999):
        found = fft_size(size)
        assert size <= found <= 1.1 * size + 1
        for prime in (2, 3, 5):
            while found % prime == 0:
                found //= prime
        assert found == 1


@pytest.mark.parametrize("shape", [(3, 170), (0, 2, 100), (3, 1, 100)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ConfigError, match=r"expected impulse responses \[rooms, 2, samples\].*--rir_dir"):
        Room(0.5, np.zeros(shape), CLIP)
