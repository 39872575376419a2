"""What the rewriting of a graph refuses, and what it leaves as it is."""

import dataclasses

import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.integer_form import depthwise
from kws_tf.tflite.step_graph import step_graph

FRAMES = 24


def tensor(name, shape):
    return Tensor(name, shape, "float32")


def pad(source, widths, name="line/Pad"):
    shape = tuple(size + sum(width) for size, width in zip(source.shape, widths, strict=True))
    return Node("PAD", [source, constant("w", np.array(widths, np.int32))], [tensor(name, shape)], schema.PadOptionsT())


def convolution(source, taps, dilation=1, padding=schema.Padding.VALID):
    frames = source.shape[1] if padding == schema.Padding.SAME else source.shape[1] - (taps - 1) * dilation
    node = depthwise(source, np.ones((1, taps, 1, source.shape[3]), np.float32), np.zeros(source.shape[3], np.float32),
                     tensor("convolved", (1, frames, *source.shape[2:])))
    node.options.dilationHFactor, node.options.padding = dilation, padding
    return node


def graph_of(*nodes):
    return Graph(list(nodes), [nodes[0].inputs[0]], [nodes[-1].output])


@pytest.fixture
def features():
    return tensor("features", (1, FRAMES, 4, 2))


def test_a_padding_becomes_a_state(features):
    padding = pad(features, [(0, 0), (4, 0), (1, 1), (0, 0)])
    source = graph_of(padding, convolution(padding.output, 3, dilation=2))
    step = step_graph(source, 2)
    assert [node.operator for node in step.graph.nodes] == ["CONCATENATION", "STRIDED_SLICE", "PAD", "DEPTHWISE_CONV_2D"]
    state, = step.states
    assert (state.name, state.before.shape, state.after.shape) == ("line", (1, 4, 4, 2), (1, 4, 4, 2))
    assert step.graph.outputs[0].shape == (1, 2, 6, 2) and (step.delay, step.rate, step.valid) == (0, 1, None)
    assert source.inputs[0].shape[1] == FRAMES and padding.inputs[1].data[1].tolist() == [4, 0]


def test_a_path_waits_for_one_that_looks_ahead(features):
    padding = pad(features, [(0, 0), (1, 1), (0, 0), (0, 0)])
    conv = convolution(padding.output, 3)
    options = schema.AddOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.NONE
    add = Node("ADD", [features, conv.output], [tensor("sum", features.shape)], options)
    step = step_graph(graph_of(padding, conv, add), 1)
    assert (step.delay, step.valid.shape) == (1, (1, 1, 1, 1))
    assert {state.name: state.before.shape[1] for state in step.states} == {"valid/earlier": 1, "line": 2, "sum/delay": 1}


@pytest.mark.parametrize("build, message", [
    (lambda x: graph_of(convolution(x, 3)), r"DEPTHWISE_CONV_2D \(convolved, input \[1, 24, 4, 2\]\) mixes frames"),
    (lambda x: graph_of(convolution(x, 3, padding=schema.Padding.SAME)), "pads over time by itself"),
    (lambda x: graph_of(pad(x, [(0, 0), (2, 0), (0, 0), (0, 0)]), convolution(tensor("line/Pad", (1, 26, 4, 2)), 3)),
     "does not depend on the recording"),
    (lambda x: graph_of(Node("CUMSUM", [x, constant("axis", np.array([1], np.int32))], [tensor("sums", x.shape)])),
     r"CUMSUM \(sums.* not known to do the same to every frame"),
    (lambda x: graph_of(Node("ADD", [x, constant("c", np.ones((1, FRAMES, 4, 2), np.float32))], [tensor("sum", x.shape)])), "mixes frames"),
    (lambda x: graph_of(Node("TRANSPOSE", [x, constant("o", np.array([0, 2, 1, 3], np.int32))], [tensor("t", (1, 4, FRAMES, 2))])),
     "TRANSPOSE"),
    (lambda x: graph_of(Node("RESHAPE", [x, constant("s", np.array([1, 12, 8, 2], np.int32))], [tensor("r", (1, 12, 8, 2))])), "RESHAPE"),
    (lambda x: graph_of(Node("MEAN", [x, constant("a", np.array([1], np.int32))], [tensor("m", (1, 1, 4, 2))], schema.ReducerOptionsT())),
     "MEAN"),
], ids=["no padding", "SAME", "unknown source", "cumulative sum", "constant over time", "transposition", "reshape", "mean"])
def test_what_mixes_frames_is_refused(build, message, features):
    with pytest.raises(ConversionError, match=message):
        step_graph(build(features), 1)


def test_two_paddings_in_a_row_are_refused(features):
    first = pad(features, [(0, 0), (2, 0), (0, 0), (0, 0)])
    with pytest.raises(ConversionError, match="behind another padding"):
        step_graph(graph_of(first, pad(first.output, [(0, 0), (1, 0), (0, 0), (0, 0)], "second/Pad")), 1)


def test_a_stride_needs_a_delay_that_it_divides(features):
    padding = pad(features, [(0, 0), (1, 1), (0, 0), (0, 0)])
    conv = convolution(padding.output, 3)
    strided = dataclasses.replace(conv.output, shape=(1, FRAMES // 2, 4, 2))
    conv.outputs, conv.options.strideH = [strided], 2
    with pytest.raises(ConversionError, match="does not divide the look-ahead of 1 frames"):
        step_graph(graph_of(padding, conv), 2)
    assert step_graph(graph_of(padding, conv), 2, input_delay=1).delay == 2
