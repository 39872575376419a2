import dataclasses

import keras
import numpy as np
import pytest

from kws_tf.augment import BackgroundNoise, NoiseBank
from kws_tf.config import AugmentConfig
from kws_tf.errors import ConfigError

LOUD = AugmentConfig(noise_amplitude=(0.05, 0.1), silence_amplitude=(0.2, 0.8), noise_snr_db=(-5.0, 20.0))
SNR = dataclasses.replace(LOUD, noise_mode="snr")


@pytest.fixture
def bank():
    return NoiseBank([np.array([16384, -16384, 8192, -8192], np.int16)], clip_samples=2)


def test_adds_each_clip_its_own_cut_at_its_own_amplitude(bank):
    pcm = np.array([[0.5, 0.25], [0.1, 0.2], [0.5, 0.25]], np.float32)
    draws = {"noise_start": np.array([0, 1, 2], np.int32), "noise_amplitude": np.array([1, 0, 0.4], np.float32)}
    np.testing.assert_allclose(BackgroundNoise(LOUD, bank, 1.0).apply(pcm, draws), [[1.0, -0.25], [0.1, 0.2], [0.6, 0.15]], rtol=1e-6)


def test_signal_to_noise_ratio_is_met_and_padding_does_not_count(bank):
    pcm = np.array([[0.3, -0.3], [0.3, 0.0], [0.0, 0.0], [0.3, -0.3]], np.float32)
    draws = {"noise_start": np.array([0, 2, 0, 0], np.int32), "noise_amplitude": np.zeros(4, np.float32),
             "noise_snr_db": np.array([20, 0, 0, np.inf], np.float32)}
    got = np.asarray(BackgroundNoise(SNR, bank, 1.0).apply(pcm, draws))
    np.testing.assert_allclose(got, [[0.33, -0.33], [0.6, -0.3], [0, 0], [0.3, -0.3]], rtol=1e-5)


@pytest.mark.parametrize("mode", ["amplitude", "snr"])
def test_silent_noise_stays_silent(mode):
    augment = dataclasses.replace(LOUD, noise_mode=mode)
    noise = BackgroundNoise(augment, NoiseBank([np.zeros(8, np.int16)], 4), 1.0)
    draws = noise.draw(keras.ops.zeros(3), None, keras.random.SeedGenerator(1))
    np.testing.assert_array_equal(noise.apply(np.full((3, 4), 0.5, np.float32), draws), np.full((3, 4), 0.5))


def test_amplitudes_drawn(bank, seeds, as_numpy):
    coin = keras.ops.convert_to_tensor(np.tile(np.float32([0.1, 0.9]), 1500))
    labels = np.repeat(np.int32([0, 1, 2]), 1000)
    draws = as_numpy(BackgroundNoise(LOUD, bank, 0.5, silence_index=2).draw(coin, labels, seeds))
    assert sorted(draws) == ["noise_amplitude", "noise_start"]
    amplitude = draws["noise_amplitude"]
    chosen, left, silent = amplitude[:2000:2], amplitude[1:2000:2], amplitude[2000:]
    assert (left == 0).all()
    for values, low, high in ((chosen, 0.05, 0.1), (silent, 0.2, 0.8)):
        assert low <= values.min() < low + 0.01 * (high - low) and high - 0.01 * (high - low) < values.max() < high
        assert values.mean() == pytest.approx((low + high) / 2, rel=0.03) and len(set(values.tolist())) > 990
    assert set(draws["noise_start"].tolist()) == {0, 1, 2}


def test_ratios_drawn(bank, seeds, as_numpy):
    coin = keras.ops.convert_to_tensor(np.tile(np.float32([0.1, 0.9]), 1500))
    labels = np.repeat(np.int32([0, 1, 2]), 1000)
    draws = as_numpy(BackgroundNoise(SNR, bank, 0.5, silence_index=2).draw(coin, labels, seeds))
    ratio, amplitude = draws["noise_snr_db"], draws["noise_amplitude"]
    assert -5 <= ratio[:2000:2].min() < -4.7 and 19.7 < ratio[:2000:2].max() < 20
    assert np.isposinf(ratio[1:2000:2]).all() and np.isposinf(ratio[2000:]).all()
    assert (amplitude[:2000] == 0).all() and amplitude[2000:].min() >= 0.2


def test_silence_class_needs_labels(bank, seeds):
    with pytest.raises(ConfigError, match="labels are needed to find the clips of the silence class"):
        BackgroundNoise(LOUD, bank, 0.5, silence_index=0).draw(keras.ops.zeros(3), None, seeds)
