import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.executor import Execution
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.nodes import depthwise
from kws_tf.tflite.row_products import Rows, merge_row_products

RELU = schema.ActivationFunctionType.RELU
TIME, ROWS, CHANNELS = 6, 5, 3


def executed(graph, x):
    """name of the tensor -> its values, of all outputs."""
    run, found = Execution(graph, x), {}
    for node in graph.nodes:
        found[node.output.name] = run.advance(node).numpy()
    return {tensor.name: found[tensor.name] for tensor in graph.outputs}


def element_wise(operator, first, second, name, activation=0):
    shape = first.shape if first.data is None else second.shape
    options = {"ADD": schema.AddOptionsT, "MUL": schema.MulOptionsT}[operator]()
    options.fusedActivationFunction = activation
    return Node(operator, [first, second], [Tensor(name, shape, "float32")], options)


def pooled(source, name):
    options = schema.Pool2DOptionsT()
    options.padding, options.fusedActivationFunction = schema.Padding.VALID, 0
    options.filterHeight, options.filterWidth, options.strideH, options.strideW = 1, source.shape[2], 1, 1
    return Node("AVERAGE_POOL_2D", [source], [Tensor(name, (1, source.shape[1], 1, source.shape[3]), "float32")], options)


def block(*, stride=1, residual=True, rows=ROWS, padding="SAME"):
    """A broadcasted residual block from x to y, its pooled path ending in a TANH, which is not linear in the rows."""
    random = np.random.default_rng(1)
    x = Tensor("x", (1, TIME, rows, CHANNELS), "float32")
    nodes, source = [], x
    if padding == "PAD":
        source = Tensor("padded", (1, TIME, rows + 2, CHANNELS), "float32")
        nodes.append(Node("PAD", [x, constant("p", np.int32([[0, 0], [0, 0], [1, 1], [0, 0]]))], [source], schema.PadOptionsT()))
    below = -(-rows // stride)
    filtered = Tensor("filtered", (1, TIME, below, CHANNELS), "float32")
    nodes.append(depthwise(source, random.normal(size=(1, 1, 3, CHANNELS)).astype(np.float32), np.float32([1, 2, 3]), filtered))
    nodes[-1].options.strideW = stride
    nodes[-1].options.padding = schema.Padding.VALID if padding == "PAD" else schema.Padding.SAME
    values = [constant("c", random.normal(size=(below, CHANNELS)).astype(np.float32)) for _ in range(2)]
    nodes.append(element_wise("MUL", filtered, values[0], "scaled"))
    nodes.append(element_wise("ADD", values[1], nodes[-1].output, "normed"))
    normed = full = nodes[-1].output
    if residual:
        nodes.append(element_wise("ADD", normed, x, "full"))
        full = nodes[-1].output
    nodes.append(pooled(normed, "pooled"))
    nodes.append(Node("TANH", [nodes[-1].output], [Tensor("row", nodes[-1].output.shape, "float32")]))
    nodes.append(element_wise("ADD", full, nodes[-1].output, "y", RELU))
    return Graph(nodes, [x], [nodes[-1].output])


def clips(graph, n=3):
    return np.random.default_rng(2).normal(size=(n, *graph.inputs[0].shape[1:])).astype(np.float32)


@pytest.mark.parametrize("arguments", [{}, {"residual": False}, {"stride": 2, "residual": False}, {"padding": "PAD"},
                                       {"stride": 2, "residual": False, "padding": "PAD", "rows": 6}, {"rows": 2}])
def test_a_block_computes_the_same_in_six_nodes(arguments):
    graph = block(**arguments)
    x = clips(graph)
    expected = executed(graph, x)
    merge_row_products(graph)
    assert [node.operator for node in graph.nodes] == [
        "DEPTHWISE_CONV_2D", "TANH", "CONCATENATION", "DEPTHWISE_CONV_2D", "RESHAPE", "TRANSPOSE"]
    assert graph.nodes[3].options.fusedActivationFunction == RELU
    np.testing.assert_allclose(executed(graph, x)["y"], expected["y"], atol=1e-5)
    assert expected["y"].max() > 1


def test_a_mean_over_rows_counts_as_a_pooling():
    graph = block()
    old = next(node for node in graph.nodes if node.operator == "AVERAGE_POOL_2D")
    options = schema.ReducerOptionsT()
    options.keepDims = True
    graph.nodes[graph.nodes.index(old)] = Node("MEAN", [old.inputs[0], constant("a", np.int32([2]))], old.outputs, options)
    x = clips(graph)
    expected = executed(graph, x)
    merge_row_products(graph)
    assert len(graph.nodes) == 6
    np.testing.assert_allclose(executed(graph, x)["y"], expected["y"], atol=1e-5)


@pytest.mark.parametrize("spoil", ["pads frames", "taps over time", "constant per frame", "mean over time", "pooling of a part"])
def test_what_mixes_frames_or_is_not_linear_stays(spoil):
    graph = block(padding="PAD")
    if spoil == "pads frames":
        graph.nodes[0].inputs[1] = constant("p", np.int32([[0, 0], [1, 0], [1, 1], [0, 0]]))
    elif spoil == "taps over time":
        graph.nodes[1].inputs[1] = constant("w", np.ones((1, 2, 3, CHANNELS), np.float32))
    elif spoil == "constant per frame":
        graph.nodes[2].inputs[1] = constant("c", np.ones((1, TIME, ROWS, CHANNELS), np.float32))
    elif spoil == "mean over time":
        node = next(node for node in graph.nodes if node.operator == "AVERAGE_POOL_2D")
        options = schema.ReducerOptionsT()
        options.keepDims = True
        graph.nodes[graph.nodes.index(node)] = Node("MEAN", [node.inputs[0], constant("a", np.int32([1, 2]))], node.outputs, options)
    else:
        next(node for node in graph.nodes if node.operator == "AVERAGE_POOL_2D").options.filterWidth = 2
    spoiled = {"pads frames": "PAD", "taps over time": "DEPTHWISE_CONV_2D", "constant per frame": "MUL", "mean over time": "MEAN",
               "pooling of a part": "AVERAGE_POOL_2D"}[spoil]
    node = next(node for node in graph.nodes if node.operator == spoiled)
    merge_row_products(graph)
    assert any(entry is node for entry in graph.nodes)


def test_what_something_else_reads_is_kept():
    graph = block()
    graph.outputs.append(next(node for node in graph.nodes if node.output.name == "normed").output)
    x = clips(graph)
    expected = executed(graph, x)
    merge_row_products(graph)
    found = executed(graph, x)
    for name in ("y", "normed"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5)


def test_a_large_matrix_is_not_worth_it():
    graph = block(rows=21)
    before = [node.operator for node in graph.nodes]
    merge_row_products(graph)
    assert [node.operator for node in graph.nodes] == before
    merge_row_products(graph, largest_matrix=21 * 22)
    assert len(graph.nodes) == 6


def test_a_single_operator_stays_as_it_is():
    x = Tensor("x", (1, TIME, ROWS, CHANNELS), "float32")
    graph = Graph([element_wise("MUL", x, constant("c", np.float32([1, 2, 3])), "y")], [x], [])
    graph.outputs.append(graph.nodes[0].output)
    merge_row_products(graph)
    assert [node.operator for node in graph.nodes] == ["MUL"]


def test_rows_that_come_twice_add_up():
    x = Tensor("x", (1, TIME, ROWS, CHANNELS), "float32")
    row = Tensor("row", (1, TIME, 1, CHANNELS), "float32")
    total = Rows.of(x) + Rows.of(row) + Rows.of(x)
    assert [tensor.name for tensor, _ in total.terms] == ["x", "row"]
    np.testing.assert_array_equal(total.terms[0][1][:, :, 0], 2 * np.eye(ROWS))
    np.testing.assert_array_equal(total.terms[1][1], np.ones((ROWS, 1, CHANNELS)))


def test_the_whole_network_computes_the_same(float_graph, small_network):
    from kws_tf.tflite.simplify import simplify

    simplify(float_graph)
    x = small_network.features[:8]
    expected = list(executed(float_graph, x).values())[0]
    before = len(float_graph.nodes)
    merge_row_products(float_graph)
    operators = [node.operator for node in float_graph.nodes]
    # From 141 by the converter of TensorFlow 2.17, from 140 by that of 2.21, which folds one padding itself.
    assert len(operators) <= 131 < before and not {"ADD", "AVERAGE_POOL_2D"} & set(operators)
    np.testing.assert_allclose(list(executed(float_graph, x).values())[0], expected, atol=1e-4)
