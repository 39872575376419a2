"""How the operations of a network continue from step to step: which keep a state, which wait for others, which cannot stream."""

import collections
import dataclasses
import math

import keras
import numpy as np

from kws_tf.errors import ConversionError
from kws_tf.streaming import frame_checks
from kws_tf.streaming.forms import AfterMean, Continued, Delayed, EachFrame, FrameWise, Recalled
from kws_tf.streaming.memory import VALIDITY, StateTensor
from kws_tf.streaming.operations import operations
from kws_tf.streaming.streaming_layer import StreamingLayer

# Lengths of the recordings that the checks use are multiples of this, so that strides divide them.
BLOCK_FRAMES = 24
STRIDES = (1, 2, 3, 4, 6, 8, 12)
INPUT_DELAY = "input_delay"
# Of the random frames and weights.
SEED = 0


@dataclasses.dataclass(frozen=True)
class Timing:
    """The frames that a tensor of a step holds.

    Args:
        rate: feature frames per frame of the tensor.
        delay: feature frames that its newest frame is late: the look-ahead of the layers before it.
        extra: earlier frames in front of the new ones, the context that a padding put there.
    """

    rate: int = 1
    delay: int = 0
    extra: int = 0


@dataclasses.dataclass(frozen=True)
class Plan:
    """A network as a stream.

    Args:
        forms: of every operation, in the order of operations().
        paths: of every operation, to recognise the network when it is listed for another number of frames.
        state: StateTensors of the operations.
        rate: feature frames per score; a step takes a multiple.
        delay: feature frames that a score is late.
        input_delay: feature frames that the features wait, so that all delays are whole multiples of a later stride.
        averaged_shape: values per frame that the mean over time gives.
        affine: whether what follows the mean commutes with it, so that scores can be averaged in the place of embeddings.
    """

    forms: tuple
    paths: tuple[str, ...]
    state: tuple[StateTensor, ...]
    rate: int
    delay: int
    input_delay: int
    averaged_shape: tuple[int, ...]
    affine: bool


class _Misaligned(Exception):
    """A stride meets a delay that it does not divide; `wait` more frames of delay before it help."""

    def __init__(self, wait):
        super().__init__()
        self.wait = wait


