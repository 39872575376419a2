"""One folder per training run: its configuration, labels, history, checkpoints, best weights and exports."""

import csv
import dataclasses
import io
import json
import os
import pathlib
import shutil

from kws_tf import atomic_file
from kws_tf.config import RunConfig, from_dict, to_dict
from kws_tf.errors import ConfigError, TrainingError

_MADE_HERE = ("config.json", "labels.txt", "history.csv", "curves.png", "best.weights.h5", "checkpoints", "export", "evaluation.json",
              "confusion.png", "tensorboard")


class RunFolder:
    """Paths of a run, and the rules for starting, continuing and replacing one.

        config.json  labels.txt  history.csv  curves.png  best.weights.h5  checkpoints/last.npz
        export/<profile>/  evaluation.json  confusion.png  tensorboard/

    Args:
        path: the folder; made by `start`.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.config_file = self.path / "config.json"
        self.labels_file = self.path / "labels.txt"
        self.history_file = self.path / "history.csv"
        self.curves_file = self.path / "curves.png"
        self.best_weights_file = self.path / "best.weights.h5"
        self.checkpoint_file = self.path / "checkpoints" / "last.npz"
        self.export_dir = self.path / "export"
        self.evaluation_file = self.path / "evaluation.json"
        self.confusion_file = self.path / "confusion.png"
        self.tensorboard_dir = self.path / "tensorboard"

    def config(self):
        """The RunConfig of the run.

        Raises:
            TrainingError: there is no run here, or its config.json cannot be read.
        """
        if not self.config_file.exists():
            raise TrainingError(f"{self.path}: no run to continue here (config.json is missing). Give the folder of a run with --run_dir, "
                                "or leave --resume away to start one.")
        try:
            return from_dict(RunConfig, json.loads(self.config_file.read_text(encoding="utf-8")))
        except (ValueError, AttributeError, TypeError, ConfigError) as error:
            raise TrainingError(f"{self.config_file}: cannot be read as a run's configuration ({error}).") from error

    def labels(self):
        """Class names in the order of the outputs.

        Raises:
            TrainingError: labels.txt is missing or is no text.
        """
        try:
            return tuple(self.labels_file.read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise TrainingError(f"{self.labels_file}: the classes of the run cannot be read ({error}). Restore the run folder, or train "
                                "again.") from error

    def require_free(self, overwrite=False):
        """Refuses a folder that a new run cannot take.

        Args:
            overwrite: whether a previous run may be replaced, also one that was killed before it had its config.json.

        Raises:
            TrainingError: the folder holds a run already, is in use for something else, or lies in what is no folder.
        """
        parent = next((path for path in self.path.parents if os.path.lexists(path)), None)
        if parent is not None and not parent.is_dir():
            raise TrainingError(f"{self.path}: cannot be made, because {parent} is no folder. Choose another folder with --run_dir.")
        if self.config_file.exists():
            if not overwrite:
                raise TrainingError(f"{self.path}: holds a run already. Continue it with --resume, choose another folder with --run_dir, "
                                    "or replace it with --overwrite.")
        elif self.path.is_file() or self.path.is_dir() and any(not (overwrite and _is_of_a_run(path)) for path in self.path.iterdir()):
            raise TrainingError(f"{self.path}: exists and is not a run folder (no config.json). Choose another folder with --run_dir.")

    def start(self, config, labels, overwrite=False):
        """Makes the folder of a new run and writes labels.txt and config.json.

        Args:
            config: RunConfig. labels: class names in the order of the outputs.
            overwrite: remove what a previous run made here first. Other files in the folder stay.

        Raises:
            TrainingError: see require_free.
        """
        self.require_free(overwrite)
        for path in [self.path / name for name in _MADE_HERE] + [path for path in self.path.glob(".*") if atomic_file.is_temporary(path)]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        self.checkpoint_file.parent.mkdir(parents=True, exist_ok=True)
        atomic_file.write_text(self.labels_file, "".join(f"{label}\n" for label in labels))
        self.write_config(config)

    def write_config(self, config):
        """Replaces config.json by a RunConfig."""
        atomic_file.write_text(self.config_file, json.dumps(to_dict(config), indent=2) + "\n")

    def write_history(self, history):
        """Replaces history.csv: one line per epoch, columns named by the keys of the first."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        atomic_file.write_text(self.history_file, text.getvalue())


def _is_of_a_run(path):
    return path.name in _MADE_HERE or atomic_file.is_temporary(path)


def changed_fields(stored, asked):
    """Fields that differ between two RunConfigs and that change the course of a run.

    cache_dir changes nothing, and epochs changes nothing that has been trained unless the schedule is a curve over all of them.

    Returns:
        Lines "name: stored value -> asked value".
    """
    free = {"cache_dir"} | ({"epochs"} if stored.train.schedule in ("plateau", "constant") else set())
    lines = []
    for part in dataclasses.fields(RunConfig):
        before, after = getattr(stored, part.name), getattr(asked, part.name)
        lines += [f"{field.name}: {getattr(before, field.name)!r} -> {getattr(after, field.name)!r}" for field in dataclasses.fields(before)
                  if field.name not in free and getattr(before, field.name) != getattr(after, field.name)]
    return lines


def require_same_run(stored, asked):
    """Refuses to continue a run under another configuration.

    Raises:
        TrainingError: names every changed field with both values.
    """
    changed = changed_fields(stored, asked)
    if changed:
        raise TrainingError(f"--resume continues a run unchanged, but these settings differ: {'; '.join(changed)}. "
                            "Leave them away (the run keeps its own), or start another run with --run_dir.")


def default_name(config):
    """Folder name of a run when none is given, such as "speech_commands-bc_resnet1-logmel40-seed1"."""
    dataset = pathlib.Path(config.data.data_root).resolve().name or "run"
    features = f"{config.features.kind}{config.features.n_features}"
    size = f"{config.model.tau:g}" if config.model.model == "bc_resnet" else f"{config.model.channels or ''}"
    return f"{dataset}-{config.model.model}{size}-{features}-seed{config.train.seed}"
