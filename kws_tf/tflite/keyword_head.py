"""One probability in the place of the logits of all classes: what ESPHome's micro_wake_word expects of a model."""

import dataclasses

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.frame_scores import AVERAGE
from kws_tf.tflite.nodes import NO_ACTIVATION, TIME, convolution_options, reshape

PROBABILITY = "probability"
# A probability of 255/256 or 1/256 is at a margin of 5.5; what is beyond needs no steps.
LARGEST_MARGIN = 6.0
LOGISTIC_SCALE, LOGISTIC_ZERO_POINT = 1 / 256, -128


def score_margins(graph, keyword):
    """Makes the classifier give l_j - l_k for every class j but the keyword k, in place.

    The difference of two rows of a linear classifier is a row itself, so this is exact. With two classes the probability of the
    keyword in their softmax is sigmoid(-(l_j - l_k)). With more the largest difference counts, sigmoid(-max_j(l_j - l_k)): never below
    the probability in the softmax, and equal to it where one other class matters.

    Args:
        graph: flatbuffer.Graph, float32, features -> logits [1, classes].
        keyword: index of the class.

    Raises:
        ConversionError: the network does not end in a linear classifier.
    """
    product = graph.producer(graph.outputs[0])
    weights, *bias = product.inputs[1:] if product is not None and product.operator == "FULLY_CONNECTED" else (None,)
    if weights is None or weights.data is None or product.options.fusedActivationFunction != NO_ACTIVATION:
        raise ConversionError("esphome: the network must end in a linear classifier without an activation.")
    others = [row for row in range(len(weights.data)) if row != keyword]
    values = bias[0].data if bias and bias[0] is not None else np.zeros(len(weights.data), np.float32)
    # Of two classes the sign is turned here, so that no node has to.
    sign = np.float32(-1 if len(others) == 1 else 1)
    product.inputs[1:] = [constant(weights.name, sign * (weights.data[others] - weights.data[keyword])),
                          constant(f"{weights.name}/bias", sign * (values[others] - values[keyword]))]
    output = product.output
    output.shape = (*output.shape[:-1], len(others))


def margin_range(graph):
    """id(tensor) -> (low, high) of the margins, for a graph whose output they are."""
    return {id(graph.outputs[0]): (-LARGEST_MARGIN, LARGEST_MARGIN)}


def one_probability(step):
    """The step of a network for several frames that gives one probability: that of its last frame.

    The mean over the window is computed for the last frame alone, from a line that is shorter by the other frames of the step.

    Args:
        step: step_graph.StepGraph of margins of every frame, int8.

    Returns:
        StepGraph from int8 [1, frames, rows] to uint8 [1, 1].

    Raises:
        ConversionError: the network looks ahead, or its window is not longer than the step.
    """
    if step.valid is not None:
        raise ConversionError(f"esphome: the network looks {step.delay} frames ahead, which needs an input that the devices do not give. "
                              "Train with --padding=causal.")
    nodes, states = list(step.graph.nodes), list(step.states)
    features = _plain_input(step.graph.inputs[0], nodes)
    mean = next(node for node in nodes if node.outputs and node.output is step.graph.outputs[0])
    margins = _last_mean(nodes, states, mean)
    return dataclasses.replace(step, graph=Graph(nodes, [features], [_probability(nodes, margins)]), states=tuple(states))


def _plain_input(features, nodes):
    """Takes the axis of channels off the input; a RESHAPE at the start of the network does it for nothing."""
    plain = dataclasses.replace(features, shape=features.shape[:-1])
    readers = [node for node in nodes if any(tensor is features for tensor in node.inputs)]
    if len(readers) == 1 and readers[0].operator == "RESHAPE":
        readers[0].inputs = [plain, *readers[0].inputs[1:]]
    else:
        nodes.insert(0, reshape(plain, features))
    return plain


