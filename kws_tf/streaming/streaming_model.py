"""A network that takes audio as it comes: step(frames, state) -> (scores, state)."""

import numpy as np
from keras import ops

from kws_tf.errors import ConversionError
from kws_tf.streaming.average import ExponentialMean, WindowMean
from kws_tf.streaming.frame_network import FrameNetwork
from kws_tf.streaming.memory import Memory
from kws_tf.streaming.plan import make_plan

AVERAGES = {"window": WindowMean, "exponential": ExponentialMean, "none": None}


class StreamingModel:
    """Any network of this package, or one built like them, as a function of the next frames and an explicit state.

    What is computed: after any number of steps since initial_state(), the score of frame t equals, up to float rounding, the output of
    the offline network for all audio since then, with its mean over time taken over the `window_frames` frames that end with t (over
    all while there are fewer). For one window after a reset that is the ordinary offline result. The weights are those of the network,
    not a copy.

    How: a step is the network's own call() on n frames, operation by operation, at any depth of nesting, with four exceptions.

        1. A layer with a streaming form (StreamingLayer) continues from its state. TemporalPadding is such a layer: earlier frames take
           the place of its zeros, and the convolution without padding behind it runs as it is.
        2. Symmetric padding makes its path late by its look-ahead. Where paths meet, the earlier one waits in a delay line, or, if it
           comes straight from an input that a padding keeps anyway, in that padding's state. No layer has to know.
        3. Behind a look-ahead the first frames to arrive at a layer lie before the recording. There the offline network has zeros, so
           they are forced to zero before every layer with a state.
        4. The mean over time is put off: what follows it runs on every frame, and the mean is taken of the results if they are linear.

    What is refused: every other operation is run on random frames longer than three windows, with random weights, to prove that it does
    the same to every frame; so is every step() against its call(). An operation that fails stops the construction, named by its path. It
    does not matter whether it is a layer, a function of keras.ops in some call(), or how deep it sits. What this cannot see: mixing over
    more than one and a half windows, and arithmetic with the number of frames itself; difference() measures the whole. There is no switch
    in any layer and no scope around a call, so nothing is left to forget.

    Args:
        model: built keras.Model, features [batch, time, frequency, 1] -> logits [batch, classes].
        window_frames: feature frames of the mean over time: those of a clip.
        average: "window" (exact mean), "exponential" (ExponentialMean: less state, not equal to offline) or "none" (the scores of single
            frames, for a caller that averages).

    Attributes:
        state: tuple of StateTensor: what initial_state() makes.
        delay_frames: feature frames after its own that a score waits for; 0 for a causal network.
        stride_frames: feature frames per score; n of a step is a multiple of it, 1 but for networks with a stride over time.
        window_scores: scores that the mean covers: window_frames / stride_frames, rounded up.
        input_delay_frames: feature frames that the features wait so that strides meet whole delays; part of delay_frames.
        row_shape: of one frame of the features, (frequency, 1).

    Raises:
        ConversionError: an operation cannot stream, or the model is not built.

    Example:
        >>> stream = StreamingModel(model, window_frames=101)
        >>> state = stream.initial_state()
        >>> step = tf.function(stream.step)                     # or jax.jit; a step outside of a graph takes 20 times as long
        >>> scores, state = step(frames, state)                 # frames [1, 2, 40, 1] -> scores [1, 2, classes]
    """

    def __init__(self, model, window_frames, average="window"):
        if average not in AVERAGES:
            raise ConversionError(f"StreamingModel: average must be one of {', '.join(AVERAGES)}; received {average!r}.")
        if not isinstance(window_frames, int) or window_frames < 1:
            raise ConversionError(f"StreamingModel: window_frames must be a whole number, at least 1; received {window_frames!r}.")
        shape = _input_shape(model)
        if shape is None or len(shape) != 4:
            raise ConversionError(f"{model.name}: expected a network built for features [batch, time, frequency, 1]; received "
                                  f"{'one that is not built' if shape is None else f'input shape {tuple(shape)}'}.")
        self.model = model
        self.window_frames = window_frames
        self.row_shape = tuple(shape[2:])
        plan = make_plan(model, self.row_shape, window_frames)
        self._network = FrameNetwork(model, self.row_shape, plan)
        self.delay_frames, self.stride_frames, self.input_delay_frames = plan.delay, plan.rate, plan.input_delay
        self.window_scores = -(-window_frames // self.stride_frames)
        self._average = AVERAGES[average] and AVERAGES[average](self.window_scores, self._network.value_shape)
        if average == "none" and not plan.affine:
            raise ConversionError(f"{model.name}: what follows the mean over time is not linear, so single frames have no scores to "
                                  "average; use average='window'.")
        self.state = plan.state + (self._average.state if self._average else ())

    def initial_state(self, batch_size=1):
        """The state at the start of a recording: {name: zeros [batch, *shape]}. Starting from it is the reset."""
        return _zeros(self.state, batch_size)

    def step(self, frames, state):
        """Takes the next frames.

        Pure: neither the network nor this object changes. With a fixed n all shapes are static, under tf.function and jax.jit too.

        Args:
            frames: features [batch, n, frequency, 1], n a multiple of stride_frames; any number of frames per step gives the same scores.
            state: what initial_state() or the last step returned.

        Returns:
            scores: logits [batch, n / stride_frames, classes], the newest last, each late by delay_frames. The first scores of a network
                that looks ahead are zeros: they belong to frames before the recording.
            state: for the next step.

        Raises:
            ConversionError: frames of another shape, or not a multiple of stride_frames.
        """
        frames = ops.convert_to_tensor(frames)
        n = frames.shape[1] if len(frames.shape) == 4 else None
        if n is None or n < 1 or n % self.stride_frames or tuple(frames.shape[2:]) != self.row_shape:
            raise ConversionError(f"{self.model.name}: a step takes features [batch, n, {self.row_shape[0]}, {self.row_shape[1]}], n a "
                                  f"known multiple of {self.stride_frames}; received shape {tuple(frames.shape)}.")
        missing = [tensor.name for tensor in self.state if tensor.name not in state]
        if missing:
            raise ConversionError(f"{self.model.name}: the state lacks {', '.join(missing)}; begin with initial_state().")
        scores, after = self._run(frames, state, ops.ones_like(frames[:, :, 0, 0]), self._average)
        return scores, {tensor.name: after[tensor.name] for tensor in self.state}

    def flush(self, state):
        """Ends a recording: the scores of its last delay_frames frames, which still wait for frames to come.

        Args:
            state: what the last step returned. There is no step after this; begin again with initial_state().

        Returns:
            Scores [batch, delay_frames / stride_frames, classes]; none for a causal network.
        """
        batch = next(iter(state.values())).shape[0]
        if not self.delay_frames:
            return ops.zeros((batch, 0, self._network.n_scores))
        return self._push_out(state, batch, self._average)

    def difference(self, features, frames_per_step):
        """How far the stream is from the offline network on any audio.

        Compared is the mean over all frames of the recording, whatever the window is.

        Args:
            features: [batch, time, frequency, 1], time a multiple of frames_per_step.
            frames_per_step: a multiple of stride_frames.

        Returns:
            The largest absolute difference of a logit, float.

        Raises:
            ConversionError: the recording is no whole number of steps, or a step is no multiple of stride_frames.
        """
        batch, frames = features.shape[:2]
        if frames_per_step < 1 or frames_per_step % self.stride_frames or frames % frames_per_step:
            raise ConversionError(f"{self.model.name}: steps must be a multiple of {self.stride_frames} frames and divide the recording; "
                                  f"received {frames_per_step} frames per step for {frames}.")
        whole = WindowMean(frames // self.stride_frames, self._network.value_shape)
        state = _zeros(self._network.plan.state + whole.state, batch)
        for start in range(0, frames, frames_per_step):
            piece = ops.convert_to_tensor(features[:, start:start + frames_per_step])
            scores, state = self._run(piece, state, ops.ones((batch, frames_per_step)), whole)
        if self.delay_frames:
            scores = self._push_out(state, batch, whole)
        return float(np.abs(ops.convert_to_numpy(scores[:, -1]) - ops.convert_to_numpy(self.model(features, training=False))).max())

    def _push_out(self, state, batch, average):
        frames = ops.zeros((batch, self.delay_frames, *self.row_shape))
        return self._run(frames, state, ops.zeros((batch, self.delay_frames)), average)[0]

    def _run(self, frames, state, valid, average):
        memory = Memory(state, valid, self.delay_frames)
        values = self._network.values(frames, memory)
        if average:
            values = average(ops.cast(values, "float32"), memory.validity(self.delay_frames, self.stride_frames), memory)
        return self._network.scores(values), memory.after


def _zeros(tensors, batch_size):
    return {tensor.name: ops.zeros((batch_size, *tensor.shape), tensor.dtype) for tensor in tensors}


def _input_shape(model):
    """What a network was built for; None before that. Functional and sequential models know their inputs, others their build()."""
    if getattr(model, "inputs", None):
        return model.inputs[0].shape
    return (model.get_build_config() or {}).get("input_shape") if model.built else None
