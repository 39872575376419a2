import math

import keras
import numpy as np
import pytest

from kws_tf.augment import WhiteNoise


@pytest.mark.parametrize("dbfs", [-46.0, -20.0])
def test_noise_has_the_level_and_is_white(dbfs):
    change = WhiteNoise(1.0, (-90.0, -46.0), 16000, 16000)
    draws = {"white_noise_start": np.array([0, 5000], np.int32), "white_noise_dbfs": np.array([dbfs, -math.inf], np.float32)}
    clip = np.full((2, 16000), 0.25, np.float32)
    noisy, untouched = np.array(change.apply(clip, draws))
    np.testing.assert_array_equal(untouched, clip[1])
    noise = noisy - 0.25
    assert 20 * np.log10(np.sqrt(np.mean(noise**2))) == pytest.approx(dbfs, abs=0.1)
    power = np.abs(np.fft.rfft(noise)[:8000].reshape(8, -1)) ** 2
    np.testing.assert_allclose(power.mean(axis=1) / power.mean(), 1, atol=0.15)
    assert abs(np.mean((noise / noise.std()) ** 4) - 3) < 0.3, "Gaussian"


def test_draws(seeds, as_numpy):
    coin = keras.ops.convert_to_tensor(np.tile(np.float32([0.29, 0.3]), 500))
    draws = as_numpy(WhiteNoise(0.3, (-90.0, -46.0), 16000, 8000).draw(coin, seeds))
    level = draws["white_noise_dbfs"]
    assert np.isneginf(level[1::2]).all()
    assert -90 <= level[::2].min() < -89 and -47 < level[::2].max() < -46
    start = draws["white_noise_start"]
    assert 0 <= start.min() < 5000 and 20 * 16000 - 13000 < start.max() <= 20 * 16000 - 8000


def test_a_clip_longer_than_the_bank_gets_noise_throughout():
    change = WhiteNoise(1.0, (-90.0, -46.0), 100, 5000)
    noisy = np.array(change.apply(np.zeros((1, 5000), np.float32), {"white_noise_start": np.array([0], np.int32),
                                                                  "white_noise_dbfs": np.array([-10.0], np.float32)}))
    assert len(np.unique(noisy[0, -2500:])) > 2000 and (noisy[0, :2500] != noisy[0, 2500:]).any()
