import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.executor import Execution
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.integer_form import channel_ranges, depthwise, give_biases, integer_form, match_row_affine, poolings_to_depthwise
from kws_tf.tflite.simplify import simplify


def outputs(graph, x):
    run = Execution(graph, x)
    return [run.advance(node) for node in graph.nodes][-1].numpy()


def affine_graph(relu=False):
    """Depthwise convolution -> MUL [4, 3] -> ADD [4, 3], with scales and shifts far apart between channels and rows."""
    random = np.random.default_rng(1)
    x, conv = Tensor("x", (1, 6, 4, 3), "float32"), Tensor("conv", (1, 6, 4, 3), "float32")
    scaled, y = Tensor("scaled", (1, 6, 4, 3), "float32"), Tensor("y", (1, 6, 4, 3), "float32")
    convolution = depthwise(x, np.float32([0.01, 1, 50]).reshape(1, 1, 1, 3), np.float32([3, 0, -7]), conv)
    mul, add = schema.MulOptionsT(), schema.AddOptionsT()
    add.fusedActivationFunction = schema.ActivationFunctionType.RELU if relu else schema.ActivationFunctionType.NONE
    scale = random.uniform(0.5, 2, (4, 3)).astype(np.float32) / np.float32([0.01, 1, 50])
    shift = random.normal(size=(4, 3)).astype(np.float32)
    nodes = [convolution, Node("MUL", [conv, constant("s", scale)], [scaled], mul), Node("ADD", [constant("b", shift), scaled], [y], add)]
    return Graph(nodes, [x], [y]), scale, shift


@pytest.mark.parametrize("relu", [False, True])
def test_row_affine_computes_the_same_with_channels_of_equal_range(relu):
    graph, scale, shift = affine_graph(relu)
    x = np.random.default_rng(2).normal(size=(40, 6, 4, 3)).astype(np.float32)
    expected = outputs(graph, x)
    before = np.array(channel_ranges(graph, [graph.nodes[0]], x)[0])
    assert np.ptp(before, axis=0).max() > 1000 * np.ptp(before, axis=0).min()
    integer_form(graph, x)
    assert [node.operator for node in graph.nodes] == ["DEPTHWISE_CONV_2D", "RESHAPE", "DEPTHWISE_CONV_2D", "RESHAPE"]
    np.testing.assert_allclose(outputs(graph, x), expected, rtol=1e-4, atol=1e-4)
    low, high = channel_ranges(graph, [graph.nodes[0]], x)[0]
    np.testing.assert_allclose(low, -1, atol=0.35)
    np.testing.assert_allclose(high, 1, atol=0.35)


def test_match_finds_scale_and_shift_in_either_order():
    graph, scale, shift = affine_graph()
    convolution, mul, add, found_scale, found_shift = match_row_affine(graph, graph.nodes[0])
    assert [convolution, mul, add] == graph.nodes
    np.testing.assert_array_equal(found_scale, scale)
    np.testing.assert_array_equal(found_shift, shift)


@pytest.mark.parametrize("spoil", ["activation", "second reader", "scalar", "output"])
def test_match_leaves_other_patterns_alone(spoil):
    graph, _, _ = affine_graph()
    if spoil == "activation":
        graph.nodes[0].options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    elif spoil == "second reader":
        graph.nodes.append(Node("RELU", [graph.nodes[0].output], [Tensor("r", (1, 6, 4, 3), "float32")]))
    elif spoil == "scalar":
        graph.nodes[1].inputs[1] = constant("s", np.float32(2))
    else:
        graph.outputs.append(graph.nodes[1].output)
    assert match_row_affine(graph, graph.nodes[0]) is None


def pooled(height, width, stride_height, stride_width):
    options = schema.Pool2DOptionsT()
    options.padding, options.fusedActivationFunction = schema.Padding.VALID, schema.ActivationFunctionType.NONE
    options.filterHeight, options.filterWidth, options.strideH, options.strideW = height, width, stride_height, stride_width
    x = Tensor("x", (1, 6, 4, 3), "float32")
    y = Tensor("y", (1, (6 - height) // stride_height + 1, (4 - width) // stride_width + 1, 3), "float32")
    return Graph([Node("AVERAGE_POOL_2D", [x], [y], options)], [x], [y])


@pytest.mark.parametrize("window, replaced", [((1, 4, 1, 1), True), ((1, 4, 1, 4), True), ((6, 4, 6, 4), True), ((6, 1, 1, 1), True),
                                              ((1, 2, 1, 2), False), ((2, 4, 2, 4), False), ((1, 1, 2, 1), False)])
def test_poolings_over_whole_axes(window, replaced):
    graph = pooled(*window)
    x = np.random.default_rng(3).normal(size=(2, 6, 4, 3)).astype(np.float32)
    expected = outputs(graph, x)
    poolings_to_depthwise(graph)
    assert (graph.nodes[0].operator == "DEPTHWISE_CONV_2D") == replaced
    np.testing.assert_allclose(outputs(graph, x), expected, atol=1e-6)


def test_missing_biases_become_zeros():
    x, y = Tensor("x", (1, 2), "float32"), Tensor("y", (1, 3), "float32")
    graph = Graph([Node("FULLY_CONNECTED", [x, constant("w", np.ones((3, 2), np.float32)), None], [y])], [x], [y])
    give_biases(graph)
    assert graph.nodes[0].inputs[2].data.tolist() == [0, 0, 0]


def test_the_whole_network_computes_the_same(float_graph, small_network):
    simplify(float_graph)
    expected = outputs(float_graph, small_network.features)
    before = [node.operator for node in float_graph.nodes]
    integer_form(float_graph, small_network.features)
    after = [node.operator for node in float_graph.nodes]
    assert before.count("AVERAGE_POOL_2D") == 12 and "AVERAGE_POOL_2D" not in after
    assert after.count("MUL") == before.count("MUL") - 12 and after.count("ADD") == before.count("ADD") - 12
    np.testing.assert_allclose(outputs(float_graph, small_network.features), expected, atol=2e-4)
