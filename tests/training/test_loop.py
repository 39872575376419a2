import csv
import dataclasses
import errno
import math

import keras
import numpy as np
import pytest

from kws_tf import atomic_file, features
from kws_tf.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from kws_tf.errors import ConfigError, TrainingError
from kws_tf.layers import SparseBinarization
from kws_tf.training import trained_run
from kws_tf.training.arcface import ArcFaceLoss
from kws_tf.training.loop import Loop, split_logits
from kws_tf.training.network import TrainingNetwork
from kws_tf.training.randomness import reset_generators
from kws_tf.training.run_folder import RunFolder

CONFIG = RunConfig(data=DataConfig(data_root="tones", clip_duration=0.2),
                   train=TrainConfig(epochs=3, warmup_epochs=0, batch_size=16, lr=0.1, seed=3))
TONES_HZ = (500, 1500, 4000)


class Tones:
    """A split in memory: tones in noise, the class is the pitch."""

    def __init__(self, n_clips, seed, scale=1.0):
        generator = np.random.default_rng(seed)
        self.labels = np.arange(n_clips, dtype=np.int32) % len(TONES_HZ)
        time_s = np.arange(CONFIG.clip_samples) / 16000
        phase = generator.uniform(0, 6, (n_clips, 1))
        pitch = np.take(TONES_HZ, self.labels)[:, None]
        noise = generator.standard_normal((n_clips, CONFIG.clip_samples))
        self.pcm = (2000 * scale * np.sin(2 * np.pi * pitch * time_s + phase) + 300 * noise).astype(np.int16)
        self.n_clips, self.digest = n_clips, f"{n_clips} {seed}"

    def batches(self, batch_size, clip_samples, crop, *, seed, epoch, shuffle, drop_remainder=False):
        assert clip_samples == self.pcm.shape[1]
        order = np.random.default_rng((seed, epoch)).permutation(self.n_clips) if shuffle else np.arange(self.n_clips)
        for start in range(0, self.n_clips, batch_size):
            chosen = order[start:start + batch_size]
            if len(chosen) == batch_size or not drop_remainder:
                yield self.pcm[chosen], self.labels[chosen], chosen


TRAINING, VALIDATION = Tones(52, 1), Tones(20, 2)


def recipe(**values):
    return dataclasses.replace(CONFIG, train=dataclasses.replace(CONFIG.train, **values))