def make_plan(model, row_shape, window_frames):
    """Finds the form of every operation and checks each on random frames.

    Args:
        model: built keras.Model.
        row_shape: of one frame of the features, (frequency, 1).
        window_frames: the checks use more than three such windows.

    Returns:
        Plan.

    Raises:
        ConversionError: an operation mixes frames and has no streaming form; the message has its path.
    """
    frames = BLOCK_FRAMES * (3 * window_frames // BLOCK_FRAMES + 1)
    network = operations(model, (frames, *row_shape))
    input_delay = 0
    while True:
        rng = np.random.default_rng(SEED)
        try:
            with frame_checks.random_weights(model, rng):
                return _Planner(model.name, network, frames, input_delay, rng).plan()
        except _Misaligned as misaligned:
            input_delay += misaligned.wait


class _Planner:
    """Walks the operations once; `timing` knows the tensors over time, `averaged` those behind the mean."""

    def __init__(self, name, network, frames, input_delay, rng):
        self.name, self.network, self.frames, self.input_delay, self.rng = name, network, frames, input_delay, rng
        self.timing = {id(network.input): Timing(delay=input_delay)}
        self.averaged = set()
        self.means = []
        self.forms = []
        self.state = []
        if input_delay:
            self.state.append(self._state_tensor(INPUT_DELAY, input_delay, network.input, "delay"))
        # Where delayed frames can be had: forms with a state by the tensor that they read; who made a tensor; how many read it.
        self.sources = {}
        self.producers = {id(tensor): index for index, call in enumerate(network.calls) for tensor in call.outputs}
        self.readers = collections.Counter(id(tensor) for call in network.calls for tensor in call.inputs)

    def plan(self):
        for call in self.network.calls:
            over_time = [tensor for tensor in call.inputs if id(tensor) in self.timing]
            if over_time and len(over_time) < len(call.inputs):
                self._refuse(call, "combines frames with their mean over the recording, which a stream does not know yet")
            if not over_time:
                self.averaged.update(id(tensor) for tensor in call.outputs)
                self.forms.append(AfterMean())
            elif _has_state(call):
                self._continue(call)
            else:
                self._frame_wise_or_mean(call)
        if id(self.network.output) not in self.averaged:
            raise ConversionError(f"{self.name}: the output {self.network.output.shape} is not behind a mean over time; a network that "
                                  "streams ends in one, such as keras.layers.GlobalAveragePooling2D.")
        timing = self.timing[id(self.means[0].inputs[0])]
        affine = frame_checks.commutes_with_mean(self._tail, [mean.outputs[0].shape[1:] for mean in self.means], self.rng)
        if not affine and len(self.means) > 1:
            self._refuse(self.means[1], "is the second mean over time of a network whose end is not linear; one can stream")
        if timing.delay:
            self.state.append(StateTensor(VALIDITY, (timing.delay,), "float32", "validity"))
        return Plan(tuple(self.forms), tuple(call.path for call in self.network.calls), tuple(self.state), timing.rate, timing.delay,
                    self.input_delay, tuple(self.means[0].outputs[0].shape[1:]), affine)

    def _continue(self, call):
        layer, tensor = call.operation, call.inputs[0]
        timing = self.timing[id(tensor)]
        if timing.extra:
            self._refuse(call, "follows a padding over time with no convolution in between")
        if not frame_checks.steps_equal_call(call, self.rng):
            self._refuse(call, "has a step() that does not continue its call(); see kws_tf.streaming.StreamingLayer")
        name = self._unique(call.path)
        form = Continued(name, layer, timing.delay, timing.rate)
        self.sources.setdefault(id(tensor), []).append(form)
        self.state.append(StateTensor(name, tuple(layer.state_shape(tuple(tensor.shape))), str(tensor.dtype), "context"))
        extra = call.outputs[0].shape[1] - tensor.shape[1]
        self.timing[id(call.outputs[0])] = Timing(timing.rate, timing.delay + layer.lookahead_frames * timing.rate, extra)
        self.forms.append(form)

    def _frame_wise_or_mean(self, call):
        timings = [self.timing[id(tensor)] for tensor in call.inputs]
        if len({tensor.shape[1] for tensor in call.inputs}) == 1:
            stride, extra = self._stride(call, timings[0])
            if stride and frame_checks.is_frame_wise(call, stride, self.rng):
                self._align(call, timings)
                delay, rate = max(timing.delay for timing in timings), timings[0].rate * stride
                if delay % rate:
                    raise _Misaligned(-delay % rate)
                self.timing.update((id(tensor), Timing(rate, delay, extra)) for tensor in call.outputs)
                return
        if timings[0].extra == 0 and frame_checks.is_time_mean(call, self.rng):
            if self.means and self.timing[id(self.means[0].inputs[0])] != timings[0]:
                self._refuse(call, "is a second mean over time, of frames with another delay than the first")
            self.means.append(call)
            self.averaged.add(id(call.outputs[0]))
            self.forms.append(EachFrame())
            return
        self._refuse(call, "mixes frames and has no streaming form")

    def _stride(self, call, timing):
        """(stride, extra frames of the output) that the numbers of frames tell; (0, 0) if the output has no frames."""
        counts = {tensor.shape[1] if len(tensor.shape) > 1 else 0 for tensor in call.outputs}
        if len(counts) == 1:
            for stride in STRIDES:
                steps = timing.rate * stride
                extra = max(counts) - self.frames // steps
                if self.frames % steps == 0 and 0 <= extra * stride <= timing.extra:
                    return stride, extra
        return 0, 0

    def _align(self, call, timings):
        """Appends the form of a frame-wise operation, whose operands all wait for the latest one."""
        delay = max(timing.delay for timing in timings)
        if len({(timing.rate, timing.extra) for timing in timings}) > 1 or any(
                timing.delay < delay and timing.extra for timing in timings):
            self._refuse(call, "combines frames of different strides or with different context")
        operands = {}
        for position, (tensor, timing) in enumerate(zip(call.inputs, timings, strict=True)):
            wait = (delay - timing.delay) // timing.rate
            if wait and not self._recall(tensor, wait, operands, position):
                name = self._unique(call.path.rpartition("/")[0] + "/delay")
                self.state.append(self._state_tensor(name, wait, tensor, "delay"))
                operands[position] = Delayed(name)
        self.forms.append(FrameWise(operands))

    def _recall(self, tensor, frames, operands, position):
        """Makes a tensor late without a line of its own, if it comes from one that a padding keeps by operations in a row."""
        chain = []
        while not any(Recalled.possible(form, frames) for form in self.sources.get(id(tensor), ())):
            index = self.producers.get(id(tensor))
            if index is None or self.forms[index] != FrameWise() or self.readers[id(tensor)] > 1:
                return False
            call = self.network.calls[index]
            if len(call.inputs) != 1 or len(call.outputs) != 1 or self.timing[id(call.inputs[0])].extra:
                return False
            chain.append(index)
            tensor = call.inputs[0]
        source = next(form for form in self.sources[id(tensor)] if Recalled.possible(form, frames))
        recalled = Recalled(source, frames)
        if chain:
            self.forms[chain[-1]] = FrameWise({0: recalled})
        else:
            operands[position] = recalled
        for index in chain:
            output = id(self.network.calls[index].outputs[0])
            self.timing[output] = dataclasses.replace(self.timing[output], delay=self.timing[output].delay + frames * source.rate)
        return True

    def _tail(self, rows):
        values = dict(zip((id(mean.outputs[0]) for mean in self.means), rows, strict=True))
        for call, form in zip(self.network.calls, self.forms, strict=True):
            if isinstance(form, AfterMean):
                values.update(zip(map(id, call.outputs), call.run([values[id(tensor)] for tensor in call.inputs]), strict=True))
        return values[id(self.network.output)]

    def _state_tensor(self, name, frames, tensor, purpose):
        return StateTensor(name, (frames, *tensor.shape[2:]), str(tensor.dtype), purpose)

    def _unique(self, path):
        path = path.removeprefix("/")
        names = {state.name for state in self.state}
        return next(name for name in (path, *(f"{path}_{n}" for n in range(2, len(names) + 3))) if name not in names)

    def _refuse(self, call, what):
        operation = call.operation
        kind = f"layer {type(operation).__name__}" if isinstance(operation, keras.Layer) else f"keras.ops {type(operation).__name__}"
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in call.inputs)
        raise ConversionError(
            f"{self.name}/{call.path} ({kind}, input {shapes}): {what}. A stream needs a kws_tf.layers.TemporalPadding in front of a "
            "convolution with padding='valid', a layer with a step() of its own (kws_tf.streaming.StreamingLayer), or one mean over "
            f"time at the end. {call.note}".rstrip())


def _has_state(call):
    layer = call.operation
    return len(call.inputs) == 1 and isinstance(layer, StreamingLayer) and math.prod(layer.state_shape(tuple(call.inputs[0].shape))) > 0
