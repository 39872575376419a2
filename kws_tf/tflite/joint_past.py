"""Computes what earlier frames add to all blocks of a step at once, see past_frames."""

import dataclasses

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.joint_lines import joined_channels
from kws_tf.tflite.nodes import ROWS, SATURATING, depthwise
from kws_tf.tflite.quantise import KEEP_SCALE, WEIGHTED
from kws_tf.tflite.step_graph import MOVE_VERSIONS, TIME, State, slice_options

NAME = "earlier"
CHANNELS = 3
# Scale of the rows ahead of all blocks; only its ratio to the scales of weights counts.
ROW_SCALE = 1 / 127
ROW_ZERO_POINT = -128


@dataclasses.dataclass(frozen=True)
class _Past:
    """One block: window = [state, mean], past = convolution(window), sums = convolution([rows, past]), read by a pointwise convolution."""

    state: State
    joint: Node
    cut: Node
    past: Node
    mean: Node
    sums: Node
    reader: Node

    @property
    def channels(self):
        return self.past.output.shape[CHANNELS]

    @property
    def lines(self):
        return self.sums.options.depthMultiplier


def share_row_scale(graph):
    """Gives the rows ahead of all blocks one scale, in place, so that what earlier frames add to them can be one tensor.

    The integers stay: a convolution that makes such a tensor or reads it takes the other unit up by the scales of its weights.

    Args:
        graph: flatbuffer.Graph, int8, over a whole recording.
    """
    for node in graph.nodes:
        if node.operator == "CONCATENATION" and node.options.axis == ROWS and _earlier(graph, node) is not None:
            _relabel(graph, node.output)


def _earlier(graph, node):
    """The convolution over earlier frames that a concatenation of rows reads; None if there is none."""
    producer = graph.producer(node.inputs[-1])
    past = producer is not None and producer.operator == "DEPTHWISE_CONV_2D" and producer.inputs[1].shape[TIME] > 1
    return producer if past and not producer.inputs[1].data[:, -1].any() else None


def _relabel(graph, tensor):
    tensors, found = [tensor], {id(tensor)}
    while tensors:
        current = tensors.pop()
        for node in graph.nodes:
            if node.operator in KEEP_SCALE and any(current is each for each in (*node.inputs, *node.outputs)):
                for each in (*node.inputs, *node.outputs):
                    if each.scales is not None and id(each) not in found:
                        found.add(id(each))
                        tensors.append(each)
    touching = [node for node in graph.nodes if any(id(each) in found for each in (*node.inputs, *node.outputs) if each is not None)]
    if any(node.operator not in WEIGHTED and node.operator not in KEEP_SCALE for node in touching):
        return
    gain = ROW_SCALE / float(tensor.scales[0])
    for node in touching:
        if node.operator in WEIGHTED:
            if id(node.output) in found:
                for each in node.inputs[1:]:
                    each.scales = (each.scales * gain).astype(np.float32)
            if id(node.inputs[0]) in found:
                node.inputs[1].scales = (node.inputs[1].scales / gain).astype(np.float32)
    for each in graph.tensors():
        if id(each) in found:
            each.scales = np.array([ROW_SCALE], np.float32)


def join_past(step):
    """Makes one node of the convolutions over earlier frames of all blocks, where no such frame belongs to the step itself.

    It reads the joined states of all blocks, as long as the longest. The mean of a block, which only the next steps need, becomes one
    more output of the convolution over its rows, and one STRIDED_SLICE collects those of all blocks.

    Args:
        step: step_graph.StepGraph.

    Returns:
        StepGraph.
    """
    blocks = [block for state in step.states if (block := _block(step.graph, state)) is not None]
    if blocks:
        blocks = [block for block in blocks if block.lines == blocks[0].lines]
    return _joined(step, blocks) if len(blocks) > 2 else step


def _block(graph, state):
    joint, cut = graph.only_consumer(state.before), graph.producer(state.after)
    if joint is None or cut is None or (joint.operator, cut.operator) != ("CONCATENATION", "STRIDED_SLICE"):
        return None
    readers = [node for node in graph.consumers(joint.output) if node is not cut]
    mean, value = graph.producer(joint.inputs[1]), joint.inputs[1]
    if len(readers) != 1 or mean is None or graph.only_consumer(value) is not joint:
        return None
    past = readers[0]
    rows = graph.only_consumer(past.output)
    if rows is None or rows.operator != "CONCATENATION" or _earlier(graph, rows) is not past or rows.inputs[0] is not mean.inputs[0]:
        return None
    sums = graph.only_consumer(rows.output)
    reader = None if sums is None else graph.only_consumer(sums.output)
    fits = (reader is not None and reader.operator == "CONV_2D" and sums.operator == mean.operator == "DEPTHWISE_CONV_2D"
            and _grid(sums.output) == _grid(mean.output) and past.output.spec.scale == np.float32(ROW_SCALE)
            and past.output.spec.zero_point == ROW_ZERO_POINT and past.options.dilationHFactor >= value.shape[TIME]
            and sums.options.fusedActivationFunction == mean.options.fusedActivationFunction == SATURATING
            and np.array_equal(sums.inputs[1].scales, mean.inputs[1].scales) and len(sums.inputs[1].scales) == 1)
    return _Past(state, joint, cut, past, mean, sums, reader) if fits else None


def _grid(tensor):
    return tensor.spec.dtype, tensor.spec.scale, tensor.spec.zero_point


