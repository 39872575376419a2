"""Reads a finished run back: its configuration, its classes and the network with its best weights."""

import csv
import dataclasses
import math
import pathlib

import keras

from kws_tf.config import RunConfig
from kws_tf.counted import counted
from kws_tf.errors import TrainingError
from kws_tf.training.run_folder import RunFolder
from kws_tf.training.session import build_backbone


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A run that has best weights.

    Args:
        config: RunConfig. classes: names in the order of the logits.
        backbone: keras.Model, features [batch, time, frequency, 1] -> logits [batch, classes], with the best weights.
        metrics: epoch and validation figures of those weights; empty if the run has no history.
    """

    config: RunConfig
    classes: tuple
    backbone: keras.Model
    metrics: dict


def load(path):
    """The network of a run folder with its best weights. Weights are never drawn anew: any that are missing are an error.

    Args:
        path: the run folder.

    Returns:
        TrainedRun.

    Raises:
        TrainingError: no run, no best weights, or weights of another network.

    Example:
        >>> load("runs/pi").backbone.count_params()
    """
    folder = RunFolder(path)
    if not folder.config_file.is_file():
        raise TrainingError(f"{folder.path}: no run folder (config.json is missing). Give that of a finished training with --run_dir.")
    config = folder.config()
    classes = folder.labels()
    if len(classes) < 2:
        raise TrainingError(f"{folder.labels_file}: {counted(len(classes), 'class', 'classes')}, too few for a network.")
    if not folder.best_weights_file.is_file():
        raise TrainingError(f"{folder.best_weights_file}: there are no best weights: no epoch of this run has ended. "
                            f"Finish it with: python -m kws_tf.train --resume --run_dir {folder.path}")
    backbone = build_backbone(config, len(classes))
    load_weights(backbone, folder.best_weights_file)
    return TrainedRun(config, classes, backbone, best_metrics(folder, config.train.monitor))


def load_weights(backbone, path):
    """Puts stored weights into a network.

    Raises:
        TrainingError: the file is damaged or belongs to another network.
    """
    try:
        backbone.load_weights(path)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise TrainingError(f"{path}: these are not the weights of the network in config.json ({' '.join(str(error).split())[:300]}). "
                            "Restore the run folder, or train again.") from error


def best_metrics(folder, monitor):
    """epoch and validation_accuracy, validation_balanced_accuracy, validation_loss and the monitored metric of the best epoch by it,
    and the sparsity of SparkNet's gates in it.

    Args:
        folder: RunFolder. monitor: as of TrainConfig.

    Returns:
        dict; empty if history.csv is missing or has other columns.
    """
    sign, names = (-1 if monitor == "loss" else 1), tuple(dict.fromkeys(("accuracy", "balanced_accuracy", "loss", monitor)))
    if not pathlib.Path(folder.history_file).is_file():
        return {}
    try:
        with open(folder.history_file, newline="", encoding="utf-8") as file:
            rows = [(int(row["epoch"]), {name: float(row[f"val_{name}"]) for name in names}, row.get("sparsity"))
                    for row in csv.DictReader(file)]
    except (KeyError, ValueError, TypeError, OSError):
        return {}
    rows = [row for row in rows if all(map(math.isfinite, row[1].values()))]
    if not rows:
        return {}
    epoch, values, sparsity = max(rows, key=lambda row: (sign * row[1][monitor], -row[0]))
    gates = {"sparsity": float(sparsity)} if sparsity else {}
    return {"epoch": epoch, **{f"validation_{name}": values[name] for name in names}, **gates}
