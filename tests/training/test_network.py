import keras
import numpy as np
import pytest
from keras import ops

from kws_tf import features, models
from kws_tf.config import FeatureConfig, ModelConfig
from kws_tf.errors import ConfigError
from kws_tf.training import network as networks
from kws_tf.training.network import TrainingNetwork, choose_layout, training_forward
from kws_tf.training.randomness import reset_generators

FEATURES = FeatureConfig(n_mels=20, window_samples=400, hop_samples=320)
SAMPLES = 4000
N_FRAMES = FEATURES.n_frames(SAMPLES)


class AddLabel:
    """A waveform augmentation whose draw is recorded: adds a random offset to clips of class 1 alone."""

    def draw(self, batch_size, labels, seed_generator):
        offsets = keras.random.uniform((batch_size,), 0.1, 0.2, seed=seed_generator)
        self.last = ops.where(ops.equal(labels, 1), offsets, 0.0)
        return {"offset": self.last}

    def apply(self, pcm, draws):
        return pcm + draws["offset"][:, None]


class ZeroFirstRow:
    def draw(self, batch_size, seed_generator):
        return {}

    def apply(self, spectrogram, draws):
        return spectrogram * ops.reshape(ops.concatenate([ops.zeros(1), ops.ones(19)]), (1, 1, 20, 1))


class Double:
    """A frequency warp that shows whether it came before SpecAugment."""

    def draw(self, batch_size, seed_generator):
        return {}

    def apply(self, spectrogram, draws):
        return 2 * spectrogram + 1


class Recorder(keras.layers.Layer):
    """Hands its input on and keeps it."""

    def call(self, inputs, training=False):
        self.seen, self.training = inputs, training
        return ops.mean(inputs, axis=(1, 2))


def make(**parts):
    recorder = Recorder()
    return TrainingNetwork(features.build(FEATURES), recorder, **parts), recorder


def batch(n_clips=4):
    generator = np.random.default_rng(0)
    return generator.integers(-3000, 3000, (n_clips, SAMPLES)).astype(np.int16), np.arange(n_clips, dtype=np.int32) % 3


def test_pcm_is_scaled_to_one_and_not_touched_outside_training():
    network, recorder = make(waveform_augment=AddLabel(), spec_augment=ZeroFirstRow())
    pcm, labels = batch()
    network((pcm, labels), training=False)
    expected = features.build(FEATURES)(pcm.astype(np.float32) / 32768)
    np.testing.assert_allclose(recorder.seen, expected, atol=1e-6)
    assert recorder.training is False


def test_training_augments_the_waveform_by_label_and_then_the_features():
    augmentation = AddLabel()
    network, recorder = make(waveform_augment=augmentation, frequency_warp=Double(), spec_augment=ZeroFirstRow())
    pcm, labels = batch()
    network((pcm, labels), training=True)
    offsets = np.asarray(augmentation.last)
    assert ((offsets > 0) == (labels == 1)).all()
    expected = np.array(features.build(FEATURES)(pcm.astype(np.float32) / 32768 + offsets[:, None]))
    expected = 2 * expected + 1
    expected[:, :, 0] = 0
    np.testing.assert_allclose(recorder.seen, expected, atol=1e-4)
    assert recorder.training is True


def test_draws_follow_the_generators_of_the_network():
    augmentation = AddLabel()
    network, _ = make(waveform_augment=augmentation)
    seen = []
    for epoch in (3, 3, 4):
        reset_generators(network, 1, epoch)
        network(batch(), training=True)
        seen.append(np.asarray(augmentation.last))
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])


@pytest.fixture(scope="module")
def backbone():
    return models.build(ModelConfig(tau=0.25), FEATURES, 3, N_FRAMES, seed=1)


def test_both_layouts_train_the_same_variables(backbone):
    outputs = {}
    for layout in ("channels_last", "batch_innermost"):
        network = TrainingNetwork(features.build(FEATURES), backbone, forward=training_forward(layout, backbone))
        assert [v.path for v in network.trainable_weights] == [v.path for v in backbone.trainable_weights]
        reset_generators(network, 1, 0)
        outputs[layout] = np.asarray(network(batch(), training=True))
    np.testing.assert_allclose(outputs["batch_innermost"], outputs["channels_last"], atol=1e-4)


def test_choice_of_the_layout(backbone, monkeypatch):
    monkeypatch.setattr(networks, "has_gpu", lambda: False)
    assert choose_layout("auto", backbone) == "batch_innermost"
    assert choose_layout("channels_last", backbone) == "channels_last"
    other = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)], name="dense")
    assert choose_layout("auto", other) == "channels_last"
    with pytest.raises(ConfigError, match="layout batch_innermost is not available for dense; use --layout=channels_last"):
        choose_layout("batch_innermost", other)
    monkeypatch.setattr(networks, "has_gpu", lambda: True)
    assert choose_layout("auto", backbone) == "channels_last"
    assert choose_layout("batch_innermost", backbone) == "batch_innermost"


def test_a_machine_without_gpu_is_seen_as_one(monkeypatch):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: [])
    assert networks.has_gpu() is False
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: [f"{kind}:0"])
    assert networks.has_gpu() is True