def _joined(step, blocks):
    n_frames = blocks[0].joint.inputs[1].shape[TIME]
    longest = max(block.state.before.shape[TIME] for block in blocks)
    total = sum(block.channels for block in blocks)
    before, kept, new, after = (_like(blocks[0].state.before, name, frames, total) for name, frames in (
        (NAME, longest), (f"{NAME}/kept", longest - n_frames), (f"{NAME}/new", n_frames), (f"{NAME}/next", longest)))
    past = _like(blocks[0].past.output, "past", n_frames, total)
    options = schema.SplitVOptionsT()
    options.numSplits = len(blocks)
    sizes = constant("i", np.array([block.channels for block in blocks], np.int32))
    nodes = [_slice(before, kept, (0, n_frames, 0, 0), (1, 1, 1, 1)), _past_of_all(blocks, before, past, n_frames),
             Node("SPLIT_V", [past, sizes, constant("i", np.array(CHANNELS, np.int32))], [block.past.output for block in blocks], options,
                  MOVE_VERSIONS["SPLIT_V"])]
    replaced, outputs = {}, []
    for block in blocks:
        outputs.append(_like(block.sums.output, block.sums.output.name, n_frames, block.channels * (block.lines + 1)))
        replaced |= {id(node): [] for node in (block.joint, block.cut, block.past, block.mean)}
        replaced[id(block.sums)] = [_sums_and_mean(block, outputs[-1])]
        replaced[id(block.reader)] = [_reading_sums(block, outputs[-1])]
    for node in step.graph.nodes:
        nodes += replaced.get(id(node), [node])
    lines = blocks[0].lines
    joining, all_sums = joined_channels(outputs, f"{NAME}/sums")
    nodes += [*joining, _slice(all_sums, new, (0, 0, 0, lines), (1, 1, 1, lines + 1)), _concatenation([kept, new], after)]
    gone = {id(block.state) for block in blocks}
    states = [state for state in step.states if id(state) not in gone]
    return dataclasses.replace(step, graph=Graph(nodes, step.graph.inputs, step.graph.outputs),
                               states=(State(NAME, before, after), *states))


def _past_of_all(blocks, before, past, n_frames):
    """The convolutions over earlier frames as one; its last tap is the last frame before the step's last one that any step can reach."""
    longest, total = before.shape[TIME:CHANNELS + 1:2]
    kernel, first = np.zeros((1, longest + 1 - n_frames, 1, total), np.int8), 0
    for block in blocks:
        weights, dilation = block.past.inputs[1].data, block.past.options.dilationHFactor
        taps = weights.shape[TIME]
        for tap in range(taps - 1):
            kernel[:, longest - (taps - 1 - tap) * dilation, :, first:first + block.channels] = weights[:, tap]
        first += block.channels
    node = depthwise(before, kernel, np.zeros(total, np.int32), past)
    node.options.fusedActivationFunction, node.version = blocks[0].past.options.fusedActivationFunction, blocks[0].past.version
    for operand, parts in zip(node.inputs[1:], zip(*(block.past.inputs[1:] for block in blocks), strict=True), strict=True):
        operand.scales = np.concatenate([part.scales for part in parts])
        operand.zero_points = np.zeros(total, np.int64)
    node.inputs[1].axis = CHANNELS
    node.inputs[2].data = np.concatenate([block.past.inputs[2].data for block in blocks])
    return node


def _sums_and_mean(block, output):
    """The convolution over rows of a block with its mean as the last of the outputs of every channel."""
    weights, bias = block.sums.inputs[1:]
    mean_weights, mean_bias = block.mean.inputs[1:]
    rows = weights.shape[ROWS]
    padded = np.zeros((1, 1, rows, block.channels), np.int8)
    padded[:, :, :rows - 1] = mean_weights.data
    kernel, constants = _with_last(weights.data, padded, block.lines), _with_last(bias.data, mean_bias.data, block.lines)
    node = depthwise(block.sums.inputs[0], kernel, constants, output, block.lines + 1)
    node.options.fusedActivationFunction, node.version = SATURATING, block.sums.version
    for operand, many in zip(node.inputs[1:], (weights, bias), strict=True):
        operand.scales, operand.zero_points = many.scales, many.zero_points
    return node


def _with_last(many, one, lines):
    """[..., channels * lines] and [..., channels] as [..., channels * (lines + 1)], the latter behind the lines of every channel."""
    apart = many.reshape(*many.shape[:-1], -1, lines)
    return np.concatenate([apart, one[..., None]], -1).reshape(*many.shape[:-1], -1)


def _reading_sums(block, source):
    """The pointwise convolution behind a block, with no weight for the means."""
    node, weights = block.reader, block.reader.inputs[1]
    data = _with_last(weights.data, np.zeros((*weights.shape[:3], block.channels), np.int8), block.lines)
    return Node(node.operator, [source, dataclasses.replace(weights, data=data, shape=data.shape), *node.inputs[2:]], node.outputs,
                node.options, node.version)


def _slice(source, target, begin, strides):
    limits = [constant("i", np.array(values, np.int32)) for values in (begin, source.shape, strides)]
    return Node("STRIDED_SLICE", [source, *limits], [target], slice_options(), MOVE_VERSIONS["STRIDED_SLICE"])


def _concatenation(values, output):
    options = schema.ConcatenationOptionsT()
    options.axis, options.fusedActivationFunction = TIME, schema.ActivationFunctionType.NONE
    return Node("CONCATENATION", values, [output], options, MOVE_VERSIONS["CONCATENATION"])


def _like(tensor, name, frames, channels):
    return Tensor(name, (1, frames, 1, channels), tensor.dtype, None, tensor.scales, tensor.zero_points)
