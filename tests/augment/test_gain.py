import keras
import numpy as np
import pytest

from kws_tf.augment import Gain


def test_changes_the_level_in_decibels():
    pcm = np.array([[0.1, -0.2], [0.1, -0.2], [0.1, -0.2]], np.float32)
    got = Gain(1.0, (-20.0, 6.0)).apply(pcm, {"gain_db": np.array([-20, 0, 6.0206], np.float32)})
    np.testing.assert_allclose(got, [[0.01, -0.02], [0.1, -0.2], [0.2, -0.4]], rtol=1e-5)


def test_gains_drawn(seeds, as_numpy):
    coin = keras.ops.convert_to_tensor(np.tile(np.float32([0.29, 0.3]), 1000))
    gain_db = as_numpy(Gain(0.3, (-20.0, 6.0)).draw(coin, seeds))["gain_db"]
    assert (gain_db[1::2] == 0).all()
    assert -20 <= gain_db.min() < -19.5 and 5.5 < gain_db.max() < 6
    assert gain_db[::2].mean() == pytest.approx(-7, abs=0.7)
