"""Small folders of clips that no two sound the same, and the log as a list of lines."""

import logging as standard_logging
import pathlib
import wave

import numpy as np
import pytest
from absl import logging

from kws_tf.config import DataConfig
from kws_tf.dataset import decode

RATE = 16000


class Folder:
    """A data set in the making below a root."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.n_written = 0

    def clip(self, path, n_samples=1600, rate=RATE, pcm=None):
        """Writes a clip of noise that differs from all others; returns its samples."""
        self.n_written += 1
        if pcm is None:
            pcm = np.random.default_rng(self.n_written).integers(-9000, 9000, n_samples, dtype=np.int16)
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(target), "wb") as file:
            file.setparams((1, 2, rate, len(pcm), "NONE", ""))
            file.writeframes(pcm.astype("<i2").tobytes())
        return pcm

    def fill(self, splits=("training", "validation", "testing"), classes=("no", "yes"), n_clips=2):
        """Writes n_clips clips of each class of each split; returns their samples by path."""
        paths = [f"{split}/{name}/{i}.wav" for split in splits for name in classes for i in range(n_clips)]
        return {path: self.clip(path) for path in paths}

    def config(self, **settings):
        return DataConfig(**{"data_root": str(self.root / ""), "clip_duration": 0.1, "cache_dir": str(self.root.parent / "cache"),
                             "audio_backend": "soundfile", **settings})


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "clips")


@pytest.fixture
def log(caplog):
    """Function that returns the lines logged so far."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.INFO)
    caplog.set_level(standard_logging.INFO, "absl")
    decode.choose.cache_clear()
    yield lambda: [record.getMessage() for record in caplog.records]
    logging.set_verbosity(verbosity)
