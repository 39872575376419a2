"""A run folder and its data set, for tools that start from one."""

import dataclasses

import pytest

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
