"""A graph that takes a whole recording, rewritten to take the next frames and a state."""

import dataclasses

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError
from kws_tf.tflite.flatbuffer import CONVOLUTIONS, Graph, Node, Tensor, constant
from kws_tf.tflite.nodes import NO_ACTIVATION, TIME, concatenation, strided_slice

VALID = "valid"
INPUT_DELAY = "input_delay"
POOLINGS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
ELEMENTWISE = ("ADD", "GREATER", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "RELU", "SELECT_V2", "SUB", "TANH")


@dataclasses.dataclass(frozen=True)
class State:
    """One tensor that a step reads and writes.

    Args:
        name: unique. before: Tensor that the step reads. after: Tensor of the same type and quantisation for the next step.
    """

    name: str
    before: Tensor
    after: Tensor

    def line(self, graph):
        """(CONCATENATION of the earlier frames with the new ones, STRIDED_SLICE that leaves the next state, the one other node that
        reads them); None for a state of another form.
        """
        joint, cut = graph.only_consumer(self.before), graph.producer(self.after)
        if joint is None or cut is None or (joint.operator, cut.operator) != ("CONCATENATION", "STRIDED_SLICE"):
            return None
        readers = [node for node in graph.consumers(joint.output) if node is not cut]
        return (joint, cut, readers[0]) if len(readers) == 1 and cut.inputs[0] is joint.output else None


@dataclasses.dataclass(frozen=True)
class StepGraph:
    """The graph of a step.

    Args:
        graph: Graph; its inputs are the features alone, states and `valid` are tensors that no node computes.
        states: tuple of State.
        valid: Tensor [1, n, 1, 1], 1 for frames of the recording and 0 for others; None for a causal network.
        delay: frames of the input that an output is late. rate: frames of the input per output.
    """

    graph: Graph
    states: tuple[State, ...]
    valid: Tensor | None
    delay: int
    rate: int


@dataclasses.dataclass(frozen=True)
class Timing:
    """See kws_tf.streaming.plan.Timing: frames of the input per frame, frames of the input that it is late, earlier frames in front."""

    rate: int = 1
    delay: int = 0
    extra: int = 0


def step_graph(graph, n_frames, input_delay=0):
    """Rewrites a graph over a whole recording for the next n frames; for float32 and int8 graphs alike.

    A PAD over time becomes a state: the last frames of its input, which take the place of its zeros. Every other node works on the
    frames that are there, with its weights and its quantisation as they are, so the integers are those of the whole recording.
    Where a padding looks ahead its path is late; where paths meet, the earlier one waits in a line of its own. Frames outside of the
    recording are forced to zero ahead of every state, as the zeros of PAD are.

    Args:
        graph: flatbuffer.Graph from [1, frames, rows, 1] to scores of every frame, see frame_scores; left as it is. Time is axis 1 of
            every tensor.
        n_frames: a multiple of the strides over time.
        input_delay: frames that the input waits, so that every delay is a multiple of the strides behind it.

    Returns:
        StepGraph.

    Raises:
        ConversionError: a node mixes frames without a padding over time ahead of it, or is not known to treat all frames alike.
    """
    return _Rewriter(graph, n_frames).run(input_delay)


