"""A streaming model: PCM in as it comes, class scores out for every frame."""

import typing

import numpy as np

from kws_tf.audio import checked_pcm
from kws_tf.errors import AudioError, ConfigError, ModelFileError
from kws_tf.runtime import model_file
from kws_tf.runtime.features import FeatureStream
from kws_tf.runtime.interpreter import AUTO, open_interpreter
from kws_tf.runtime.model import check_tensor, dequantise, kernels_for, quantise, softmax


class ScoredFrame(typing.NamedTuple):
    """The answer for one frame of a recording.

    Args:
        end_samples: samples since the reset up to the end of the hop of this frame. A network that looks ahead answers for the audio
            manifest.streaming.delay_frames before that.
        logits: [classes], as the file gives them: int8, or float32. Of a file with one probability q: uint8 [255 - q, q].
        scores: float32 [classes], their probabilities.
    """

    end_samples: int
    logits: np.ndarray
    scores: np.ndarray


class Stream:
    """Plays a streaming file, with internal or external state, with PCM or features as input, with logits or one probability as output.

    The scores do not depend on how a recording is cut into chunks, on the frames per step of the file, or on the kind of its state:
    that of frame t is the mean of the logits of the offline network, for all audio since the reset, over the window_frames frames
    that end with t. Before the recording lie window - hop samples of silence, and frames whose logits are zero. docs/streaming.md
    states it exactly. One object serves one thread at a time.

    Args:
        path: a .tflite file, its export folder, or the name of a shipped model.
        interpreter: "tflite_runtime", "ai_edge_litert" or "tensorflow"; None for the first that works.
        kernels: see runtime.load_model.

    Attributes:
        manifest: Manifest that the file was checked against.
        labels: class names in the order of the logits.
        hop_samples: samples that one inference takes.

    Raises:
        ModelFileError: the file is no streaming model, is damaged, or its tensors are not those of the manifest.
        ConfigError: no interpreter is installed, or an argument is out of range.

    Example:
        stream = Stream("runs/pi/export/pi_stream")
        for chunk in microphone:                                 # int16, any length
            for frame in stream.process(chunk):
                if frame.scores.argmax() == 2:
                    ...
    """

    def __init__(self, path, *, interpreter=None, kernels=AUTO):
        manifest, content = model_file.read(path, "streaming")
        if manifest.kind != "streaming":
            raise ModelFileError(f"{manifest.model_file}: a {manifest.kind} model; a stream needs one made with --streaming.")
        self._interpreter_name = interpreter
        self.kernels = kernels_for(manifest) if kernels == AUTO else kernels
        self._play(manifest, content)
        try:
            self._extract = FeatureStream(manifest.features) if manifest.input_kind == "features" else None
        except ConfigError as error:
            raise ModelFileError(f"manifest: {error}") from error
        self._begin()

    def reset(self):
        """Forgets all audio: what follows is a new recording."""
        if self._section.state == "internal":
            # Variables are set by the first inference of an interpreter, and no runtime in use can run that part again.
            self._open()
        self._begin()

    def process(self, pcm):
        """Takes the next samples.

        Args:
            pcm: int16 [samples], any number of them, 0 too.

        Returns:
            list of ScoredFrame, one for every frame that became complete; what is left waits for the next call.

        Raises:
            AudioError: not one-dimensional int16, or the recording was ended by flush().
        """
        return self._frames(self.logits(pcm))

    def logits(self, pcm):
        """As process, without an object for every score.

        Args:
            pcm: int16 [samples].

        Returns:
            [scores, classes], the logits of process.

        Raises:
            AudioError: see process.
        """
        pcm = checked_pcm(pcm)
        if self._ended:
            raise AudioError("this recording was ended by flush(); call reset() before the next one.")
        samples = np.concatenate([self._waiting, pcm])
        whole = len(samples) // self.hop_samples * self.hop_samples
        self._waiting = samples[whole:]
        rows = [self._step(values, self._section.hop_frames) for values in self._input_tensors(samples[:whole])]
        return np.concatenate(rows) if rows else np.zeros((0, len(self.labels)), self._output.dtype)

    def flush(self):
        """Ends a recording: scores the frames that wait for the rest of a step, and those that wait for audio to come.

        Returns:
            list of ScoredFrame. Samples that fill no whole hop of one frame count for nothing, as in a clip.
        """
        if self._ended:
            return []
        section, hop = self._section, self.manifest.features.hop_samples
        rest = len(self._waiting) // hop
        n_scores = -(-rest // section.stride_frames) + section.delay_frames // section.stride_frames
        rows = []
        while len(rows) < n_scores:
            pcm = np.zeros(self.hop_samples, np.int16)
            pcm[:rest * hop] = self._waiting[:rest * hop]
            rows += [row for values in self._input_tensors(pcm) for row in self._step(values, rest)]
            rest = 0
        self._ended = True
        return self._frames(np.array(rows))[:n_scores] if rows else []

    def _begin(self):
        self._waiting = np.zeros(0, np.int16)
        if self._extract is not None:
            self._extract.reset()
        self._n_scores, self._ended = 0, False
        self._state = {state.input: np.full(state.shape, state.zero_point, state.dtype) for state in self._section.states if state.input}

    def _step(self, values, n_valid):
        """One inference: the logits [scores, classes] of a step whose first n_valid frames belong to the recording."""
        self._interpreter.set_tensor(self._inputs[self._input.name], values)
        if self._section.valid:
            index = self._inputs[self._section.valid]
            valid = np.arange(self._section.hop_frames) < n_valid
            self._interpreter.set_tensor(index, valid.reshape(1, -1, 1, 1).astype(self._input_spec(self._section.valid).dtype))
        for name, value in self._state.items():
            self._interpreter.set_tensor(self._inputs[name], value)
        self._interpreter.invoke()
        for state in self._section.states:
            if state.output:
                self._state[state.input] = self._interpreter.get_tensor(self._outputs[state.output])
        logits = self._interpreter.get_tensor(self._outputs[self._output.name]).reshape(self._section.hop_scores, -1)
        self._n_scores += len(logits)
        return logits if self.manifest.wake_word is None else np.concatenate([255 - logits, logits], axis=1)

    def _frames(self, logits):
        """The ScoredFrames of the newest logits."""
        hop = self._section.stride_frames * self.manifest.features.hop_samples
        ends = hop * np.arange(self._n_scores - len(logits) + 1, self._n_scores + 1)
        return list(map(ScoredFrame, ends.tolist(), logits, self._scores(logits)))

    def _scores(self, logits):
        if self.manifest.wake_word is not None:
            return logits / np.float32(255)
        return softmax(dequantise(logits, self._output) if self._output.scale else logits) if len(logits) else logits

    def _input_tensors(self, samples):
        """What the file gets for every step of [steps * hop_samples] of PCM."""
        for start in range(0, len(samples), self.hop_samples):
            pcm = samples[start:start + self.hop_samples]
            if self._extract is None:
                yield pcm.reshape(self._input.shape)
            else:
                values = self._extract(pcm)
                yield (quantise(values, self._input) if self._input.scale else values).reshape(self._input.shape)

    def _play(self, manifest, content):
        """Opens a file that was read."""
        self.manifest, self.labels, self.hop_samples = manifest, manifest.labels, manifest.streaming.hop_samples
        self._section, self._content = manifest.streaming, content
        self._check_manifest()
        self._open()

    def _open(self):
        _, self._interpreter = open_interpreter(self._content, interpreter=self._interpreter_name, kernels=self.kernels)
        self._inputs = self._tensors("input", self.manifest.inputs, self._interpreter.get_input_details())
        self._outputs = self._tensors("output", self.manifest.outputs, self._interpreter.get_output_details())

    def _tensors(self, side, specs, details):
        """Name -> index in the interpreter, all compared with the manifest."""
        if len(specs) != len(details):
            raise ModelFileError(f"{self.manifest.model_file}: the manifest lists {len(specs)} {side}s, the file has {len(details)}.")
        return {spec.name: check_tensor(self.manifest, side, spec, detail) for spec, detail in zip(specs, details, strict=True)}

    def _input_spec(self, name):
        return next(spec for spec in self.manifest.inputs if spec.name == name)

    def _check_manifest(self):
        """Compares the parts of the manifest with each other; sets the tensors of samples and logits."""
        manifest, section = self.manifest, self._section
        ins, outs = ({spec.name: spec for spec in specs} for specs in (manifest.inputs, manifest.outputs))
        for state in section.states:
            for name, specs in ((state.input, ins), (state.output, outs)):
                found = specs.pop(name, None) if name else None
                if name and (found is None or (found.shape, found.dtype, found.scale, found.zero_point)
                             != (state.shape, state.dtype, state.scale, state.zero_point)):
                    raise ModelFileError(f"manifest: state {state.name} and its tensor {name!r} do not agree.")
        valid = ins.pop(section.valid, None)
        if (valid is None) != (not section.valid) or len(ins) != 1 or len(outs) != 1:
            raise ModelFileError(f"manifest: a streaming model has one input and one output beside its states; it lists {', '.join(ins)} "
                                 f"and {', '.join(outs)}.")
        (self._input,), (self._output,) = ins.values(), outs.values()
        hop_samples = section.hop_frames * manifest.features.hop_samples
        shape, dtypes = (1, hop_samples), ("int16",)
        if manifest.input_kind == "features":
            shape, dtypes = (1, section.hop_frames, manifest.features.n_features, 1), ("int8", "float32")
        if manifest.wake_word is not None:
            shape = shape[:3]
            if (self._output.shape, self._output.dtype, section.hop_scores) != ((1, 1), "uint8", 1):
                raise ModelFileError(f"manifest: one probability per step is expected, uint8 [1, 1]; listed is {self._output.dtype} "
                                     f"{list(self._output.shape)}.")
        if self._input.shape != shape or self._input.dtype not in dtypes or section.hop_samples != hop_samples:
            raise ModelFileError(f"manifest: a step of {section.hop_frames} frames is {hop_samples} samples, {' or '.join(dtypes)} "
                                 f"{list(shape)}; listed are {section.hop_samples} samples, {self._input.dtype} {list(self._input.shape)}.")
        n_outputs = int(np.prod(self._output.shape))
        if manifest.wake_word is None and n_outputs != section.hop_scores * len(manifest.labels):
            raise ModelFileError(f"manifest: {len(manifest.labels)} labels and {section.hop_scores} scores per step, but the output is "
                                 f"{list(self._output.shape)}.")
