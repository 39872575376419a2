import dataclasses

import keras
import numpy as np
import pytest

from kws_tf import features, models
from kws_tf.config import DataConfig, FeatureConfig, ModelConfig, RunConfig, TrainConfig
from kws_tf.errors import ConfigError
from kws_tf.streaming import StreamingModel
from kws_tf.training import session
from kws_tf.training.loop import Loop, split_logits
from kws_tf.training.network import TrainingNetwork, training_forward
from kws_tf.training.pre_roll import PreRoll, context_frames, logits_of_last_frames, require_whole_strides
from kws_tf.training.run_folder import RunFolder

FEATURES = FeatureConfig(n_mels=20)
CONFIG = RunConfig(
    data=DataConfig(data_root="tones", clip_duration=0.2), features=FEATURES, model=ModelConfig(model="sparknet", channels=4),
    train=TrainConfig(epochs=3, warmup_epochs=0, batch_size=12, lr=0.1, seed=3, pre_roll_frames=24, pre_roll_probability=0.5))
FRAMES = FEATURES.n_frames(CONFIG.clip_samples)
CLASSES = ("high", "low")


class Bursts:
    """A split in memory: tones of two pitches; every clip has a level of its own, which tells it apart from the others."""

    def __init__(self, n_clips, seed):
        generator = np.random.default_rng(seed)
        self.labels = np.arange(n_clips, dtype=np.int32) % 2
        time_s = np.arange(CONFIG.clip_samples) / 16000
        pitch = np.take((3000, 600), self.labels)[:, None]
        self.pcm = (500 * (1 + np.arange(n_clips))[:, None] * np.sin(2 * np.pi * pitch * time_s)
                    + 100 * generator.standard_normal((n_clips, CONFIG.clip_samples))).astype(np.int16)
        self.n_clips, self.digest = n_clips, str(seed)

    def batches(self, batch_size, clip_samples, crop, *, seed, epoch, shuffle, drop_remainder=False):
        order = np.random.default_rng((seed, epoch)).permutation(self.n_clips) if shuffle else np.arange(self.n_clips)
        for start in range(0, self.n_clips, batch_size):
            chosen = order[start:start + batch_size]
            if len(chosen) == batch_size or not drop_remainder:
                yield self.pcm[chosen], self.labels[chosen], chosen


TRAINING, VALIDATION = Bursts(36, 1), Bursts(14, 2)


def earlier_audio(n_clips):
    return PreRoll(24, 160, speech_share=1.0)(VALIDATION.pcm[-n_clips:], np.random.default_rng(0))


