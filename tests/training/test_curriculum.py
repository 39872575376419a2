"""Stages by epoch: what they hold, what they refuse, and that training follows them."""

import json

import keras
import numpy as np
import pytest

from kws_tf.augment import WaveformAugment
from kws_tf.config import AugmentConfig
from kws_tf.errors import ConfigError
from kws_tf.training.curriculum import Curriculum

CLASSES = ("_silence_", "_unknown_", "yes")
AUGMENT = AugmentConfig(noise_dir="noise", noise_mode="snr", rir_dir="rooms", rir_prob=0.3, noise_snr_db=(0.0, 30.0))
STAGES = [{"from_epoch": 2, "rir_prob": 0, "noise_snr_db": [10, 20]}, {"from_epoch": 5, "rir_prob": 1, "sampling": {"_unknown_": 3}},
          {"from_epoch": 6, "sampling": {}}]


def test_stages_change_what_they_name_and_keep_the_rest():
    curriculum = Curriculum(json.dumps(STAGES), AUGMENT, CLASSES)
    found = [(curriculum.at(epoch).rir_prob, curriculum.at(epoch).noise_prob, curriculum.at(epoch).noise_snr_db) for epoch in range(7)]
    assert found == [(0.3, 0.8, (0.0, 30.0)), *[(0, 0.8, (10.0, 20.0))] * 3, *[(1, 0.8, (10.0, 20.0))] * 3]
    labels = np.array([0, 1, 1, 2])
    assert curriculum.clip_weights(labels, 0) is None and curriculum.clip_weights(labels, 5) is None
    assert curriculum.clip_weights(labels, 4).tolist() == [1, 3, 3, 1]


def test_without_stages_the_configuration_holds():
    curriculum = Curriculum("", AUGMENT, CLASSES)
    assert curriculum.at(0) == curriculum.at(99) and curriculum.at(7).rir_prob == 0.3 and curriculum.clip_weights([0], 3) is None


@pytest.mark.parametrize(("stages", "message"), [
    ("{", "not JSON"), ('{"from_epoch": 1}', "expected a list of stages"), ("[1]", "expected a list of stages"),
    ([{"rir_prob": 1}], "expected from_epoch of 1 or more"), ([{"from_epoch": 0}], "expected from_epoch"),
    ([{"from_epoch": 1, "lr": 1}], "fields of from_epoch, noise_prob, noise_snr_db, rir_prob, sampling"),
    ([{"from_epoch": 3}, {"from_epoch": 3}], "must rise"), ([{"from_epoch": 1, "rir_prob": 1.1}], "rir_prob must be a number from 0 to 1"),
    ([{"from_epoch": 1, "noise_snr_db": [3, 1]}], r"two numbers, \[low, high\]"), ([{"from_epoch": 1, "noise_snr_db": 3}], "two numbers"),
    ([{"from_epoch": 1, "sampling": {"no": 1}}], "sampling names no; the classes are _silence_"),
    ([{"from_epoch": 1, "sampling": {"yes": -1}}], "weights of 0 or more"),
    ([{"from_epoch": 1, "sampling": dict.fromkeys(CLASSES, 0)}], "every class the weight 0"),
])
def test_wrong_stages_are_refused_with_an_example(stages, message):
    with pytest.raises(ConfigError, match=rf"--curriculum: .*{message}.*Example: \["):
        Curriculum(stages if isinstance(stages, str) else json.dumps(stages), AUGMENT, CLASSES)


@pytest.mark.parametrize(("changes", "augment", "message"), [
    ({"rir_prob": 0.5}, AugmentConfig(), "rir_prob=0.5 needs --rir_dir"), ({"noise_prob": 0.5}, AugmentConfig(), "needs --noise_dir"),
    ({"noise_snr_db": [1, 2]}, AugmentConfig(noise_dir="noise"), "needs --noise_mode=snr"),
])
def test_what_the_configuration_lacks_cannot_be_staged(changes, augment, message):
    with pytest.raises(ConfigError, match=message):
        Curriculum(json.dumps([{"from_epoch": 1, **changes}]), augment, CLASSES)


def test_the_compiled_augmentation_follows_the_stage():
    import tensorflow as tf

    rng = np.random.default_rng(1)
    staged = AugmentConfig(noise_dir="noise", noise_mode="snr", noise_prob=0.0, noise_snr_db=(3.0, 4.0), rir_dir="rooms", rir_prob=0.0,
                           curriculum="[]")
    waveform = WaveformAugment(staged, 1000, 400, [rng.integers(-9000, 9000, 900).astype(np.int16)],
                               responses=rng.normal(size=(2, 2, 50)))
    seeds, traces = keras.random.SeedGenerator(1), []

    @tf.function
    def draw():
        traces.append(1)
        return waveform.draw(200, None, seeds)

    before = draw()
    assert (before["room"].numpy() == -1).all() and np.isinf(before["noise_snr_db"].numpy()).all()
    waveform.set_stage(rir_prob=1.0, noise_prob=0.5, noise_snr_db=(-6.0, -5.0))
    after = draw()
    ratios = after["noise_snr_db"].numpy()
    assert (after["room"].numpy() >= 0).all() and 0.3 < np.isfinite(ratios).mean() < 0.7
    assert -6 <= ratios[np.isfinite(ratios)].min() and ratios[np.isfinite(ratios)].max() <= -5
    assert len(traces) == 1, "a stage must not compile the graph anew"


def test_without_recordings_no_stage_gives_noise_to_the_words():
    waveform = WaveformAugment(AugmentConfig(curriculum="[]"), 1000, 400, silence_index=0)
    waveform.set_stage(rir_prob=0.0, noise_prob=0.8, noise_snr_db=(0.0, 1.0))
    labels = np.arange(200) % 2
    noisy = np.asarray(waveform.draw(200, labels, keras.random.SeedGenerator(1))["noise_amplitude"]) > 0
    np.testing.assert_array_equal(noisy, labels == 0)
