"""The training loop: epochs, validation, best weights, checkpoints, early stop, exact resume."""

import collections
import contextlib
import dataclasses
import math
import pathlib
import tempfile
import time

import keras
import numpy as np
from absl import logging
from tqdm import tqdm

from kws_tf import atomic_file
from kws_tf.errors import TrainingError
from kws_tf.training import checkpoint, metrics, plots, randomness
from kws_tf.training.arcface import ArcFaceLoss
from kws_tf.training.curriculum import Curriculum
from kws_tf.training.monitor import Monitor
from kws_tf.training.optimizer import CoupledSGD
from kws_tf.training.pre_roll import PreRoll
from kws_tf.training.schedule import Schedule
from kws_tf.training.time_left import TimeLeft

EVALUATION_BATCH = 128
SECONDS_BETWEEN_PLOTS = 60
PRE_ROLL_STREAM = 1


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a finished run achieved.

    Args:
        history: one dict per epoch, the columns of history.csv: epoch, lr, loss, accuracy, the network's own metrics (such as
            the sparsity of SparkNet), val_loss, val_accuracy, val_balanced_accuracy, the same with _pre_roll if some batches are
            trained with it, seconds.
        best_epoch: from 1. best: value of the monitored metric in that epoch.
        stopped_early: whether patience ended the run.
    """

    history: list
    best_epoch: int
    best: float
    stopped_early: bool

    @property
    def best_row(self):
        """The history row of the best epoch."""
        return self.history[self.best_epoch - 1]


def split_logits(network, split, config, pre_roll=False):
    """Logits of every clip of a split, in its order, with the evaluation crop.

    Args:
        network: TrainingNetwork. split: kws_tf.dataset Split. config: RunConfig.
        pre_roll: whether each clip follows on train.pre_roll_frames of other clips of the split, the same in every call, instead of
            starting from a state of zeros.

    Returns:
        float32 [clips, classes].
    """
    size = min(EVALUATION_BATCH, split.n_clips)
    earlier = PreRoll(config.train.pre_roll_frames, config.features.hop_samples, speech_share=1.0) if pre_roll else None
    generator = np.random.default_rng(0)
    logits = None
    # With pre-roll in random order: paths are sorted by class, and clips would follow on clips of their own class.
    for pcm, labels, indices in split.batches(size, config.clip_samples, config.data.eval_crop, seed=0, epoch=0, shuffle=pre_roll):
        n = len(labels)
        # The last batch is filled up, so that one compiled graph serves all.
        filled = [_filled(pcm, size), np.zeros(size, np.int32)]
        if earlier:
            filled.append(_filled(earlier(pcm, generator), size))
        part = np.asarray(network.predict_on_batch(tuple(filled)))[:n]
        if logits is None:
            logits = np.zeros((split.n_clips, part.shape[1]), part.dtype)
        logits[indices] = part
    return logits


def _filled(pcm, size):
    return np.concatenate([pcm, np.zeros((size - len(pcm), pcm.shape[1]), pcm.dtype)])


def _loss(config):
    smoothing = config.train.label_smoothing
    if config.model.arcface:
        return ArcFaceLoss(config.model.arcface_margin, config.model.arcface_scale, smoothing)
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)


class Loop:
    """Trains a network in a run folder.

    Every epoch ends with validation, the best weights if they are better, and a checkpoint that holds all there is to know: a
    kill loses the epoch at work and nothing else, and the continued run equals the uninterrupted one (on one thread bit for bit).

    Args:
        network: TrainingNetwork. folder: RunFolder. config: RunConfig.
        training, validation: Splits with the same classes.
        n_classes: outputs of the network.
        recall_area: ClipRecallArea of the validation clips, for the monitor of that name; else None.
        on_epoch: called with the history row of every finished epoch, or None.
        curriculum: Curriculum; None for the configuration as it is, all the time.

    Raises:
        ConfigError: see Schedule.
    """

    def __init__(self, network, folder, config, *, training, validation, n_classes, recall_area=None, on_epoch=None, curriculum=None):
        self.network, self.folder, self.config = network, folder, config
        self.training, self.validation = training, validation
        self.n_classes = n_classes
        self.recall_area = recall_area
        self.on_epoch = on_epoch
        self.curriculum = curriculum or Curriculum("", config.augment, ())
        recipe = config.train
        if recipe.batch_size > training.n_clips:
            logging.warning("batch_size=%d is more than the %d training clips: every step takes all of them, one step an epoch. "
                            "A smaller --batch_size learns in fewer epochs.", recipe.batch_size, training.n_clips)
        self.batch_size = min(recipe.batch_size, training.n_clips)
        self.steps = training.n_clips // self.batch_size
        self.schedule = Schedule(recipe, self.steps)
        self.monitor = Monitor(recipe.monitor, recipe.patience, recipe.warmup_epochs)
        self.pre_roll = PreRoll(recipe.pre_roll_frames, config.features.hop_samples) if recipe.pre_roll_probability else None
        self.class_weights = metrics.class_weights(recipe.class_weights, training.labels, n_classes)
        self.history = []
        self.falls = 0
        self._last_plot = time.monotonic()
        self._time_left = TimeLeft(recipe.epochs)
        network.compile(
            CoupledSGD(float(recipe.lr), recipe.momentum, recipe.weight_decay),
            _loss(config),
            metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
            # XLA makes depthwise convolutions about five times slower on CPUs.
            jit_compile="auto" if keras.backend.backend() == "jax" else False)
        network.optimizer.build(network.trainable_variables)

    def resume(self):
        """Continues from the checkpoint of the folder; without one, the run was ended in its first epoch and starts there.

        Raises:
            TrainingError: the checkpoint is damaged, belongs to another network or was trained on other clips.
        """
        if not self.folder.checkpoint_file.exists():
            logging.info("%s: no epoch was finished; starting from the first.", self.folder.path)
            return
        state = checkpoint.restore(self.folder.checkpoint_file, self.network)
        clips, digests = self._clips("n_clips"), self._clips("digest")
        if state["clips"] != clips:
            raise TrainingError(f"{self.folder.path}: the run was trained on {state['clips']} clips, the dataset now has {clips}. "
                                "Restore the dataset, or start another run with --run_dir.")
        if state.get("clip_digests", digests) != digests:
            raise TrainingError(f"{self.folder.path}: the run was trained on as many clips as the dataset has, but names, classes or "
                                "lengths of some have changed. Restore the dataset, or start another run with --run_dir.")
        self.history, self.falls, self.monitor.state = state["history"], state["falls"], state["monitor"]
        self.folder.write_history(self.history)
        logging.info("%s: continuing after epoch %d.", self.folder.path, len(self.history))

    def run(self):
        """Trains to the last epoch or until patience ends; curves.png is drawn even when interrupted.

        Returns:
            Outcome.

        Raises:
            TrainingError: a loss is not finite. The checkpoint of the epoch before stays.
        """
        self._time_left = TimeLeft(self.config.train.epochs, len(self.history))
        try:
            while len(self.history) < self.config.train.epochs and not self.monitor.exhausted:
                self._epoch(len(self.history))
        except BaseException:
            # A picture that fails too, such as on a full disk, would hide why.
            with contextlib.suppress(Exception):
                self._draw_curves()
            raise
        self._draw_curves()
        stopped = self.monitor.exhausted and len(self.history) < self.config.train.epochs
        if stopped:
            logging.info("stopped: no better validation %s for %d epochs.", self.monitor.metric, self.monitor.patience)
        return Outcome(self.history, self.monitor.state["best_epoch"], self.monitor.state["best"], stopped)

    def _epoch(self, epoch):
        begun = time.monotonic()
        n_epochs = self.config.train.epochs
        randomness.reset_generators(self.network, self.config.train.seed, epoch)
        stage = self.curriculum.at(epoch)
        self.network.set_stage(stage.rir_prob, stage.noise_prob, stage.noise_snr_db)
        means, rate = self._train(epoch)
        logits = split_logits(self.network, self.validation, self.config)
        result = metrics.scores(logits, self.validation.labels)
        if self.recall_area is not None:
            result["recall_area"] = self.recall_area(logits)
        if not math.isfinite(result["loss"]):
            raise TrainingError(self._not_finite("validation loss", result["loss"], epoch, self.steps, rate))
        validated = {f"val_{name}": value for name, value in result.items()}
        if self.pre_roll:
            logits = split_logits(self.network, self.validation, self.config, pre_roll=True)
            validated |= {f"val_{name}_pre_roll": value for name, value in metrics.scores(logits, self.validation.labels).items()}
        row = {"epoch": epoch + 1, "lr": rate, **means, **validated, "seconds": round(time.monotonic() - begun, 2)}
        self.history.append(row)
        better = self.monitor.update(result)
        self.falls += self.schedule.falls_after(self.monitor.stale)
        self._store(better)
        if self.on_epoch is not None:
            self.on_epoch(row)
        self._time_left.finish(epoch + 1)
        logging.info("epoch %*d/%d  %s | validation: loss %.4f  accuracy %.4f  balanced %.4f%s%s | lr %.4g | %.1f s, %s left",
                     len(str(n_epochs)), epoch + 1, n_epochs, "  ".join(f"{name} {mean:.4f}" for name, mean in means.items()),
                     result["loss"], result["accuracy"], result["balanced_accuracy"],
                     (f"  recall area {result['recall_area']:.4f}" if self.recall_area is not None else "")
                     + (f"  with pre-roll {row['val_accuracy_pre_roll']:.4f}" if self.pre_roll else ""), "  best" if better else "", rate,
                     row["seconds"], self._time_left.text(epoch + 1))

    def _train(self, epoch):
        """One pass over the training clips; returns ({"loss", "accuracy", the network's own metrics}: means, the last learning rate)."""
        network, totals, rate = self.network, collections.Counter(), 0.0
        generator = np.random.default_rng((self.config.train.seed, epoch, PRE_ROLL_STREAM))
        eye = np.eye(self.n_classes, dtype=np.float32)
        weighted = self.config.train.class_weights != "none"
        weights = self.curriculum.clip_weights(self.training.labels, epoch)
        drawn = {} if weights is None else {"weights": weights}
        batches = self.training.batches(self.batch_size, self.config.clip_samples, self.config.data.train_crop,
                                        seed=self.config.train.seed, epoch=epoch, shuffle=True, drop_remainder=True, **drawn)
        bar = tqdm(batches, total=self.steps, desc=f"epoch {epoch + 1}/{self.config.train.epochs}", unit="step", leave=False, disable=None)
        for step, (pcm, labels, _) in enumerate(bar):
            rate = self.schedule.rate(epoch * self.steps + step, self.falls)
            network.optimizer.learning_rate = rate
            inputs = (pcm, labels)
            if self.pre_roll and generator.random() < self.config.train.pre_roll_probability:
                inputs = (*inputs, self.pre_roll(pcm, generator))
            # train_on_batch of Keras 3.12, the last for Python 3.10, does not: its metrics would be means since the process began.
            network.reset_metrics()
            logs = network.train_on_batch(inputs, eye[labels], self.class_weights[labels] if weighted else None, return_dict=True)
            if not math.isfinite(logs["loss"]):
                bar.close()
                raise TrainingError(self._not_finite("loss", logs["loss"], epoch, step + 1, rate))
            totals.update({name: float(value) for name, value in logs.items()})
            done = epoch + (step + 1) / self.steps
            bar.set_postfix_str(f"loss {totals['loss'] / (step + 1):.4f}, run {self._time_left.text(done)} left", refresh=False)
        return {name: float(totals[name] / self.steps) for name in dict.fromkeys(("loss", "accuracy", *totals))}, rate

    def _store(self, better):
        """Best weights first, then the checkpoint: a kill between them repeats the epoch and writes the same weights again."""
        if better:
            # HDF5 crashes on a full disk; a copy gives one error.
            with tempfile.TemporaryDirectory() as scratch:
                whole = pathlib.Path(scratch, self.folder.best_weights_file.name)
                self.network.backbone.save_weights(whole)
                atomic_file.write_bytes(self.folder.best_weights_file, whole.read_bytes())
        state = {"history": self.history, "falls": self.falls, "monitor": self.monitor.state, "clips": self._clips("n_clips"),
                 "clip_digests": self._clips("digest")}
        checkpoint.save(self.folder.checkpoint_file, self.network, state)
        self.folder.write_history(self.history)
        if time.monotonic() - self._last_plot > SECONDS_BETWEEN_PLOTS:
            self._draw_curves()

    def _clips(self, what):
        return {"training": getattr(self.training, what), "validation": getattr(self.validation, what)}

    def _draw_curves(self):
        self._last_plot = time.monotonic()
        if self.history:
            plots.draw_curves(self.history, self.folder.curves_file, self.folder.path.name, self.monitor.metric)

    def _not_finite(self, what, value, epoch, step, rate):
        kept = f"The checkpoint of epoch {epoch} is kept in {self.folder.checkpoint_file}." if epoch else "No epoch was finished."
        return (f"{what} became {value} in epoch {epoch + 1}, step {step} of {self.steps}, at learning rate {rate:.3g}. Try a lower --lr, "
                f"a longer --warmup_epochs or a larger --batch_size. {kept}")