def test_earlier_audio_is_the_end_of_other_clips_or_silence():
    pcm = (np.arange(8)[:, None] * 100 + np.arange(10)).astype(np.int16)
    earlier = PreRoll(frames=5, hop_samples=3)(pcm, np.random.default_rng(4))
    assert earlier.shape == (8, 15) and earlier.dtype == np.int16
    silent = ~earlier.any(axis=1)
    assert 0 < silent.sum() < 8
    for row in np.flatnonzero(~silent):
        first, second = earlier[row, :5], earlier[row, 5:]
        assert second.tolist() == pcm[second[0] // 100].tolist() and second[0] // 100 != row
        assert first.tolist() == pcm[first[0] // 100, 5:].tolist() and first[0] // 100 != row
    every = PreRoll(5, 3, speech_share=1.0)(pcm[1:], np.random.default_rng(4))
    assert every.any(axis=1).all()
    assert PreRoll(5, 3, speech_share=1.0)(pcm[:1], np.random.default_rng(4)).shape == (1, 15)


@pytest.mark.parametrize("name, frames", [("bc_resnet", 116), ("sparknet", 70), ("ds_cnn", 25)])
def test_context_is_what_the_paddings_keep(name, frames):
    network = models.build(ModelConfig(model=name), FEATURES, 3, 60, seed=1)
    assert context_frames(network, 60, 20) == frames
    # A frame that far back still reaches the newest embedding, an older one does not.
    x = np.random.default_rng(0).normal(size=(1, 2 * (frames // 2) + 21, 20, 1)).astype(np.float32)
    newest = np.array(network.frame_embeddings(x))[:, -1]
    last = x.shape[1] - 1
    changed = x.copy()
    changed[:, :last - frames] += 1.0
    np.testing.assert_allclose(np.array(network.frame_embeddings(changed))[:, -1], newest, atol=1e-6)


@pytest.mark.parametrize("name, frames", [("bc_resnet", 20), ("sparknet", 20), ("ds_cnn", 21)])
def test_the_mean_covers_the_clip_and_the_state_what_came_before(name, frames):
    network = models.build(ModelConfig(model=name), FEATURES, 3, frames, seed=1)
    x = np.random.default_rng(0).normal(size=(2, 30 + frames, 20, 1)).astype(np.float32)
    for _ in range(10):
        network(x, training=True)
    logits = np.array(logits_of_last_frames(network, x, frames))
    stream = StreamingModel(network, window_frames=frames)
    padded = np.concatenate([x, np.zeros_like(x[:, :x.shape[1] % stream.stride_frames])], axis=1)
    scores, _ = stream.step(padded, stream.initial_state(2))
    np.testing.assert_allclose(logits, scores[:, -1], atol=1e-4)
    np.testing.assert_allclose(logits_of_last_frames(network, x[:, -frames:], frames), network(x[:, -frames:]), atol=1e-5)
    assert np.abs(logits - np.array(network(x[:, -frames:]))).max() > 1e-3


@pytest.mark.parametrize("layout", ["channels_last", "batch_innermost"])
def test_both_layouts_hear_the_earlier_audio(layout):
    backbone = models.build(ModelConfig(tau=0.25, dropout=0.0), FEATURES, 2, FRAMES, seed=1)
    pcm, labels, earlier = VALIDATION.pcm[:4], VALIDATION.labels[:4], earlier_audio(4)
    network = TrainingNetwork(features.build(FEATURES), backbone, forward=training_forward(layout, backbone))
    trained = np.array(network((pcm, labels, earlier), training=True))
    whole = features.build(FEATURES)(np.concatenate([earlier, pcm], axis=1).astype(np.float32) / 32768)
    np.testing.assert_allclose(trained, logits_of_last_frames(backbone, whole, FRAMES, training=True), atol=1e-4)
    np.testing.assert_allclose(network((pcm, labels, earlier)), logits_of_last_frames(backbone, whole, FRAMES), atol=1e-5)


def test_augmentation_is_that_of_the_length_and_masks_stay_within_the_clip():
    class Lengths:
        def draw(self, n, labels, seed_generator):
            return {}

        def apply(self, pcm, draws):
            seen.append(pcm.shape[1])
            return pcm

    class Erase:
        def draw(self, n, seed_generator):
            return {}

        def apply(self, spectrogram, draws):
            return 0 * spectrogram

    class Backbone(keras.layers.Layer):
        def frame_embeddings(self, inputs, training=False):
            maps.append(np.array(inputs))
            return inputs[:, :, 0]

        def classifier(self, mean, training=False):
            return mean

    seen, maps = [], []
    network = TrainingNetwork(features.build(FEATURES), Backbone(), waveform_augment=Lengths(), pre_roll_augment=Lengths(),
                              spec_augment=Erase())
    network((VALIDATION.pcm[:2], VALIDATION.labels[:2], earlier_audio(2)), training=True)
    assert seen == [24 * 160 + CONFIG.clip_samples]
    assert maps[0].shape[1] == 24 + FRAMES and (maps[0][:, 24:] == 0).all() and (maps[0][:, :24] != 0).all()


def make_loop(path, config=CONFIG, *, start=True, **keywords):
    keras.utils.set_random_seed(config.train.seed)
    folder = RunFolder(path)
    if start:
        folder.start(config, CLASSES)
    return Loop(session.build_network(config, CLASSES), folder, config, training=TRAINING, validation=VALIDATION, n_classes=2, **keywords)


@pytest.mark.slow
def test_a_run_with_pre_roll_is_reported_both_ways_and_continues_exactly(tmp_path, monkeypatch):
    lengths, original = [], PreRoll.__call__

    def spy(self, pcm, generator):
        lengths.append(len(pcm))
        return original(self, pcm, generator)

    monkeypatch.setattr(PreRoll, "__call__", spy)
    whole = make_loop(tmp_path / "whole")
    outcome = whole.run()
    assert 0 < lengths.count(12) < 9 and lengths.count(14) == 3, "some of 9 training batches, and validation once per epoch"
    assert all(0 <= row["val_accuracy_pre_roll"] <= 1 and row["val_loss_pre_roll"] > 0 for row in outcome.history)

    def stop_after_one(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_loop(tmp_path / "run", on_epoch=stop_after_one).run()
    resumed = make_loop(tmp_path / "run", start=False)
    resumed.resume()
    again = resumed.run()
    assert [{**row, "seconds": 0} for row in again.history] == [{**row, "seconds": 0} for row in outcome.history]
    for expected, got in zip(whole.network.weights, resumed.network.weights, strict=True):
        np.testing.assert_array_equal(got, expected)

    first, second = (split_logits(resumed.network, VALIDATION, CONFIG, pre_roll=True) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - split_logits(resumed.network, VALIDATION, CONFIG)).max() > 1e-3


def test_without_a_share_of_batches_nothing_is_drawn(tmp_path):
    config = dataclasses.replace(CONFIG, train=dataclasses.replace(CONFIG.train, pre_roll_probability=0.0))
    loop = make_loop(tmp_path / "run", config)
    assert loop.pre_roll is None and loop.network._pre_roll_augment is None


def test_a_pre_roll_shorter_than_the_context_is_named(monkeypatch):
    warnings = []
    monkeypatch.setattr(session.logging, "warning", lambda text, *values: warnings.append(text % values))
    session.build_network(CONFIG, CLASSES)
    assert any("pre_roll_frames=24: sparknet looks back 70 frames" in text and "--pre_roll_frames=70" in text for text in warnings)


@pytest.mark.parametrize("values, message", [
    ({"pre_roll_frames": 0}, "pre_roll_frames must be at least 1"),
    ({"pre_roll_probability": 1.5}, "pre_roll_probability must be at least 0 and at most 1"),
])
def test_refuses(values, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**values)


def test_a_clip_alone_follows_on_silence():
    pcm = np.full((1, 1600), 7, np.int16)
    assert not PreRoll(20, 160, speech_share=1.0)(pcm, np.random.default_rng(1)).any()
    assert PreRoll(20, 160, speech_share=1.0)(np.repeat(pcm, 2, axis=0), np.random.default_rng(1)).all()


def test_a_pre_roll_moves_no_output():
    small = FeatureConfig(n_mels=20)
    network = models.build(ModelConfig(model="ds_cnn", channels=4), small, 2, 50, 1)
    require_whole_strides(8, network, 50, 20)
    with pytest.raises(ConfigError, match="pre_roll_frames must be a multiple of 2, .*; received 7. Use --pre_roll_frames=8"):
        require_whole_strides(7, network, 50, 20)
    config = dataclasses.replace(CONFIG, model=ModelConfig(model="ds_cnn", channels=4),
                                 train=dataclasses.replace(CONFIG.train, pre_roll_frames=7))
    with pytest.raises(ConfigError, match="Use --pre_roll_frames=8"):
        session.build_network(config, CLASSES)
