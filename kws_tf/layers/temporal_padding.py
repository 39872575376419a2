"""Zero padding in front of a convolution over time: the one place that decides between causal and symmetric."""

import keras
from keras import ops

from kws_tf.errors import ConfigError


@keras.saving.register_keras_serializable(package="kws_tf")
class TemporalPadding(keras.layers.Layer):
    """Pads the time axis so that an unpadded convolution behind it keeps the number of frames.

    Every layer that mixes frames is a "valid" convolution with a TemporalPadding in front of it. A streaming network puts the
    last `state_frames` frames in the place of the padding; with `padding="causal"` a state of zeros is exactly this layer.
    In front of a convolution with a stride, every stride-th of the kept frames is left, the first always among them.

    Args:
        kernel_frames: taps of the convolution over time.
        dilation: frames between taps, default 1.
        padding: "causal", all (kernel_frames - 1) * dilation frames before, or "symmetric", half before and half after; of an odd
            number the larger part after, as TensorFlow's "same" has it.
        rows: zero rows added at both ends of the frequency axis as well, default 0.

    Input shape:
        [batch, time, frequency, channels]

    Output shape:
        [batch, time + (kernel_frames - 1) * dilation, frequency + 2 * rows, channels]

    Raises:
        ConfigError: an unknown padding, or a number out of range.

    Example:
        >>> TemporalPadding(kernel_frames=3, dilation=4)(features)       # [8, 101, 1, 16] -> [8, 109, 1, 16], 8 zero frames first
    """

    def __init__(self, kernel_frames, dilation=1, padding="causal", rows=0, **kwargs):
        super().__init__(**kwargs)
        for name, value, low in (("kernel_frames", kernel_frames, 1), ("dilation", dilation, 1), ("rows", rows, 0)):
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise ConfigError(f"TemporalPadding: {name} must be a whole number, at least {low}; received {value!r}.")
        if padding not in ("causal", "symmetric"):
            raise ConfigError(f"TemporalPadding: padding must be 'causal' or 'symmetric'; received {padding!r}.")
        self.kernel_frames = kernel_frames
        self.dilation = dilation
        self.padding = padding
        self.rows = rows

    @property
    def state_frames(self):
        """Frames of context that the convolution behind this layer needs besides the newest: (kernel_frames - 1) * dilation."""
        return (self.kernel_frames - 1) * self.dilation

    @property
    def lookahead_frames(self):
        """Frames after the present one that reach its output: 0 when causal."""
        return 0 if self.padding == "causal" else (self.state_frames + 1) // 2

    def state_shape(self, input_shape):
        """Shape of the state of step(), without the batch: the last state_frames frames of the input.

        Args:
            input_shape: (batch, time, frequency, channels).
        """
        return (self.state_frames, *input_shape[2:])

    def step(self, inputs, state):
        """The streaming form: earlier frames in the place of the zeros.

        Args:
            inputs: the next frames [batch, n, frequency, channels].
            state: [batch, state_frames, frequency, channels]; zeros at the start.

        Returns:
            outputs [batch, state_frames + n, frequency + 2 * rows, channels]; the convolution behind gives n frames, each late by
            lookahead_frames.
            state.
        """
        window = ops.concatenate([state, inputs], axis=1)
        return ops.pad(window, ((0, 0), (0, 0), (self.rows, self.rows), (0, 0))) if self.rows else window, window[:, inputs.shape[1]:]

    def call(self, inputs):
        after = self.lookahead_frames
        return ops.pad(inputs, ((0, 0), (self.state_frames - after, after), (self.rows, self.rows), (0, 0)))

    def compute_output_shape(self, input_shape):
        batch, time, frequency, channels = input_shape
        return (batch, None if time is None else time + self.state_frames,
                None if frequency is None else frequency + 2 * self.rows, channels)

    def get_config(self):
        return {**super().get_config(), "kernel_frames": self.kernel_frames, "dilation": self.dilation,
                "padding": self.padding, "rows": self.rows}
