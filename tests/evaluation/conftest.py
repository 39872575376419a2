"""A stream that reads its answer from the samples, for tests of what is done with scores."""

import dataclasses
import types

import numpy as np
import pytest

from kws_tf import runtime
from kws_tf.config import FeatureConfig
from kws_tf.manifest import Streaming, TensorSpec

HOP = 160


@dataclasses.dataclass(frozen=True)
class Frame:
    end_samples: int
    logits: np.ndarray


class SpokenStream:
    """Streams PCM in which the first sample of every 160 is the number of the class that is heard: 0, 1 or 2."""

    labels = ("_unknown_", "jarvis", "computer")

    def __init__(self, model_path, **options):
        self.manifest = types.SimpleNamespace(
            labels=self.labels, sample_rate=16000, features=FeatureConfig(), detector=None, kind="streaming", clip_samples=16000,
            model_file=str(model_path), outputs=(TensorSpec("logits", (1, 3), "int8", 0.25, 0),),
            streaming=Streaming(1, HOP, "internal", 0, 0.0, 98, ()))
        self.options = options
        self.reset()

    def reset(self):
        self._rest, self._taken = np.zeros(0, np.int16), 0

    def process(self, pcm):
        self._rest = np.concatenate([self._rest, pcm])
        frames = []
        while len(self._rest) >= HOP:
            self._taken += HOP
            frames.append(Frame(self._taken, np.where(np.arange(3) == self._rest[0], 100, -100).astype(np.int8)))
            self._rest = self._rest[HOP:]
        return frames


def speak(n_hops, words):
    """int16 PCM in which class k is heard in hops first to last for every (k, first, last) of the words."""
    pcm = np.zeros(n_hops * HOP, np.int16)
    for k, first, last in words:
        pcm[first * HOP:last * HOP:HOP] = k
    return pcm


@pytest.fixture
def spoken_stream(monkeypatch):
    """Puts SpokenStream in the place of runtime.Stream; returns `speak`."""
    monkeypatch.setattr(runtime, "Stream", SpokenStream, raising=False)
    return speak
