"""A run folder and its data set, for tools that start from one."""

import dataclasses
import sys
import types

import pytest

from kws_tf import convert, program, train
from kws_tf.training.run_folder import RunFolder


@pytest.fixture(scope="session")
def data_root(tone_dataset, tmp_path_factory):
    """The tones with their testing clips for training too."""
    root = tmp_path_factory.mktemp("somewhere") / "tones"
    root.mkdir()
    for split in ("training", "testing"):
        (root / split).symlink_to(tone_dataset / "testing")
    return root


@pytest.fixture(scope="session")
def run_dir(small_network, data_root, tmp_path_factory):
    """A run folder with the weights of the small network."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "small")
    data = dataclasses.replace(small_network.config.data, data_root=str(data_root), cache_dir=str(data_root.parent / "cache"))
    folder.start(dataclasses.replace(small_network.config, data=data), small_network.classes)
    small_network.model.save_weights(folder.best_weights_file)
    return folder.path


@pytest.fixture
def train_and_convert_here(run_program, monkeypatch):
    """What kws_tf.program starts as kws_tf.train and kws_tf.convert runs in this process, where TensorFlow is loaded already; all else
    in a process of its own, as always."""
    here, start = {"kws_tf.train": train, "kws_tf.convert": convert}, program.subprocess.run

    def run(command, **options):
        if command[:2] == [sys.executable, "-m"] and command[2] in here:
            return types.SimpleNamespace(returncode=run_program(here[command[2]], *command[3:]))
        return start(command, **options)

    monkeypatch.setattr(program.subprocess, "run", run)
