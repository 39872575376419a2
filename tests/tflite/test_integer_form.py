import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.executor import Execution
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.integer_form import give_biases, integer_form, match_joint, match_row_affine, poolings_to_depthwise, range_of
from kws_tf.tflite.nodes import depthwise
from kws_tf.tflite.ranges import by_channel
from kws_tf.tflite.simplify import simplify


def outputs(graph, x):
    run = Execution(graph, x)
    return [run.advance(node) for node in graph.nodes][-1].numpy()


def channel_ranges(graph, nodes, x):
    """(low, high) of every node, each [channels]."""
    return [np.transpose(found) for found in by_channel(graph, [node.output for node in nodes], x, range_of)]


def affine_graph(relu=False):
    """Depthwise convolution -> MUL [24, 3] -> ADD [24, 3], with scales and shifts far apart; too many rows for one product."""
    random = np.random.default_rng(1)
    x, conv = Tensor("x", (1, 6, 24, 3), "float32"), Tensor("conv", (1, 6, 24, 3), "float32")
    scaled, y = Tensor("scaled", (1, 6, 24, 3), "float32"), Tensor("y", (1, 6, 24, 3), "float32")
    convolution = depthwise(x, np.float32([0.01, 1, 50]).reshape(1, 1, 1, 3), np.float32([3, 0, -7]), conv)
    mul, add = schema.MulOptionsT(), schema.AddOptionsT()
    add.fusedActivationFunction = schema.ActivationFunctionType.RELU if relu else schema.ActivationFunctionType.NONE
    scale = random.uniform(0.5, 2, (24, 3)).astype(np.float32) / np.float32([0.01, 1, 50])
    shift = random.normal(size=(24, 3)).astype(np.float32)
    nodes = [convolution, Node("MUL", [conv, constant("s", scale)], [scaled], mul), Node("ADD", [constant("b", shift), scaled], [y], add)]
    return Graph(nodes, [x], [y]), scale, shift


@pytest.mark.parametrize("relu", [False, True])
def test_row_affine_computes_the_same_with_channels_of_equal_range(relu):
    graph, scale, shift = affine_graph(relu)
    x = np.random.default_rng(2).normal(size=(40, 6, 24, 3)).astype(np.float32)
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


def joint_graph(activation=0):
    """Rows x and the row of a convolution whose channels have far smaller ranges, read by one depthwise convolution."""
    random = np.random.default_rng(4)
    x, row = Tensor("x", (1, 6, 4, 3), "float32"), Tensor("row", (1, 6, 1, 3), "float32")
    rows, filtered = Tensor("rows", x.shape, "float32"), Tensor("filtered", row.shape, "float32")
    both, y = Tensor("both", (1, 6, 5, 3), "float32"), Tensor("y", (1, 6, 1, 6), "float32")
    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor = 1, 1, 1, 1, 1
    options.fusedActivationFunction = activation
    weights = (random.normal(size=(3, 1, 1, 3)) * np.reshape([0.01, 1, 50], (3, 1, 1, 1))).astype(np.float32)
    join = schema.ConcatenationOptionsT()
    join.axis, join.fusedActivationFunction = 2, 0
    nodes = [Node("RELU", [x], [rows]), depthwise(x, np.full((1, 1, 4, 3), 0.25, np.float32), np.zeros(3, np.float32), row),
             Node("CONV_2D", [row, constant("w", weights), constant("b", np.float32([0.1, 0, -20]))], [filtered], options),
             Node("CONCATENATION", [rows, filtered], [both], join),
             depthwise(both, random.normal(size=(1, 1, 5, 6)).astype(np.float32), np.ones(6, np.float32), y, multiplier=2)]
    return Graph(nodes, [x], [y])


def test_a_joint_gives_every_channel_the_range_of_the_rows():
    graph = joint_graph()
    x = np.random.default_rng(5).normal(size=(40, 6, 4, 3)).astype(np.float32)
    expected = outputs(graph, x)
    before = np.array(channel_ranges(graph, [graph.nodes[2]], x)[0])
    assert np.ptp(before, axis=0).max() > 1000 * np.ptp(before, axis=0).min()
    integer_form(graph, x)
    np.testing.assert_allclose(outputs(graph, x), expected, rtol=1e-4, atol=1e-3)
    (low, high), (rows_low, rows_high) = channel_ranges(graph, [graph.nodes[2], graph.nodes[0]], x)
    np.testing.assert_allclose(high - low, rows_high.max() - rows_low.min(), rtol=0.2)
    np.testing.assert_allclose(low, rows_low.min(), atol=0.3)


def test_a_joint_with_an_activation_or_another_reader_stays():
    graph = joint_graph(schema.ActivationFunctionType.RELU)
    assert match_joint(graph, graph.nodes[3]) is None
    graph = joint_graph()
    assert match_joint(graph, graph.nodes[3]) is not None
    graph.outputs.append(graph.nodes[2].output)
    assert match_joint(graph, graph.nodes[3]) is None


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
    assert after.count("MUL") == before.count("MUL") - 12 and after.count("ADD") == 0 and after.count("CONCATENATION") == 12
    np.testing.assert_allclose(outputs(float_graph, small_network.features), expected, atol=2e-4)