def make_loop(path, config=CONFIG, *, training=TRAINING, start=True, more_layers=(), **keywords):
    keras.utils.set_random_seed(config.train.seed)
    n_frames = config.features.n_frames(config.clip_samples)
    backbone = keras.Sequential([
        keras.layers.Input((n_frames, 40, 1)),
        keras.layers.Reshape((n_frames, 40), name="reshape"),
        keras.layers.GlobalAveragePooling1D(name="mean"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.Dropout(0.2, name="dropout"),
        *more_layers,
        keras.layers.Dense(3, name="classifier")], name="backbone")
    network = TrainingNetwork(features.build(config.features), backbone, seed=config.train.seed)
    folder = RunFolder(path)
    if start:
        folder.start(config, ("low", "middle", "high"))
    return Loop(network, folder, config, training=training, validation=VALIDATION, n_classes=3, **keywords)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run from start to end that several tests look at."""
    rows = []
    loop = make_loop(tmp_path_factory.mktemp("run") / "whole", on_epoch=rows.append)
    return loop, loop.run(), rows


def weights(loop):
    return [np.asarray(variable).copy() for variable in (*loop.network.weights, *loop.network.optimizer.variables)]


def without_seconds(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


def test_a_run_learns_and_leaves_its_files(finished):
    loop, outcome, rows = finished
    assert outcome.history == rows and [row["epoch"] for row in rows] == [1, 2, 3]
    assert outcome.best == max(row["val_accuracy"] for row in rows) > 0.6
    assert rows[outcome.best_epoch - 1]["val_accuracy"] == outcome.best
    assert rows[-1]["lr"] == pytest.approx(0, abs=1e-12)
    assert not outcome.stopped_early
    assert {path.name for path in loop.folder.path.iterdir()} == {
        "config.json", "labels.txt", "history.csv", "curves.png", "best.weights.h5", "checkpoints"}
    with open(loop.folder.history_file, newline="", encoding="utf-8") as file:
        stored = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert stored == rows


def test_best_weights_are_those_of_the_best_epoch_and_not_of_the_last(tmp_path):
    loop = make_loop(tmp_path / "run", recipe(schedule="constant"))

    def spoil_after_two(row):
        if row["epoch"] == 2:
            classifier = loop.network.backbone.get_layer("classifier").kernel
            classifier.assign(-classifier)
            loop.schedule.peak = 1e-9

    loop.on_epoch = spoil_after_two
    outcome = loop.run()
    assert outcome.best_epoch < 3 and outcome.history[2]["val_accuracy"] < outcome.best == outcome.best_row["val_accuracy"]
    loop.network.backbone.load_weights(loop.folder.best_weights_file)
    logits = split_logits(loop.network, VALIDATION, CONFIG)
    assert (logits.argmax(axis=1) == VALIDATION.labels).mean() == outcome.best


def test_split_logits_are_those_of_every_clip_alone(finished, monkeypatch):
    loop, _, _ = finished
    monkeypatch.setattr("kws_tf.training.loop.EVALUATION_BATCH", 8)
    logits = split_logits(loop.network, VALIDATION, CONFIG)
    pcm = VALIDATION.pcm[:, :CONFIG.clip_samples].astype(np.float32) / 32768
    expected = np.asarray(loop.network.backbone(loop.network.features(pcm)))
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_an_interrupted_run_continues_exactly(finished, tmp_path):
    whole, outcome, _ = finished

    def stop_after_two(row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_loop(tmp_path / "run", on_epoch=stop_after_two).run()
    assert (tmp_path / "run" / "curves.png").exists()
    resumed = make_loop(tmp_path / "run", start=False)
    resumed.resume()
    assert len(resumed.history) == 2
    again = resumed.run()
    assert without_seconds(again.history) == without_seconds(outcome.history)
    assert (again.best, again.best_epoch) == (outcome.best, outcome.best_epoch)
    for expected, got in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_resume_of_a_finished_run_trains_no_further(finished):
    loop, outcome, _ = finished
    again = make_loop(loop.folder.path, start=False)
    again.resume()
    assert again.run().history == outcome.history


def test_resume_with_other_clips_is_refused(finished):
    loop, _, _ = finished
    other = make_loop(loop.folder.path, start=False, training=Tones(55, 1))
    with pytest.raises(TrainingError, match=r"trained on .*52.* clips, the dataset now has .*55"):
        other.resume()


def test_resume_with_as_many_other_clips_is_refused(finished):
    loop, _, _ = finished
    other = make_loop(loop.folder.path, start=False, training=Tones(52, 4))
    with pytest.raises(TrainingError, match="as many clips as the dataset has, but names, classes or lengths of some have changed"):
        other.resume()


def test_a_full_disk_is_told_and_not_what_fails_after_it(tmp_path, monkeypatch):
    def refuse(path, data):
        raise OSError(errno.ENOSPC, "no room", str(path))

    loop = make_loop(tmp_path / "run", recipe(epochs=2))
    loop.history.append({"epoch": 1})  # something to draw, which fails as it lacks everything else
    monkeypatch.setattr(atomic_file, "write_bytes", refuse)
    with pytest.raises(OSError, match="no room.*best.weights.h5"):
        loop.run()


def test_a_loss_that_is_not_finite_stops_with_the_reason(tmp_path):
    loop = make_loop(tmp_path / "run", recipe(lr=1e20, batch_size=26))

    def spoil(row):
        loop.schedule.peak = 1e38

    loop.on_epoch = spoil
    loop.schedule.peak = 0.01
    with pytest.raises(TrainingError, match=r"^loss became (nan|inf) in epoch 2, step 2 of 2, at .*--lr.*checkpoint of epoch 1"):
        loop.run()
    resumed = make_loop(tmp_path / "run", recipe(lr=1e20, batch_size=26), start=False)
    resumed.resume()
    assert [row["epoch"] for row in resumed.history] == [1]
    assert all(np.isfinite(value).all() for value in weights(resumed))


def test_patience_ends_the_run(tmp_path):
    loop = make_loop(tmp_path / "run", recipe(epochs=50, patience=2, lr=1e-9, schedule="constant", monitor="accuracy"))
    outcome = loop.run()
    assert outcome.stopped_early and len(outcome.history) == outcome.best_epoch + 2


def test_plateau_lowers_the_rate(tmp_path):
    loop = make_loop(tmp_path / "run", recipe(epochs=4, lr=1e-9, schedule="plateau", plateau_epochs=1, plateau_factor=0.5))
    rates = [row["lr"] for row in loop.run().history]
    assert rates[0] == 1e-9 and rates[-1] < rates[0]
    assert all(math.log2(1e-9 / rate) == pytest.approx(round(math.log2(1e-9 / rate))) for rate in rates)


def test_a_batch_above_the_split_takes_all_clips(tmp_path):
    loop = make_loop(tmp_path / "run", recipe(batch_size=512))
    assert (loop.batch_size, loop.steps) == (52, 1)


def test_class_weights_and_label_smoothing_reach_the_loss(tmp_path):
    class Uneven(Tones):
        def __init__(self):
            super().__init__(40, 1)
            keep = np.r_[0:9, 9:40:3]
            self.pcm, self.labels, self.n_clips = self.pcm[keep], self.labels[keep], len(keep)

    losses = {}
    for name, values in {"plain": {}, "balanced": {"class_weights": "balanced"}, "smooth": {"label_smoothing": 0.2}}.items():
        config = recipe(batch_size=64, epochs=1, **values)
        loop = make_loop(tmp_path / name, config, training=Uneven())
        # The same clips in the same order under the same dropout as in the first step of the run.
        pcm, labels, _ = next(loop.training.batches(20, config.clip_samples, "random", seed=config.train.seed, epoch=0, shuffle=True))
        reset_generators(loop.network, config.train.seed, 0)
        logits = np.asarray(loop.network((pcm, labels), training=True), np.float64)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        target = np.eye(3)[labels]
        if name == "smooth":
            target = 0.8 * target + 0.2 / 3
        weight = (20 / (3 * np.bincount(labels)))[labels] if name == "balanced" else 1.0
        losses[name] = -(weight * (target * log_p).sum(axis=1)).mean()
        assert loop.run().history[0]["loss"] == pytest.approx(losses[name], rel=1e-5)
    assert len({round(loss, 3) for loss in losses.values()}) == 3


def test_resume_brings_back_what_the_schedule_and_the_stop_have_counted(tmp_path):
    config = recipe(epochs=6, lr=1e-9, schedule="plateau", plateau_epochs=1, plateau_factor=0.5, patience=4)
    whole = make_loop(tmp_path / "whole", config)
    outcome = whole.run()
    assert outcome.stopped_early and whole.falls > 1

    def stop_after_three(row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_loop(tmp_path / "run", config, on_epoch=stop_after_three).run()
    resumed = make_loop(tmp_path / "run", config, start=False)
    resumed.resume()
    again = resumed.run()
    assert without_seconds(again.history) == without_seconds(outcome.history)
    assert (again.best, again.best_epoch, again.stopped_early) == (outcome.best, outcome.best_epoch, True)


def test_a_warm_up_longer_than_the_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="does not end within 3 epochs"):
        make_loop(tmp_path / "run", recipe(warmup_epochs=5.0))


def test_metrics_and_losses_of_the_network_enter_history_and_training_loss(tmp_path):
    gates = SparseBinarization(penalty=50.0, seed=1, name="gates")
    loop = make_loop(tmp_path / "run", recipe(epochs=2), more_layers=[gates])
    history = loop.run().history
    assert list(history[0])[:6] == ["epoch", "lr", "loss", "accuracy", "sparsity", "val_loss"]
    assert all(0 < row["sparsity"] < 1 for row in history) and history[1]["sparsity"] > history[0]["sparsity"]
    assert all(row["loss"] > 5 > row["val_loss"] for row in history)
    kept = trained_run.best_metrics(loop.folder, "accuracy")
    assert kept["sparsity"] == history[kept["epoch"] - 1]["sparsity"]
    columns = next(csv.DictReader(loop.folder.history_file.read_text(encoding="utf-8").splitlines()))
    assert float(columns["sparsity"]) == history[0]["sparsity"]


def test_metrics_begin_anew_with_every_step_whatever_keras_does_itself(tmp_path, monkeypatch):
    loop, calls = make_loop(tmp_path / "run", recipe(epochs=1)), []
    network, step = loop.network, loop.network.train_on_batch

    def older(*arguments, **keywords):
        calls.append("step")
        with monkeypatch.context() as patch:
            patch.setattr(network, "reset_metrics", lambda: None)
            return step(*arguments, **keywords)

    reset = network.reset_metrics
    monkeypatch.setattr(network, "train_on_batch", older)
    monkeypatch.setattr(network, "reset_metrics", lambda: calls.append("reset") or reset())
    loop.run()
    assert calls == ["reset", "step"] * loop.steps


def test_an_arcface_model_trains_with_the_margin_and_others_without(tmp_path):
    config = dataclasses.replace(CONFIG, model=ModelConfig(arcface=True, arcface_margin=0.3, arcface_scale=20.0))
    loss = make_loop(tmp_path / "arcface", config).network.loss
    assert isinstance(loss, ArcFaceLoss) and (loss.margin, loss.scale) == (0.3, 20.0)
    assert isinstance(make_loop(tmp_path / "linear").network.loss, keras.losses.CategoricalCrossentropy)


def test_the_best_epoch_by_recall_area(tmp_path):
    areas = [0.2, 0.9, 0.5]
    loop = make_loop(tmp_path / "run", recipe(monitor="recall_area"), recall_area=lambda logits: areas[len(loop.history)])
    outcome = loop.run()
    assert (outcome.best_epoch, outcome.best) == (2, 0.9) and [row["val_recall_area"] for row in outcome.history] == areas
    assert trained_run.best_metrics(loop.folder, "recall_area")["validation_recall_area"] == 0.9
