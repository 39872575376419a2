"""What a step reads from the state and writes to it."""

import dataclasses

from keras import ops

VALIDITY = "validity"


@dataclasses.dataclass(frozen=True)
class StateTensor:
    """One tensor of the state of a streaming network.

    Args:
        name: unique; the path of the layer that it belongs to.
        shape: without the batch.
        dtype: numpy name.
        purpose: "context" (earlier inputs of a layer over time), "delay" (a path that waits for a later one), "validity" (which of
            the last frames belong to the recording), "average" (scores of earlier frames).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    purpose: str


class Memory:
    """The state of one step.

    Args:
        before: {name: tensor [batch, *shape]} as the last step left it.
        valid: float [batch, frames]: 1 for new frames that belong to the recording, 0 for those that only push it out.
        delay_frames: the longest delay of any tensor; 0 for a causal network, all of whose frames are valid.

    Attributes:
        after: {name: tensor} for the next step.
    """

    def __init__(self, before, valid, delay_frames):
        self.before = before
        self.after = {}
        self._windows = {}
        self._valid = valid
        self._delay_frames = delay_frames
        if delay_frames:
            self._valid = ops.concatenate([before[VALIDITY], valid], axis=1)
            self.after[VALIDITY] = self._valid[:, -delay_frames:]

    def delayed(self, name, value):
        """The frames of some steps ago: `value` goes into the line of this name, as many frames come out at its other end."""
        line = ops.concatenate([self.before[name], value], axis=1)
        frames = value.shape[1]
        self.after[name] = line[:, frames:]
        return line[:, :frames]

    def continued(self, name, layer, value):
        """The output of a StreamingLayer; asked for twice in a step, it is computed once."""
        if name not in self._windows:
            self._windows[name], self.after[name] = layer.step(value, self.before[name])
        return self._windows[name]

    def validity(self, delay, rate):
        """Which frames of a tensor belong to the recording: float [batch, frames], 1 or 0.

        Args:
            delay, rate: of the tensor, see plan.Timing.
        """
        frames = self._valid.shape[1] - self._delay_frames
        start = self._delay_frames - delay
        return self._valid[:, start:start + frames:rate]

    def masked(self, value, delay, rate):
        """`value` with zeros in the frames outside of the recording. Those of a causal network are all inside."""
        if not self._delay_frames:
            return value
        valid = self.validity(delay, rate)
        valid = ops.reshape(valid, (-1, value.shape[1]) + (1,) * (len(value.shape) - 2))
        return ops.where(valid > 0.5, value, ops.zeros_like(value))
