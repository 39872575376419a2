import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.equalise import equalise
from kws_tf.tflite.executor import Execution
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.nodes import depthwise, reshape
from kws_tf.tflite.row_products import Rows, product

RELU = schema.ActivationFunctionType.RELU
SPREAD = np.float32([0.01, 1, 30])


def outputs(graph, x):
    run = Execution(graph, x)
    values = {id(node.output): run.advance(node).numpy() for node in graph.nodes}
    return [values[id(tensor)] for tensor in graph.outputs]


def convolution(source, n, name, scale=1.0, activation=0, seed=0):
    random = np.random.default_rng(seed)
    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor = 1, 1, 1, 1, 1
    options.fusedActivationFunction = activation
    weights = random.normal(size=(n, 1, 1, source.shape[3])) * np.reshape(np.broadcast_to(scale, n), (n, 1, 1, 1))
    return Node("CONV_2D", [source, constant("w", weights.astype(np.float32)), constant("b", np.ones(n, np.float32) * scale)],
                [Tensor(name, (*source.shape[:3], n), "float32")], options)


def chain(reader="CONV_2D", activation=RELU):
    """Convolution with channels of far different ranges -> what reads them -> y."""
    x = Tensor("x", (1, 6, 4, 2), "float32")
    first = convolution(x, 3, "first", SPREAD, activation)
    nodes, source = [first], first.output
    random = np.random.default_rng(1)
    if reader == "CONV_2D":
        nodes.append(convolution(source, 5, "y", seed=1))
    elif reader == "DEPTHWISE_CONV_2D":
        padded = Tensor("padded", (1, 8, 4, 3), "float32")
        nodes.append(Node("PAD", [source, constant("p", np.int32([[0, 0], [1, 1], [0, 0], [0, 0]]))], [padded], schema.PadOptionsT()))
        nodes.append(depthwise(padded, random.normal(size=(1, 3, 1, 3)).astype(np.float32), np.ones(3, np.float32),
                               Tensor("y", (1, 6, 4, 3), "float32")))
    elif reader == "rows":
        nodes.append(convolution(x, 3, "other", seed=3))
        rows = (Rows.of(nodes[-1].output) + Rows.of(source)).product(random.normal(size=(4, 4, 3)))
        nodes += product(rows, Tensor("y", (1, 6, 4, 3), "float32"), RELU)
    else:
        mean, options = Tensor("mean", (1, 3), "float32"), schema.ReducerOptionsT()
        options.keepDims = False
        nodes.append(Node("MEAN", [source, constant("a", np.int32([1, 2]))], [mean], options))
        nodes.append(Node("FULLY_CONNECTED", [mean, constant("w", random.normal(size=(4, 3)).astype(np.float32)),
                                              constant("b", np.ones(4, np.float32))], [Tensor("y", (1, 4), "float32")],
                          schema.FullyConnectedOptionsT()))
    return Graph(nodes, [x], [nodes[-1].output])


def clips():
    return np.random.default_rng(2).normal(size=(20, 6, 4, 2)).astype(np.float32)


def spread(graph, node, x):
    """Largest value of a channel over that of the smallest one."""
    graph = Graph(graph.nodes, graph.inputs, [node.output])
    values = np.abs(outputs(graph, x)[0]).reshape(-1, 3).max(0)
    return values.max() / values.min()


@pytest.mark.parametrize("activation", [0, RELU])
@pytest.mark.parametrize("reader", ["CONV_2D", "DEPTHWISE_CONV_2D", "rows", "FULLY_CONNECTED"])
def test_channels_get_one_range_and_the_network_computes_the_same(reader, activation):
    graph, x = chain(reader, activation), clips()
    expected, before = outputs(graph, x)[0], spread(graph, graph.nodes[0], x)
    equalise(graph, x)
    np.testing.assert_allclose(outputs(graph, x)[0], expected, rtol=1e-4, atol=1e-3)
    after = spread(graph, graph.nodes[0], x)
    assert before > 500 and after < (6 if reader != "FULLY_CONNECTED" else 6 * before**0.5)


def test_the_output_of_a_row_product_is_equalised_too():
    x = Tensor("x", (1, 6, 4, 3), "float32")
    matrix = np.random.default_rng(4).normal(size=(4, 4, 3)) * SPREAD
    nodes = product(Rows.of(x).product(matrix), Tensor("rows", x.shape, "float32"), RELU)
    nodes.append(convolution(nodes[-1].output, 5, "y"))
    graph, values = Graph(nodes, [x], [nodes[-1].output]), np.random.default_rng(5).normal(size=(20, 6, 4, 3)).astype(np.float32)
    expected = outputs(graph, values)[0]
    equalise(graph, values)
    np.testing.assert_allclose(outputs(graph, values)[0], expected, rtol=1e-4, atol=1e-3)
    assert spread(graph, nodes[-2], values) < 6


@pytest.mark.parametrize("spoil", ["activation", "output", "another reader", "reshape"])
def test_what_cannot_be_taken_back_stays(spoil):
    graph = chain()
    first = graph.nodes[0]
    if spoil == "activation":
        first.options.fusedActivationFunction = schema.ActivationFunctionType.RELU6
    elif spoil == "output":
        graph.outputs.append(first.output)
    elif spoil == "another reader":
        graph.nodes.append(Node("TANH", [first.output], [Tensor("t", first.output.shape, "float32")]))
    else:
        graph.nodes.append(reshape(first.output, Tensor("r", (1, 6, 2, 6), "float32")))
    before = first.inputs[1].data.copy()
    equalise(graph, clips())
    np.testing.assert_array_equal(first.inputs[1].data, before)
