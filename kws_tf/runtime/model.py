"""A clip model: PCM in, class scores out."""

import dataclasses
import math
import pathlib

import numpy as np

from kws_tf import audio
from kws_tf.crop import fit_clip
from kws_tf.errors import AudioError, ConfigError, ModelFileError
from kws_tf.runtime import model_file
from kws_tf.runtime.features import FeatureExtractor
from kws_tf.runtime.interpreter import AUTO, open_interpreter


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer for one recording.

    Args:
        label: the class with the highest score. score: its probability.
        scores: probability of every class, in the order of the labels.
        duration_seconds: length of the recording. window_start_seconds: where the window that was scored begins in it; negative
            when the recording is shorter than the window and zeros come first.
    """

    label: str
    score: float
    scores: dict
    duration_seconds: float
    window_start_seconds: float


class Model:
    """A loaded clip model. One object serves one thread at a time; open one per thread to run in parallel.

    Made by load_model.

    Args:
        manifest: Manifest that the file was checked against.
        content: bytes of the file.
        interpreter, kernels, num_threads: see load_model.

    Raises:
        ModelFileError: the file is no clip model, or its tensors are not those of the manifest.
    """

    def __init__(self, manifest, content, *, interpreter=None, kernels=AUTO, num_threads=1):
        if manifest.kind != "clip":
            raise ModelFileError(f"{manifest.model_file}: a {manifest.kind} model; clips are scored by a clip model. Convert the run "
                                 "without --streaming, or play this file with runtime.Stream.")
        self.manifest = manifest
        self.kernels = kernels_for(manifest) if kernels == AUTO else kernels
        self.interpreter_name, self._interpreter = open_interpreter(
            content, interpreter=interpreter, kernels=self.kernels, num_threads=num_threads)
        self._input = _checked_tensor(manifest, "input", manifest.inputs, self._interpreter.get_input_details())
        self._output = _checked_tensor(manifest, "output", manifest.outputs, self._interpreter.get_output_details())
        _check_shapes(manifest)
        try:
            self._extract = FeatureExtractor(manifest.features) if manifest.input_kind == "features" else None
        except ConfigError as error:
            raise ModelFileError(f"manifest: {error}") from error

    @property
    def labels(self):
        """Class names in the order of the scores."""
        return self.manifest.labels

    def fit(self, pcm):
        """Cuts or pads a recording to the length that the network sees, as evaluation during training did.

        Args:
            pcm: int16 [samples].

        Returns:
            int16 [clip_samples], first sample of the window in the recording (negative when zeros come first).

        Raises:
            AudioError: not one-dimensional int16, or empty.
        """
        pcm = audio.checked_pcm(pcm)
        if not len(pcm):
            raise AudioError("a recording without samples cannot be scored.")
        return fit_clip(pcm, self.manifest.clip_samples, self.manifest.crop)

    def input_tensor(self, pcm):
        """What the graph gets for one clip: int16 PCM, or features in the type of the input.

        Args:
            pcm: int16 [clip_samples].
        """
        spec = self.manifest.inputs[0]
        values = self._extract(pcm) if self._extract else pcm
        if self._extract and spec.scale:
            values = quantise(values, spec)
        return values.reshape(spec.shape)

    def logits(self, pcm):
        """Class scores before the softmax.

        Args:
            pcm: int16 [samples], cut or padded by `fit`.

        Returns:
            float32 [classes].

        Raises:
            AudioError: see fit.
        """
        return self.invoke(self.input_tensor(self.fit(pcm)[0]))

    def invoke(self, tensor):
        """Runs the graph on an input tensor in the type and shape of the file.

        Returns:
            float32 [classes], dequantised.
        """
        self._interpreter.set_tensor(self._input, tensor)
        self._interpreter.invoke()
        values = self._interpreter.get_tensor(self._output).reshape(-1)
        spec = self.manifest.outputs[0]
        return dequantise(values, spec) if spec.scale else values.astype(np.float32)

    def scores(self, pcm):
        """Class probabilities: the softmax of the logits. Takes what `logits` takes."""
        return softmax(self.logits(pcm))

    def predict(self, recording):
        """Scores one recording.

        Args:
            recording: a file that soundfile reads, at any rate, or int16 [samples] at the model's rate.

        Returns:
            Prediction.

        Raises:
            AudioError: the recording cannot be used.
        """
        pcm = recording
        if isinstance(recording, (str, pathlib.PurePath)):
            pcm = audio.read_pcm(recording, self.manifest.sample_rate)
        clip, start = self.fit(pcm)
        scores = softmax(self.invoke(self.input_tensor(clip)))
        best = int(np.argmax(scores))
        rate = self.manifest.sample_rate
        return Prediction(self.labels[best], float(scores[best]), dict(zip(self.labels, map(float, scores), strict=True)),
                          len(pcm) / rate, start / rate)


def load_model(path, *, interpreter=None, kernels=AUTO, num_threads=1):
    """Opens an exported model after checking it.

    Args:
        path: a .tflite file, its export folder, or the name of a shipped model.
        interpreter: "tflite_runtime", "ai_edge_litert" or "tensorflow"; None for the first that works.
        kernels: "auto" (reference kernels for an integer file, so that every machine gives the same bytes as a microcontroller;
            optimised ones for float32), "optimised" (quicker; logits may differ by a few steps), "builtin" (optimised without
            XNNPACK) or "reference".
        num_threads: threads of one inference; the result does not depend on it.

    Returns:
        Model.

    Raises:
        ModelFileError: anything is wrong with the file, its manifest or its tensors.
        ConfigError: no interpreter is installed, or an argument is out of range.

    Example:
        >>> load_model("runs/pi/export/features").predict("yes.wav").label
        'yes'
    """
    manifest, content = model_file.read(path, "clip")
    return Model(manifest, content, interpreter=interpreter, kernels=kernels, num_threads=num_threads)


def quantise(values, spec):
    """float32 -> the integer type of a tensor: round half away from zero, then saturate."""
    limits = np.iinfo(spec.dtype)
    scaled = values / np.float32(spec.scale)
    stored = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)) + spec.zero_point
    return np.clip(stored, limits.min, limits.max).astype(spec.dtype)


def dequantise(values, spec):
    """The real values of an integer tensor, float32."""
    return (values.astype(np.float32) - np.float32(spec.zero_point)) * np.float32(spec.scale)


def softmax(logits):
    """Probabilities of logits along the last axis, float32."""
    powers = np.exp(np.asarray(logits, np.float64) - np.max(logits, axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)


def _check_shapes(manifest):
    """Compares the shapes at the borders of the graph with the clip length, the features and the labels."""
    shape, dtype = manifest.inputs[0].shape, manifest.inputs[0].dtype
    if manifest.input_kind == "features":
        expected = (1, manifest.features.n_frames(manifest.clip_samples), manifest.features.n_features, 1)
        if shape != expected or dtype not in ("float32", "int8"):
            raise ModelFileError(f"manifest: {manifest.clip_samples} samples give features of shape {list(expected)} for a float32 or int8 "
                                 f"input, but the input is {dtype} {list(shape)}.")
    elif math.prod(shape) != manifest.clip_samples or dtype != "int16":
        raise ModelFileError(f"manifest: a PCM input must be int16 with {manifest.clip_samples} elements; it is {dtype} {list(shape)}.")
    if math.prod(manifest.outputs[0].shape) != len(manifest.labels):
        raise ModelFileError(f"manifest: {len(manifest.labels)} labels, but the output is {list(manifest.outputs[0].shape)}.")


def kernels_for(manifest):
    """What kernels="auto" stands for: the ones that every machine computes alike for integers, the quick ones for float32."""
    return "optimised" if manifest.inputs[0].dtype == "float32" else "reference"


def _checked_tensor(manifest, side, specs, details):
    """Compares the only tensor of a side of the file with the manifest; returns its index."""
    if len(specs) != 1 or len(details) != 1:
        raise ModelFileError(f"{manifest.model_file}: a clip model has one {side}; the manifest lists {len(specs)}, "
                             f"the file has {len(details)}.")
    return check_tensor(manifest, side, specs[0], details[0])


def check_tensor(manifest, side, spec, detail):
    """Compares a tensor of the file with the manifest.

    Args:
        manifest: Manifest. side: "input" or "output", for the message. spec: TensorSpec. detail: the interpreter's description.

    Returns:
        Index of the tensor in the interpreter.

    Raises:
        ModelFileError: they differ.
    """
    scale, zero_point = detail["quantization"]
    for what, expected, found in (("name", spec.name, detail["name"]), ("shape", list(spec.shape), detail["shape"].tolist()),
                                  ("type", spec.dtype, np.dtype(detail["dtype"]).name),
                                  ("scale", np.float32(spec.scale), np.float32(scale)), ("zero point", spec.zero_point, int(zero_point))):
        if expected != found:
            raise ModelFileError(f"{manifest.model_file}: the {what} of the {side} is {found!r}, but the manifest says {expected!r}.")
    return detail["index"]
