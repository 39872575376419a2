"""A streaming model that reads its answer from the samples: for tests of what is done with scores."""

import typing

import numpy as np

from kws_tf import manifest as manifests
from kws_tf.config import FeatureConfig
from kws_tf.manifest import Manifest, Streaming, TensorSpec
from kws_tf.runtime import model_file

HOP = 160
LOUDNESS = 1000
LABELS = ("_unknown_", "jarvis", "computer")
CONTENT = b"\0\0\0\0TFL3 no model"


class Frame(typing.NamedTuple):
    end_samples: int
    logits: np.ndarray
    scores: np.ndarray


class SpokenStream:
    """Streams PCM in which the first sample of every 160 is a thousand times the class that is heard: 0, 1 or 2."""

    def __init__(self, path, *, interpreter=None, kernels="auto"):
        self.manifest, _ = model_file.read(path)
        self.labels, self.hop_samples = self.manifest.labels, HOP
        self.reset()

    def reset(self):
        self._rest, self._taken = np.zeros(0, np.int16), 0

    def process(self, pcm):
        self._rest = np.concatenate([self._rest, pcm])
        frames = []
        while len(self._rest) >= HOP:
            self._taken += HOP
            heard = np.arange(3) == round(self._rest[0] / LOUDNESS)
            frames.append(Frame(self._taken, np.where(heard, 100, -100).astype(np.int8), heard.astype(np.float32)))
            self._rest = self._rest[HOP:]
        return frames

    def logits(self, pcm):
        return np.array([frame.logits for frame in self.process(pcm)], np.int8).reshape(-1, 3)

    def flush(self):
        return []


def write_model(folder, **changes):
    """Writes an export folder that the stream can be opened with; changes are fields of the manifest."""
    values = {
        "model_file": "model.tflite", "model_id": manifests.model_id(CONTENT), "model_bytes": len(CONTENT), "kind": "streaming",
        "profile": "pi", "labels": LABELS, "sample_rate": 16000, "clip_samples": 16000, "features": FeatureConfig(), "input_kind": "pcm",
        "inputs": (TensorSpec("pcm", (1, HOP), "int16"),), "outputs": (TensorSpec("logits", (1, 3), "int8", 0.25, 0),),
        "operators": (), "macs": 1000, "parameters": 77, "kws_tf_version": "0.1.0",
        "streaming": Streaming(1, HOP, "internal", 0, 0.0, 98, ()), **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(CONTENT)
    (folder / "manifest.json").write_text(manifests.to_json(Manifest(**values)))
    return folder


def speak(n_hops, words):
    """int16 PCM in which class k is heard in hops first to last for every (k, first, last) of the words."""
    pcm = np.zeros(n_hops * HOP, np.int16)
    for k, first, last in words:
        pcm[first * HOP:last * HOP:HOP] = LOUDNESS * k
    return pcm
