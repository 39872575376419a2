"""MFCC against numpy written out."""

import keras
import numpy as np
import pytest

from kws_tf import features
from kws_tf.config import FEATURE_PRESETS, FeatureConfig
from kws_tf.errors import ConfigError


@pytest.mark.parametrize("preset", ["sparknet", "mlperf_tiny", "low_compute"])
def test_equals_numpy_written_out(preset, speech_like, reference_features):
    config = FEATURE_PRESETS[preset]
    got = features.MFCC(config)(speech_like)
    expected = reference_features(speech_like, config)
    assert got.shape == expected.shape == (3, config.n_frames(2000), config.n_mfcc, 1)
    np.testing.assert_allclose(got, expected, atol=3e-4)


def test_silence_has_only_the_mean():
    config = FeatureConfig(kind="mfcc", n_mels=16, n_mfcc=4)
    got = keras.ops.convert_to_numpy(features.MFCC(config)(np.zeros((1, 480), np.float32)))
    np.testing.assert_allclose(got[0, 0, :, 0], [4 * np.log(1e-6), 0, 0, 0], atol=1e-4)


def test_saved_model_gives_the_same(tmp_path, speech_like):
    model = keras.Sequential([keras.Input((2000,)), features.MFCC(FEATURE_PRESETS["low_compute"])])
    assert model.output_shape == (None, 4, 20, 1)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(speech_like), model(speech_like))


def test_short_clip_names_this_layer():
    with pytest.raises(ConfigError, match="^MFCC: a clip of 100 samples is shorter than one window of 400 samples"):
        features.MFCC(FEATURE_PRESETS["sparknet"])(np.zeros((1, 100), np.float32))
