"""Keeps the lines of many layers over time in one state.

A state of its own costs every layer a variable that is found, read, cut and assigned: five nodes, which is more than the layer's own
work in a runtime that interprets. BC-ResNet has twelve such layers.
"""

import dataclasses

import numpy as np

from kws_tf.front_end.graph import MOST_PARTS
from kws_tf.tflite.flatbuffer import CONVOLUTIONS, Graph, Node
from kws_tf.tflite.frame_scores import AVERAGE
from kws_tf.tflite.nodes import CHANNELS, NO_ACTIVATION, ROWS, TIME, concatenation, split, strided_slice
from kws_tf.tflite.quantise import LARGEST_BIAS
from kws_tf.tflite.step_graph import State

NAME = "lines"
# Scale of all joined lines; only its ratio to the scales of weights counts.
LINE_SCALE = 1 / 127


@dataclasses.dataclass(frozen=True)
class _Line:
    """A line of a step: window = [state, value], read by one depthwise convolution over time."""

    state: State
    joint: Node
    cut: Node
    convolution: Node

    @property
    def value(self):
        return self.joint.inputs[1]

    @property
    def channels(self):
        return self.value.shape[CHANNELS]

    @property
    def frames(self):
        return self.state.before.shape[TIME]


def share_line_scale(graph):
    """Gives all tensors that wait in lines one scale and the zero point 0, in place, so that their lines can be joined.

    Such a tensor is made by a convolution and read by a depthwise one. Another unit for it is taken up by the scales of their
    weights: the integers of the weights stay, only the bias of the reader follows the zero point. What is lost is the part of the 8
    bits beyond the larger end of an uneven range.

    Args:
        graph: flatbuffer.Graph, int8, over a whole recording.
    """
    for padding in graph.nodes:
        ends = _ends(graph, padding)
        if ends is None:
            continue
        producer, reader = ends
        value, padded = padding.inputs[0], padding.output
        scale, zero_point = float(value.scales[0]), int(value.zero_points[0])
        wanted = scale * max(128 + zero_point, 127 - zero_point) / 127
        gain = LINE_SCALE / wanted
        for tensor in producer.inputs[1:]:
            tensor.scales = (tensor.scales * gain).astype(np.float32)
        weights, bias = reader.inputs[1:]
        real = bias.data * bias.scales.astype(np.float64)
        weights.scales = (weights.scales / gain).astype(np.float32)
        bias.scales = (np.float32(LINE_SCALE) * weights.scales).astype(np.float32)
        bias.data = np.clip(np.rint(real / bias.scales), -LARGEST_BIAS, LARGEST_BIAS).astype(np.int32)
        for tensor in (value, padded):
            tensor.scales, tensor.zero_points = np.array([LINE_SCALE], np.float32), np.zeros(1, np.int64)


def _ends(graph, padding):
    """(convolution that makes the input of a PAD over time, depthwise convolution that reads its output), if nothing else does."""
    if padding.operator != "PAD" or padding.output.shape[ROWS] != 1 or not padding.inputs[1].data[TIME].any():
        return None
    # The line of the mean over a window is by far the longest, and the others would have to be as long.
    if padding.output.name == f"{AVERAGE}/Pad":
        return None
    producer, reader = graph.producer(padding.inputs[0]), graph.only_consumer(padding.output)
    if producer is None or reader is None or graph.only_consumer(padding.inputs[0]) is not padding:
        return None
    if producer.operator not in CONVOLUTIONS or producer.options.fusedActivationFunction != NO_ACTIVATION:
        return None
    return (producer, reader) if _joinable(reader, padding.output) else None


def _joinable(node, window):
    """Whether a node is a depthwise convolution over time alone whose taps can be moved to the end of a longer line."""
    options = node.options
    return (node.operator == "DEPTHWISE_CONV_2D" and node.inputs[0] is window and options.strideH == 1 and window.shape[ROWS] == 1
            and node.inputs[1].shape[1:] == (node.inputs[1].shape[1], 1, window.shape[CHANNELS]))


def join_lines(step):
    """Joins the lines of a step that have one scale, where that saves nodes.

    All lines are as long as the longest, side by side on the axis of channels: one SPLIT_V gives each layer its own, one
    CONCATENATION collects what is new. The kernels of shorter lines get taps of zero in front, which changes no sum.

    Args:
        step: step_graph.StepGraph.

    Returns:
        StepGraph.
    """
    lines = [line for state in step.states if (line := _line(step.graph, state)) is not None]
    if lines:
        longest = max(line.frames for line in lines)
        like = lines[0].state.before.spec
        lines = [line for line in lines if longest % line.convolution.options.dilationHFactor == 0
                 and (line.state.before.spec.dtype, line.state.before.spec.scale, line.state.before.spec.zero_point)
                 == (like.dtype, like.scale, like.zero_point)]
    return _joined(step, lines) if len(lines) > 2 else step


def _line(graph, state):
    found = state.line(graph) if state.name != AVERAGE else None
    return _Line(state, *found) if found is not None and _joinable(found[2], found[0].output) else None


def _joined(step, lines):
    n_frames, longest = lines[0].value.shape[TIME], max(line.frames for line in lines)
    total = sum(line.channels for line in lines)
    before, window, after = (lines[0].state.before.like(name, (1, frames, 1, total)) for name, frames in (
        (NAME, longest), (f"{NAME}/window", longest + n_frames), (f"{NAME}/next", longest)))
    pieces = [line.state.before.like(f"{line.state.name}/line", (1, longest, 1, line.channels)) for line in lines]
    nodes = [split(before, pieces, CHANNELS)]
    replaced = {}
    for line, piece in zip(lines, pieces, strict=True):
        longer = piece.like(f"{line.state.name}/window", (1, longest + n_frames, 1, line.channels))
        replaced[id(line.joint)] = [concatenation([piece, line.value], longer, TIME)]
        replaced[id(line.cut)] = []
        replaced[id(line.convolution)] = [_with_zero_taps(line, longer, longest)]
    for node in step.graph.nodes:
        nodes += replaced.get(id(node), [node])
    collecting, new = joined_channels([line.value for line in lines], f"{NAME}/new")
    nodes += [*collecting, concatenation([before, new], window, TIME),
              strided_slice(window, after, (0, n_frames, 0, 0), (1, longest + n_frames, 1, total))]
    gone = {id(line.state) for line in lines}
    states = [state for state in step.states if id(state) not in gone]
    return dataclasses.replace(step, graph=Graph(nodes, step.graph.inputs, step.graph.outputs),
                               states=(State(NAME, before, after), *states))


def joined_channels(values, name):
    """Tensors [1, frames, 1, channels] side by side: (nodes, the last of them computes it; the Tensor)."""
    nodes = []
    while len(values) > 1:
        parts, rest = values[:MOST_PARTS], values[MOST_PARTS:]
        shape = (*parts[0].shape[:CHANNELS], sum(part.shape[CHANNELS] for part in parts))
        joined = dataclasses.replace(parts[0], name=f"{name}/part" if rest else name, shape=shape)
        nodes.append(concatenation(parts, joined, CHANNELS))
        values = [joined, *rest]
    return nodes, values[0]


def _with_zero_taps(line, window, longest):
    node = line.convolution
    weights = node.inputs[1]
    taps = longest // node.options.dilationHFactor + 1
    data = np.zeros((1, taps, *weights.shape[2:]), weights.data.dtype)
    data[:, taps - weights.shape[1]:] = weights.data
    longer = dataclasses.replace(weights, data=data, shape=data.shape)
    return Node(node.operator, [window, longer, *node.inputs[2:]], node.outputs, node.options, node.version)
