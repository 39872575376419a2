import dataclasses
import types

import numpy as np
import pytest

from kws_tf.config import AugmentConfig, DataConfig, FeatureConfig, ModelConfig, RunConfig, TrainConfig
from kws_tf.errors import ConfigError, DatasetError, TrainingError
from kws_tf.training import session
from kws_tf.training.run_folder import RunFolder

CONFIG = RunConfig(data=DataConfig(data_root="words", clip_duration=0.3), features=FeatureConfig(n_mels=20), model=ModelConfig(tau=0.25),
                   augment=AugmentConfig(shift_ms=50), train=TrainConfig(epochs=2, warmup_epochs=0))
CLASSES = ("_silence_", "no", "yes")


def clips(n_clips=6):
    split = types.SimpleNamespace(n_clips=n_clips, labels=np.arange(n_clips, dtype=np.int32) % 3)
    return types.SimpleNamespace(classes=CLASSES, splits={"training": split, "validation": split})


def changed(part, **values):
    return dataclasses.replace(CONFIG, **{part: dataclasses.replace(getattr(CONFIG, part), **values)})


@pytest.mark.parametrize("config, error, message", [
    (changed("model", ssn_groups="5"), ConfigError, "cannot be cut into 5 equal sub-bands"),
    (changed("train", warmup_epochs=2.0), ConfigError, "does not end within 2 epochs"),
    (changed("augment", noise_dir="nowhere"), DatasetError, "nowhere"),
    (changed("train", class_weights="balanced"), TrainingError, "class 2 has none"),
])
def test_a_run_that_cannot_start_leaves_no_folder_and_harms_no_other(tmp_path, config, error, message):
    data = clips(2 if config.train.class_weights == "balanced" else 6)
    with pytest.raises(error, match=message):
        session.train(config, RunFolder(tmp_path / "new"), data)
    assert not (tmp_path / "new").exists()
    old = RunFolder(tmp_path / "old")
    old.start(CONFIG, CLASSES)
    old.best_weights_file.write_bytes(b"weights of a long run")
    with pytest.raises(error, match=message):
        session.train(config, old, data, overwrite=True)
    assert old.best_weights_file.read_bytes() == b"weights of a long run"


def test_a_recall_area_without_negatives_is_refused(tmp_path):
    data = clips()
    data.classes = ("maybe", "no", "yes")
    data.splits["validation"].lengths = np.full(6, 4800)
    with pytest.raises(ConfigError, match="--monitor=recall_area needs validation clips of keywords and of classes without keywords"):
        session.train(changed("train", monitor="recall_area"), RunFolder(tmp_path / "new"), data)
    assert not (tmp_path / "new").exists()


def test_resume_with_other_classes_is_refused(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.start(CONFIG, ("down", "up"))
    with pytest.raises(TrainingError, match=r"was trained for down, up; the dataset now has the classes _silence_, no, yes"):
        session.train(CONFIG, folder, clips(), resume=True)


def test_the_same_seed_builds_the_same_network_with_the_silence_class_known():
    first, second = session.build_network(CONFIG, CLASSES), session.build_network(CONFIG, CLASSES)
    other = session.build_network(changed("train", seed=2), CLASSES)
    for one, two in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(not np.array_equal(one, two) for one, two in zip(first.weights, other.weights, strict=True))
    pcm = np.zeros((3, CONFIG.clip_samples), np.int16)
    draws = first._waveform_augment.draw(3, np.arange(3, dtype=np.int32), first.seed_generator)
    noisy = np.abs(first._waveform_augment.apply(pcm.astype(np.float32), draws)).max(axis=1)
    assert noisy[0] > 0 and noisy[1] == noisy[2] == 0
