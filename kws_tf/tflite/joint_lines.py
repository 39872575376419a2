"""Keeps the lines of many layers over time in one state.

A state of its own costs every layer a variable that is found, read, cut and assigned: five nodes, which is more than the layer's own
work in a runtime that interprets. BC-ResNet has twelve such layers.
"""

import dataclasses

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.frame_scores import AVERAGE
from kws_tf.tflite.nodes import concatenation
from kws_tf.tflite.quantise import LARGEST_BIAS
from kws_tf.tflite.step_graph import MOVE_VERSIONS, TIME, State, slice_options

NAME = "lines"
ROWS, CHANNELS = 2, 3
# Scale of all joined lines; only its ratio to the scales of weights counts.
LINE_SCALE = 1 / 127
# TFLite Micro concatenates at most so many tensors.
MOST_PARTS = 10
NO_ACTIVATION = schema.ActivationFunctionType.NONE


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
    if producer.operator not in ("CONV_2D", "DEPTHWISE_CONV_2D") or producer.options.fusedActivationFunction != NO_ACTIVATION:
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
    joint = graph.only_consumer(state.before)
    cut = graph.producer(state.after)
    if joint is None or cut is None or joint.operator != "CONCATENATION" or cut.operator != "STRIDED_SLICE":
        return None
    readers = [node for node in graph.consumers(joint.output) if node is not cut]
    fits = len(readers) == 1 and cut.inputs[0] is joint.output and _joinable(readers[0], joint.output)
    return _Line(state, joint, cut, readers[0]) if fits and state.name != AVERAGE else None


def _joined(step, lines):
    n_frames, longest = lines[0].value.shape[TIME], max(line.frames for line in lines)
    total = sum(line.channels for line in lines)
    before, window, after = (_like(lines[0], name, frames, total) for name, frames in (
        (NAME, longest), (f"{NAME}/window", longest + n_frames), (f"{NAME}/next", longest)))
    pieces = [_like(line, f"{line.state.name}/line", longest, line.channels) for line in lines]
    sizes = constant("i", np.array([line.channels for line in lines], np.int32))
    options = schema.SplitVOptionsT()
    options.numSplits = len(lines)
    nodes = [Node("SPLIT_V", [before, sizes, constant("i", np.array(CHANNELS, np.int32))], pieces, options, 2)]
    replaced = {}
    for line, piece in zip(lines, pieces, strict=True):
        longer = _like(line, f"{line.state.name}/window", longest + n_frames, line.channels)
        replaced[id(line.joint)] = [concatenation([piece, line.value], longer, TIME)]
        replaced[id(line.cut)] = []
        replaced[id(line.convolution)] = [_with_zero_taps(line, longer, longest)]
    for node in step.graph.nodes:
        nodes += replaced.get(id(node), [node])
    limits = [constant("i", np.array(values, np.int32)) for values in (
        (0, n_frames, 0, 0), (1, longest + n_frames, 1, total), (1, 1, 1, 1))]
    collecting, new = joined_channels([line.value for line in lines], f"{NAME}/new")
    nodes += [*collecting, concatenation([before, new], window, TIME),
              Node("STRIDED_SLICE", [window, *limits], [after], slice_options(), MOVE_VERSIONS["STRIDED_SLICE"])]
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


def _like(line, name, frames, channels):
    value = line.state.before
    return Tensor(name, (1, frames, 1, channels), value.dtype, None, value.scales, value.zero_points)
