"""The features of ESPHome devices in the middle of a training graph."""

import dataclasses

import keras
import numpy as np
import pytest

from kws_tf import augment, features, micro_front_end, models
from kws_tf.config import FEATURE_PRESETS, AugmentConfig, ModelConfig
from kws_tf.errors import ConfigError
from kws_tf.training.micro_features import MicroFeatures, feature_layer
from kws_tf.training.network import TrainingNetwork

pytest.importorskip("pymicro_features", reason="the front end of ESPHome devices (extra esphome) is not installed")
pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="features of kind micro are trained with TensorFlow")

MICRO = FEATURE_PRESETS["micro"]


@pytest.fixture(scope="module")
def pcm():
    return np.clip(np.random.default_rng(1).normal(size=(6, 8000)) * 3000, -32768, 32767).astype(np.int16)


def test_the_layer_is_the_front_end_of_every_clip(pcm):
    layer = feature_layer(MICRO)
    found = np.array(layer(pcm.astype(np.float32) / 32768))
    np.testing.assert_array_equal(found[..., 0], micro_front_end.clip_features(pcm))
    assert found.shape == layer.compute_output_shape((6, 8000)) and not layer.weights


def test_workers_make_no_difference(pcm):
    layer = MicroFeatures(MICRO, n_workers=2)
    many = np.tile(pcm, (2, 1))
    np.testing.assert_array_equal(layer._compute(many.astype(np.float32) / 32768), micro_front_end.clip_features(many))
    assert layer._pool is not None
    layer._pool.shutdown()


def test_other_kinds_are_keras_layers_and_this_is_none():
    with pytest.raises(ConfigError, match="come from a program of their own"):
        features.build(MICRO)
    assert type(feature_layer(FEATURE_PRESETS["sparknet"])).__name__ == "MFCC"


def test_a_network_trains_and_augmentation_and_earlier_audio_come_first(pcm):
    backbone = models.build(ModelConfig(model="sparknet", channels=4), MICRO, 2, 48, seed=1)
    settings = AugmentConfig(shift_prob=0, noise_prob=0, white_noise_prob=1, white_noise_dbfs=(-30, -30), spec_prob=0)
    augments = {name: augment.WaveformAugment(settings, 16000, 8000 + extra, recordings=(), responses=None, silence_index=None)
                for name, extra in (("waveform_augment", 0), ("pre_roll_augment", 1600))}
    network = TrainingNetwork(MicroFeatures(MICRO, n_workers=1), backbone, **augments)
    network.compile(keras.optimizers.SGD(0.01), keras.losses.CategoricalCrossentropy(from_logits=True))
    labels = np.arange(6, dtype=np.int32) % 2
    heard = []
    network.features._compute = lambda samples, inner=network.features._compute: heard.append(samples) or inner(samples)
    for earlier in ((), (np.zeros((6, 1600), np.int16),)):
        assert np.all(np.isfinite(network.train_on_batch((pcm, labels, *earlier), np.eye(2)[labels])))
    assert [samples.shape[1] for samples in heard] == [8000, 9600]
    assert np.abs(heard[1][:, :1600]).max() > 0                          # noise in the pre-roll too
    assert np.array(network.predict_on_batch((pcm, labels))).shape == (6, 2)


def test_another_front_end_is_refused():
    with pytest.raises(ConfigError, match="has these parameters and no others.*received n_mels=32. Use --features=micro alone"):
        dataclasses.replace(MICRO, n_mels=32)
