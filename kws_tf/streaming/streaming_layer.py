"""What a layer that mixes frames has to offer in order to stream."""

import typing


@typing.runtime_checkable
class StreamingLayer(typing.Protocol):
    """A layer with a streaming form beside its call(): any Keras layer that has these three members. No base class, no registration.

    call() sees a whole recording; step() sees the next frames and what the layer wrote down about the earlier ones. Both compute the
    same: with L = lookahead_frames and s = frames of call's output minus frames of its input (a padding makes windows that are longer),
    step() on frames a to b - 1 returns frames a - L to b - L + s - 1 of what call() returns for the recording up to b - 1 + L. Output
    frames before the first are not defined. A StreamingModel verifies this on random frames and refuses a layer where it does not hold.

    kws_tf.layers.TemporalPadding is the example; convolutions need nothing of their own behind it.

    Attributes:
        lookahead_frames: frames after the present one that reach its output. 0 for a layer that is causal; else the output of step() is
            late by as many.
    """

    lookahead_frames: int

    def state_shape(self, input_shape):
        """Shape of the state without the batch. A state of zeros is the start of a recording.

        Args:
            input_shape: that of the inputs, (batch, time, ...); batch and time may be None.
        """

    def step(self, inputs, state):
        """Continues a recording.

        Args:
            inputs: the next frames [batch, n, ...]. In the first frames of a network that looks ahead, those that lie before the
                recording are zeros.
            state: [batch, *state_shape], of the dtype of the inputs.

        Returns:
            outputs, state.
        """