class _Rewriter:
    """Walks the nodes once; `known` maps tensors of the recording to (tensor of the step, Timing)."""

    def __init__(self, graph, n_frames):
        self.source = graph
        self.frames = graph.inputs[0].shape[TIME]
        self.n_frames = n_frames
        self.nodes, self.states, self.known, self.masks = [], [], {}, {}
        looks_ahead = any(node.operator == "PAD" and node.inputs[1].data[TIME, 1] for node in graph.nodes)
        self.valid = graph.inputs[0].like(VALID, (1, n_frames, 1, 1)) if looks_ahead else None
        if looks_ahead and self.valid.scales is not None:
            self.valid.scales, self.valid.zero_points = np.ones(1, np.float32), np.zeros(1, np.int64)

    def run(self, input_delay):
        features = self.source.inputs[0]
        self.known[id(features)] = self._resized(features, self.n_frames), Timing()
        start = self.known[id(features)][0]
        self.delay = self._total_delay(input_delay)
        if input_delay:
            self.known[id(features)] = self._wait(start, input_delay, INPUT_DELAY), Timing(delay=input_delay)
        for node in self.source.nodes:
            self._rewrite(node)
        output, timing = self.known[id(self.source.outputs[0])]
        return StepGraph(Graph(self.nodes, [start], [output]), tuple(self.states), self.valid, timing.delay, timing.rate)

    def _total_delay(self, input_delay):
        """The longest delay of all: the length of the record of which frames belong to the recording."""
        timing = {id(self.source.inputs[0]): Timing(delay=input_delay)}
        for node in self.source.nodes:
            before = [timing[id(tensor)] for tensor in node.inputs if id(tensor) in timing]
            if not before:
                self._refuse(node, "does not depend on the recording")
            timing[id(node.output)] = self._timing_after(node, before)
        return max(entry.delay for entry in timing.values())

    def _timing_after(self, node, before):
        """Timing of the output of a node; refuses what mixes frames otherwise."""
        delay = max(entry.delay for entry in before)
        rate, extra = before[0].rate, before[0].extra
        if len({(entry.rate, entry.extra) for entry in before}) > 1 or any(entry.delay < delay and entry.extra for entry in before):
            self._refuse(node, "combines frames of different strides or with different context")
        if node.operator == "PAD":
            return self._after_padding(node, rate, delay, extra)
        if node.operator in CONVOLUTIONS + POOLINGS:
            return self._after_window(node, rate, delay, extra)
        source, target = node.inputs[0].shape, node.output.shape
        time_left = target[:TIME + 1] == source[:TIME + 1] and len(target) > 2
        if node.operator == "FULLY_CONNECTED":
            fine = np.prod(source[:-1]) == source[TIME] == target[0] and node.inputs[1].shape[1] == source[-1] and not extra
        elif node.operator == "MEAN":
            fine = time_left and not {0, TIME} & set((np.atleast_1d(node.inputs[1].data) % len(source)).tolist())
        elif node.operator in ELEMENTWISE:
            fine = time_left and all(_same_in_every_frame(tensor) for tensor in node.inputs if tensor.data is not None)
        elif node.operator == "CONCATENATION":
            fine = time_left and node.options.axis % len(target) > TIME
        elif node.operator == "TRANSPOSE":
            fine = time_left and node.inputs[1].data[:TIME + 1].tolist() == [0, TIME]
        elif node.operator in ("RESHAPE", "L2_NORMALIZATION", "QUANTIZE"):
            fine = time_left
        else:
            fine = False
        if not fine:
            self._refuse(node, "mixes frames, or is not known to do the same to every frame")
        return Timing(rate, delay, extra)

    def _after_padding(self, node, rate, delay, extra):
        (before_first, after_last), (first, last) = node.inputs[1].data[[0, TIME]].tolist()
        if before_first or after_last:
            self._refuse(node, "pads the batch")
        if first + last and extra:
            self._refuse(node, "pads over time behind another padding with no convolution in between")
        return Timing(rate, delay + last * rate, extra + first + last)

    def _after_window(self, node, rate, delay, extra):
        options, pooling = node.options, node.operator in POOLINGS
        taps = options.filterHeight if pooling else node.inputs[1].shape[1]
        span = (taps - 1) * (1 if pooling else options.dilationHFactor)
        stride = options.strideH
        if span and options.padding != schema.Padding.VALID:
            self._refuse(node, "pads over time by itself")
        after = node.output.shape[TIME] - self.frames // (rate * stride)
        if span > extra or after < 0 or self.frames % (rate * stride):
            self._refuse(node, "mixes frames")
        if delay % (rate * stride):
            self._refuse(node, f"has a stride over time that does not divide the look-ahead of {delay} frames ahead of it")
        return Timing(rate * stride, delay, after)

    def _rewrite(self, node):
        operands = [self.known[id(tensor)] for tensor in node.inputs if id(tensor) in self.known]
        timing = self._timing_after(node, [before for _, before in operands])
        if node.operator == "PAD" and any(node.inputs[1].data[TIME]):
            self.known[id(node.output)] = self._continue(node, *operands[0]), timing
            return
        waiting = {}
        for tensor, (step, before) in zip((tensor for tensor in node.inputs if id(tensor) in self.known), operands, strict=True):
            wait = (timing.delay - before.delay) // before.rate
            waiting[id(tensor)] = self._wait(step, wait, self._name(f"{node.output.name}/delay")) if wait else step
        output = self._resized(node.output, self._count(timing))
        inputs = [waiting.get(id(tensor), tensor) if tensor is not None else None for tensor in node.inputs]
        options = node.options
        if node.operator == "RESHAPE":
            inputs[1] = constant(inputs[1].name, np.array(output.shape, np.int32))
            options = schema.ReshapeOptionsT()
            options.newShape = np.array(output.shape, np.int32)
        self.nodes.append(Node(node.operator, inputs, [output], options, node.version))
        self.known[id(node.output)] = output, timing

    def _count(self, timing):
        return self.n_frames // timing.rate + timing.extra

    def _continue(self, node, value, timing):
        """Earlier frames in the place of the zeros of a padding; its other axes are padded as before."""
        widths = node.inputs[1].data.copy()
        name = self._name(node.output.name.removesuffix("/Pad"))
        window = self._line(self._masked(value, timing), int(widths[TIME].sum()), name)
        widths[TIME] = 0
        if not widths.any():
            return window
        padded = self._resized(node.output, window.shape[TIME])
        self.nodes.append(Node("PAD", [window, constant("i", widths)], [padded], node.options, node.version))
        return padded

    def _wait(self, value, frames, name):
        """`value` of some frames ago."""
        window = self._line(value, frames, name)
        return self._slice(window, 0, value.shape[TIME], f"{name}/late")

    def _line(self, value, frames, name):
        """The last `frames` frames before the step, and those of the step; the end of them is the next state."""
        n = value.shape[TIME]
        before = value.like(name, (1, frames, *value.shape[2:]))
        window = value.like(f"{name}/window", (1, frames + n, *value.shape[2:]))
        self.nodes.append(concatenation([before, value], window, TIME))
        self.states.append(State(name, before, self._slice(window, n, frames + n, f"{name}/next")))
        return window

    def _slice(self, value, start, stop, name, step=1):
        """Frames start to stop - 1 of a tensor."""
        begin, end, strides = [0] * len(value.shape), list(value.shape), [1] * len(value.shape)
        begin[TIME], end[TIME], strides[TIME] = start, stop, step
        output = value.like(name, (1, -(-(stop - start) // step), *value.shape[2:]))
        self.nodes.append(strided_slice(value, output, begin, end, strides))
        return output

    def _masked(self, value, timing):
        """`value` with zeros in the frames outside of the recording; a product with 1 or 0, which is exact for integers too."""
        if self.valid is None:
            return value
        mask = self._mask(timing)
        output = value.like(f"{value.name}/inside", value.shape)
        options = schema.MulOptionsT()
        options.fusedActivationFunction = NO_ACTIVATION
        self.nodes.append(Node("MUL", [value, mask], [output], options, 2 if value.scales is not None else 1))
        return output

    def _mask(self, timing):
        if VALID not in self.masks:
            self.masks[VALID] = self._line(self.valid, self.delay, f"{VALID}/earlier")
        key = timing.delay, timing.rate
        if key not in self.masks:
            start = self.delay - timing.delay
            self.masks[key] = self._slice(self.masks[VALID], start, start + self.n_frames, f"{VALID}/{timing.delay}", timing.rate)
        return self.masks[key]

    def _resized(self, tensor, frames):
        """The tensor of a recording with another number of frames."""
        shape = (1, frames, *tensor.shape[2:]) if len(tensor.shape) > 2 else (frames, *tensor.shape[1:])
        return dataclasses.replace(tensor, shape=shape)

    def _name(self, wanted):
        names = {state.name for state in self.states}
        return next(name for name in (wanted, *(f"{wanted}_{n}" for n in range(2, len(names) + 3))) if name not in names)

    def _refuse(self, node, what):
        shapes = ", ".join(str(list(tensor.shape)) for tensor in node.inputs if tensor is not None and tensor.data is None)
        raise ConversionError(f"streaming: {node.operator} ({node.output.name}, input {shapes}) {what}. A streaming file needs a "
                              "kws_tf.layers.TemporalPadding in front of every convolution over time, and one mean over time at the end.")


def _same_in_every_frame(tensor):
    """Whether a constant operand has one value for all frames; axes count from the last one."""
    return len(tensor.shape) < 3 or tensor.shape[-3] == 1
