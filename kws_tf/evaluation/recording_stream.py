"""The stream that evaluation listens with: the scores of runtime.Stream, sooner."""

import dataclasses

import numpy as np
from absl import logging

from kws_tf.errors import ConversionError
from kws_tf.evaluation import file_parts
from kws_tf.front_end import IntegerFeatures
from kws_tf.front_end.fixed_point import quantise_int8
from kws_tf.runtime import Stream
from kws_tf.runtime.interpreter import AUTO, open_interpreter

TRIAL_FRAMES = 150


class RecordingStream(Stream):
    """A Stream that computes the front end of a file with PCM as input for all audio of a call at once.

    No interpreter has quick kernels for the 16-bit operators of the integer front end, which take more than half of a step. Its numpy
    twin computes the same integers in a quarter of the time, many frames at once; the file then plays from its features on. Before
    that, the front end of the file is run on a trial recording: unless every feature is the same, the whole file is played as it is.

    Args:
        path, interpreter, kernels: see Stream.

    Example:
        RecordingStream("runs/pi/export/pi_stream").logits(pcm)      # int8 [scores, classes]
    """

    _front_end = None

    def __init__(self, path, *, interpreter=None, kernels=AUTO):
        super().__init__(path, interpreter=interpreter, kernels=kernels)
        if self.manifest.input_kind == "pcm" and self.manifest.wake_word is None:
            self._take_front_end_out()

    def _take_front_end_out(self):
        manifest, section = self.manifest, self.manifest.streaming
        try:
            parts = file_parts.cut(self._content, (1, section.hop_frames, manifest.features.n_features, 1))
            front_end = FeatureSteps(manifest.features, parts.features) if parts else None
        except ConversionError:
            parts = None
        if parts is None or not self._same_features(parts, front_end):
            logging.warning("%s: its front end is not that of this version of kws_tf; the file is played as it is, which takes longer.",
                            manifest.model_file)
            return
        states = tuple(state for state in section.states if state.input not in parts.inputs) if section.state == "external" else ()
        inputs = (parts.features, *(spec for spec in manifest.inputs if spec.name not in parts.inputs))
        outputs = tuple(spec for spec in manifest.outputs if spec.name not in parts.outputs)
        self._play(dataclasses.replace(manifest, input_kind="features", inputs=inputs, outputs=outputs,
                                       streaming=dataclasses.replace(section, states=states)), parts.classifier)
        self._front_end = front_end
        self._begin()

    def _same_features(self, parts, front_end):
        """Whether the front end of the file gives the features of its twin for noise of every level, a click and silence."""
        section, noise = self._section, np.random.default_rng(0)
        _, interpreter = open_interpreter(parts.front_end, interpreter=self._interpreter_name, kernels=self.kernels)
        inputs, outputs = ({detail["name"]: detail["index"] for detail in details}
                           for details in (interpreter.get_input_details(), interpreter.get_output_details()))
        states = [(inputs[state.input], outputs[state.output], np.full(state.shape, state.zero_point, state.dtype))
                  for state in section.states if state.input in inputs]
        n_steps = -(-TRIAL_FRAMES // section.hop_frames)
        levels = 32767 * 2.0 ** -np.linspace(0, 15, n_steps * section.hop_samples)
        trial = np.rint(levels * noise.uniform(-1, 1, len(levels))).astype(np.int16)
        trial[len(trial) // 2] = -32768
        trial[-8 * self.manifest.features.hop_samples:] = 0
        pcm = next(index for name, index in inputs.items() if name not in {state.input for state in section.states})
        found = []
        for step in trial.reshape(n_steps, 1, -1):
            interpreter.set_tensor(pcm, step)
            for before, _, values in states:
                interpreter.set_tensor(before, values)
            interpreter.invoke()
            found.append(interpreter.get_tensor(outputs[parts.features.name]))
            states = [(before, after, interpreter.get_tensor(after)) for before, after, _ in states]
        return np.array_equal(np.concatenate(found).ravel(), front_end(trial).ravel())

    def _input_tensors(self, samples):
        if self._front_end is None:
            yield from super()._input_tensors(samples)
        elif len(samples):
            yield from self._front_end(samples).reshape(-1, *self._input.shape)

    def _begin(self):
        super()._begin()
        if self._front_end is not None:
            self._front_end.reset()


class FeatureSteps:
    """The int8 features of PCM that comes hop by hop, behind window - hop samples of silence, by the twin of the integer front end.

    Args:
        features: FeatureConfig. spec: TensorSpec of the int8 features.

    Raises:
        ConversionError: parameters that the integer front end cannot hold.
    """

    def __init__(self, features, spec):
        self._front_end, self._spec = IntegerFeatures(features), spec
        self._hop_samples, self._tail_samples = features.hop_samples, max(0, features.window_samples - features.hop_samples)
        self.reset()

    def reset(self):
        """Forgets all audio."""
        self._tail = np.zeros(self._tail_samples, np.int16)

    def __call__(self, pcm):
        """int8 [hops, n_features] of int16 PCM [hops * hop_samples], at least one hop."""
        samples = np.concatenate([self._tail, pcm])
        self._tail = samples[len(samples) - self._tail_samples:]
        steps = self._front_end(samples)[:len(pcm) // self._hop_samples]
        return quantise_int8(steps, self._front_end.scale, self._spec.scale, self._spec.zero_point)
