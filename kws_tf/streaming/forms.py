"""What becomes of an operation in a step.

run(call, values, memory) of a form takes the values of the inputs of an operations.Call and returns the list of its outputs, both for the
new frames; fetch(value, memory) of an operand returns the frames of some steps ago in the place of the new ones.
"""

import dataclasses

from keras import ops

from kws_tf.layers import TemporalPadding
from kws_tf.streaming.streaming_layer import StreamingLayer


@dataclasses.dataclass(frozen=True)
class Continued:
    """A layer over time goes on from where it was: step() in the place of call().

    Args:
        name: of its state.
        layer: StreamingLayer.
        delay, rate: of its input, see plan.Timing; frames outside of the recording reach it as zeros.
    """

    name: str
    layer: StreamingLayer
    delay: int
    rate: int

    def run(self, call, values, memory):
        return [self.window(values[0], memory)]

    def window(self, value, memory):
        """The output of the layer for the next frames of its input."""
        return memory.continued(self.name, self.layer, memory.masked(value, self.delay, self.rate))


@dataclasses.dataclass(frozen=True)
class Delayed:
    """An operand that waits in a line of its own for a later one."""

    name: str

    def fetch(self, value, memory):
        return memory.delayed(self.name, value)


@dataclasses.dataclass(frozen=True)
class Recalled:
    """An operand that waits for a later one in the state of a padding, which keeps its frames anyway."""

    source: Continued
    frames: int

    def fetch(self, value, memory):
        window, rows = self.source.window(value, memory), self.source.layer.rows
        start = window.shape[1] - value.shape[1] - self.frames
        return window[:, start:start + value.shape[1], rows:window.shape[2] - rows]

    @staticmethod
    def possible(form, frames):
        """Whether the layer of a form is a padding that keeps that many frames."""
        return isinstance(form.layer, TemporalPadding) and form.layer.state_frames >= frames


@dataclasses.dataclass(frozen=True)
class FrameWise:
    """An operation that does the same to every frame runs as it is, on the new frames.

    Args:
        operands: {position among the inputs: Delayed or Recalled}.
    """

    operands: dict = dataclasses.field(default_factory=dict)

    def run(self, call, values, memory):
        return call.run([self.operands[i].fetch(value, memory) if i in self.operands else value for i, value in enumerate(values)])


@dataclasses.dataclass(frozen=True)
class EachFrame:
    """A mean over time gives the value of every frame; the average follows outside. From here on a row is a frame."""

    def run(self, call, values, memory):
        value = values[0]
        return call.run([ops.reshape(value, (-1, 1, *value.shape[2:]))])


@dataclasses.dataclass(frozen=True)
class AfterMean:
    """An operation behind the mean over time runs as it is, on one row per frame."""

    def run(self, call, values, memory):
        return call.run(values)