def _last_mean(nodes, states, mean):
    """Shortens the line of the mean over the window to what the last frame needs; returns the mean [1, 1, 1, margins]."""
    place = next((i for i, state in enumerate(states) if state.name == AVERAGE), None)
    if place is None or mean.operator != "DEPTHWISE_CONV_2D":
        raise ConversionError("esphome: the network must end in the mean over time of a linear classifier, which an ArcFace head is not. "
                              "Train without --arcface.")
    state, n_frames = states[place], mean.output.shape[TIME]
    if n_frames == 1:
        return mean.output
    joint = next(node for node in nodes if any(tensor is state.before for tensor in node.inputs))
    cut = next(node for node in nodes if any(tensor is state.after for tensor in node.outputs))
    taps = mean.inputs[1].shape[1]
    if taps <= n_frames:
        raise ConversionError(f"esphome: the window of {taps} frames must be longer than a step of {n_frames}. Use a longer "
                              "--clip_duration or smaller --hop_frames.")
    before, window, after = (_of_length(tensor, length) for tensor, length in (
        (state.before, taps - n_frames), (joint.output, taps), (state.after, taps - n_frames)))
    output = _of_length(mean.output, 1)
    begin, end = (constant("i", np.array([0, frame, 0, 0], np.int32) + rest) for frame, rest in (
        (n_frames, 0), (taps, np.array([1, 0, *window.shape[2:]], np.int32))))
    replaced = {id(joint): Node(joint.operator, [before, *joint.inputs[1:]], [window], joint.options, joint.version),
                id(cut): Node(cut.operator, [window, begin, end, cut.inputs[3]], [after], cut.options, cut.version),
                id(mean): Node(mean.operator, [window, *mean.inputs[1:]], [output], mean.options, mean.version)}
    nodes[:] = [replaced.get(id(node), node) for node in nodes]
    states[place] = dataclasses.replace(state, before=before, after=after)
    return output


def _of_length(tensor, frames):
    return dataclasses.replace(tensor, shape=(1, frames, *tensor.shape[2:]))


def _probability(nodes, margins):
    """Adds the nodes from margins [1, 1, 1, n] to the uint8 probability [1, 1]."""
    scale, zero_point, n = float(margins.scales[0]), int(margins.zero_points[0]), margins.shape[-1]
    if n > 1:
        rows, largest, turned = (_int8(f"margin/{name}", shape, at_scale, at_zero) for name, shape, at_scale, at_zero in (
            ("rows", (1, n, 1, 1), scale, zero_point), ("largest", (1, 1, 1, 1), scale, zero_point),
            ("turned", (1, 1, 1, 1), scale, -1 - zero_point)))
        nodes += [reshape(margins, rows), _max_pool(rows, largest, n), _negation(largest, turned)]
        margins = turned
    flat, logistic = _int8("margin", (1, 1), float(margins.scales[0]), int(margins.zero_points[0])), _int8(
        "logistic", (1, 1), LOGISTIC_SCALE, LOGISTIC_ZERO_POINT)
    output = Tensor(PROBABILITY, (1, 1), "uint8", None, np.array([LOGISTIC_SCALE], np.float32), np.zeros(1, np.int64))
    nodes += [reshape(margins, flat), Node("LOGISTIC", [flat], [logistic], None, 2),
              Node("QUANTIZE", [logistic], [output], schema.QuantizeOptionsT(), 1)]
    return output


def _int8(name, shape, scale, zero_point):
    return Tensor(name, shape, "int8", None, np.array([scale], np.float32), np.array([zero_point], np.int64))


def _max_pool(source, target, size):
    options = schema.Pool2DOptionsT()
    options.padding, options.fusedActivationFunction = schema.Padding.VALID, NO_ACTIVATION
    options.filterHeight, options.filterWidth, options.strideH, options.strideW = size, 1, 1, 1
    return Node("MAX_POOL_2D", [source], [target], options, 2)


def _negation(source, target):
    """A convolution with the one weight -1."""
    scales, zeros = np.array([1 / 127], np.float32), np.zeros(1, np.int64)
    weights = Tensor("w", (1, 1, 1, 1), "int8", np.full((1, 1, 1, 1), -127, np.int8), scales, zeros, 0)
    bias = Tensor("b", (1,), "int32", np.zeros(1, np.int32), source.scales * scales, zeros)
    return Node("CONV_2D", [source, weights, bias], [target], convolution_options(), 3)
