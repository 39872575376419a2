"""Computes what earlier frames add to all blocks of a step at once, see past_frames."""

import dataclasses

import numpy as np

from kws_tf.tflite.flatbuffer import Graph, Node
from kws_tf.tflite.joint_lines import joined_channels
from kws_tf.tflite.matrix_product import LARGEST, matrix_product
from kws_tf.tflite.nodes import CHANNELS, ROWS, SATURATING, TIME, concatenation, depthwise, reshape, split, strided_slice, transpose
from kws_tf.tflite.quantise import KEEP_SCALE, WEIGHTED
from kws_tf.tflite.step_graph import State

NAME = "earlier"
# Blocks that are worth a joined state.
FEWEST = 3
# A state has the frames of its longest line in every channel. One more state costs TFLite Micro 1.5 KB of nodes; every byte that it saves
# counts twice, in the state and in what a step reads of it.
LEAST_SAVED = 768
LAST = 3
# [frames, channels, 1, 1] -> [1, frames, 1, channels], and -> [1, channels, 1, frames].
TO_ROWS, FRAMES_LAST = (2, 0, 3, 1), (2, 1, 3, 0)
# Scale of the rows ahead of all blocks; only its ratio to the scales of weights counts.
ROW_SCALE = 1 / 127
ROW_GRID = ("int8", float(np.float32(ROW_SCALE)), -128)


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
    def frames(self):
        return self.state.before.shape[TIME]

    @property
    def channels(self):
        return self.past.output.shape[CHANNELS]

    @property
    def lines(self):
        return self.sums.options.depthMultiplier


def share_row_scale(graph):
    """Gives the rows ahead of all blocks one scale, in place, so that what earlier frames add to them can be one tensor.

    The integers of rows stay: a convolution that makes such a tensor or reads it takes the other unit up by the scales of its weights.
    The weights of earlier frames get one scale too, for one product of all. They fill the range of the rows in every channel, so their
    scales are not far apart.

    Args:
        graph: flatbuffer.Graph, int8, over a whole recording.
    """
    joints = [node for node in graph.nodes if node.operator == "CONCATENATION" and node.options.axis == ROWS]
    pasts = [(node, past) for node in joints if (past := _earlier(graph, node)) is not None]
    for node, _ in pasts:
        _relabel(graph, node.output)
    _share_weight_scale([past for _, past in pasts if _grid(past.output) == ROW_GRID])


def _share_weight_scale(pasts):
    """One scale that spans the weights of all of some convolutions with one scale of inputs."""
    scale = max((float((past.inputs[1].scales * np.abs(past.inputs[1].data)).max()) for past in pasts), default=0) / LARGEST
    for past in pasts:
        for operand, unit in zip(past.inputs[1:], (1, past.inputs[0].scales[0]), strict=True):
            operand.data = np.rint(operand.data * (operand.scales / np.float64(scale * unit))).astype(operand.data.dtype)
            operand.scales, operand.zero_points, operand.axis = np.array([scale * unit], np.float32), np.zeros(1, np.int64), 0


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
    for group in _groups(blocks):
        step = _joined(step, group)
    return step


def _groups(blocks):
    """Blocks that share a state: those with the longest line apart where that is worth it, else all."""
    if len(blocks) < FEWEST:
        return []
    longest = max(block.frames for block in blocks)
    long, short = ([block for block in blocks if (block.frames == longest) == wanted] for wanted in (True, False))
    saved = sum(block.channels for block in short) * (longest - max((block.frames for block in short), default=longest))
    return [short, long] if saved >= LEAST_SAVED and min(len(long), len(short)) >= FEWEST else [blocks]


