import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.executor import Execution
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.nodes import SATURATING, depthwise
from kws_tf.tflite.swish_lines import lay_lines, swish, swish_to_lines


def swish_graph(window=(1, 3)):
    """Depthwise convolution of two channels, swish, pointwise convolution to one."""
    random = np.random.default_rng(0)
    height, width = window
    x, z, gate, product, y = (Tensor(name, shape, "float32") for name, shape in (
        ("x", (1, 8, width, 2)), ("z", (1, 9 - height, 1, 2)), ("gate", (1, 9 - height, 1, 2)), ("product", (1, 9 - height, 1, 2)),
        ("y", (1, 9 - height, 1, 1))))
    options = schema.Conv2DOptionsT()
    options.padding, options.fusedActivationFunction = schema.Padding.VALID, schema.ActivationFunctionType.NONE
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    multiply = schema.MulOptionsT()
    multiply.fusedActivationFunction = schema.ActivationFunctionType.NONE
    weights = random.normal(size=(1, height, width, 2)).astype(np.float32)
    pointwise = constant("w", np.float32([[[[1.0, -2.0]]]])), constant("b", np.float32([0.25]))
    return Graph([depthwise(x, weights, np.float32([0.5, -1.0]), z), Node("LOGISTIC", [z], [gate]),
                  Node("MUL", [z, gate], [product], multiply), Node("CONV_2D", [product, *pointwise], [y], options)], [x], [y])


def values_of(graph, clips):
    run = Execution(graph, clips)
    *_, last = (run.advance(node) for node in graph.nodes)
    return last.numpy()


def test_a_polyline_meets_swish_where_the_values_are():
    z = np.random.default_rng(0).normal(0, 2, 5000)
    errors = {}
    for lines in (2, 4, 8):
        knots, heights = lay_lines(z, lines)
        assert len(knots) == len(heights) == lines + 1 and np.all(np.diff(knots) > 0)
        assert (knots[0], knots[-1]) == pytest.approx((z.min(), z.max()))
        errors[lines] = np.sqrt(np.mean((np.interp(z, knots, heights) - swish(z)) ** 2))
    assert errors[2] > 2 * errors[4] > 4 * errors[8] and errors[8] < 0.01
    assert np.diff(lay_lines(z, 8)[0]).argmin() in (3, 4, 5)                # shortest where swish bends most


def test_values_that_do_not_vary_have_a_line_too():
    knots, heights = lay_lines(np.full(100, 1.0), 3)
    assert np.interp(1.0, knots, heights) == pytest.approx(swish(1.0), abs=1e-3)


def test_swish_becomes_lines_of_the_convolution_ahead_of_it():
    clips = np.random.default_rng(1).normal(size=(64, 8, 3, 2)).astype(np.float32)
    graph = swish_graph()
    expected = values_of(swish_graph(), clips)
    swish_to_lines(graph, clips, lines=12)
    assert [node.operator for node in graph.nodes] == ["DEPTHWISE_CONV_2D", "CONV_2D"]
    lines = graph.nodes[0]
    assert (lines.options.depthMultiplier, lines.options.fusedActivationFunction) == (12, SATURATING)
    error = values_of(graph, clips) - expected
    assert np.sqrt(np.mean(error ** 2)) < 0.02 * expected.std() and np.abs(error.mean()) < 1e-3


def test_other_swishes_stay():
    clips = np.random.default_rng(1).normal(size=(4, 8, 1, 2)).astype(np.float32)
    over_time = swish_graph(window=(3, 1))
    swish_to_lines(over_time, clips)
    assert [node.operator for node in over_time.nodes] == ["DEPTHWISE_CONV_2D", "LOGISTIC", "MUL", "CONV_2D"]
    read_elsewhere = swish_graph(window=(1, 1))
    read_elsewhere.outputs.append(read_elsewhere.nodes[1].output)
    swish_to_lines(read_elsewhere, clips)
    assert len(read_elsewhere.nodes) == 4