def _block(graph, state):
    found = state.line(graph)
    if found is None:
        return None
    joint, cut, past = found
    value = joint.inputs[1]
    mean = graph.producer(value)
    if mean is None or graph.only_consumer(value) is not joint:
        return None
    rows = graph.only_consumer(past.output)
    if rows is None or rows.operator != "CONCATENATION" or _earlier(graph, rows) is not past or rows.inputs[0] is not mean.inputs[0]:
        return None
    sums = graph.only_consumer(rows.output)
    reader = None if sums is None else graph.only_consumer(sums.output)
    fits = (reader is not None and reader.operator == "CONV_2D" and sums.operator == mean.operator == "DEPTHWISE_CONV_2D"
            and _grid(sums.output) == _grid(mean.output) and _grid(past.output) == ROW_GRID
            and past.options.dilationHFactor >= value.shape[TIME]
            and sums.options.fusedActivationFunction == mean.options.fusedActivationFunction == SATURATING
            and np.array_equal(sums.inputs[1].scales, mean.inputs[1].scales) and len(sums.inputs[1].scales) == 1)
    return _Past(state, joint, cut, past, mean, sums, reader) if fits else None


def _grid(tensor):
    return tensor.spec.dtype, tensor.spec.scale, tensor.spec.zero_point


def _joined(step, blocks):
    n_frames, like = blocks[0].joint.inputs[1].shape[TIME], blocks[0].state.before
    longest, total = max(block.frames for block in blocks), sum(block.channels for block in blocks)
    name, lines = f"{NAME}_{longest}", blocks[0].lines
    before, kept, new, after = (like.like(own, (1, total, 1, frames)) for own, frames in (
        (name, longest), (f"{name}/kept", longest - n_frames), (f"{name}/new", n_frames), (f"{name}/next", longest)))
    past = blocks[0].past.output.like(f"{name}/past", (1, n_frames, 1, total))
    multiplying = _past_of_all(blocks, before, past)
    start = [*multiplying, _slice(multiplying[0].output, kept, n_frames),
             split(past, [block.past.output for block in blocks], CHANNELS)]
    replaced, outputs = {}, []
    for block in blocks:
        outputs.append(dataclasses.replace(block.sums.output, shape=(1, n_frames, 1, block.channels * (lines + 1))))
        replaced |= {id(node): [] for node in (block.joint, block.cut, block.past, block.mean)}
        replaced[id(block.sums)] = [_sums_and_mean(block, outputs[-1])]
        replaced[id(block.reader)] = [_reading_sums(block, outputs[-1])]
    joining, sums = joined_channels(outputs, f"{name}/sums")
    by_channel, means = (like.like(f"{name}/{own}", (n_frames, total, 1, size)) for own, size in (("channels", lines + 1), ("means", 1)))
    turning = [transpose(means, new, FRAMES_LAST)] if n_frames > 1 else []
    # around the blocks of this state alone, so that it is in memory no longer than they need it
    replaced[id(blocks[0].joint)] = start
    replaced[id(blocks[-1].reader)] += [
        *joining, reshape(sums, by_channel), _slice(by_channel, means, lines), *turning,
        concatenation([kept, new if turning else means], after, LAST)]
    nodes = [each for node in step.graph.nodes for each in replaced.get(id(node), [node])]
    gone = {id(block.state) for block in blocks}
    states = [state for state in step.states if id(state) not in gone]
    return dataclasses.replace(step, graph=Graph(nodes, step.graph.inputs, step.graph.outputs),
                               states=(State(name, before, after), *states))


def _past_of_all(blocks, before, past):
    """The convolutions over earlier frames as one product of every channel of the state with the taps of every frame of the step."""
    (_, total, _, longest), n_frames = before.shape, past.shape[TIME]
    taps, first = np.zeros((longest, total, n_frames), np.int8), 0
    for block in blocks:
        weights, dilation = block.past.inputs[1].data, block.past.options.dilationHFactor
        last = weights.shape[TIME] - 1
        for tap in range(last):
            for frame in range(n_frames):
                taps[longest - (last - tap) * dilation + frame, first:first + block.channels, frame] = weights[0, tap, 0]
        first += block.channels
    bias = np.concatenate([block.past.inputs[2].data for block in blocks])
    product = past.like(f"{past.name}/product", (n_frames, total, 1, 1))
    return [*matrix_product([before], taps.transpose(2, 1, 0)[:, :, None], blocks[0].past.inputs[1].scales, bias[:, None], product,
                            f"{past.name}/sources"), transpose(product, past, TO_ROWS)]


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


def _slice(source, target, first):
    """As much of the last axis of a tensor as another has, from an index on."""
    return strided_slice(source, target, (0, 0, 0, first), (*source.shape[:LAST], first + target.shape[LAST]))
