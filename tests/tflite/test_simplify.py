import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.executor import Execution
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.nodes import depthwise, reshape
from kws_tf.tflite.simplify import simplify


def outputs(graph, x):
    run = Execution(graph, x)
    return [run.advance(node) for node in graph.nodes][-1].numpy()


def frame_chain():
    """[1, 7, 4, 2] -> time folded into the batch -> zero rows -> depthwise stride 2 -> MUL -> unfolded: [1, 7, 2, 2]."""
    random = np.random.default_rng(1)
    x = Tensor("x", (1, 7, 4, 2), "float32")
    folded, padded = Tensor("folded", (7, 1, 4, 2), "float32"), Tensor("padded", (7, 1, 6, 2), "float32")
    conv, scaled = Tensor("conv", (7, 1, 2, 2), "float32"), Tensor("scaled", (7, 1, 2, 2), "float32")
    y = Tensor("y", (1, 7, 2, 2), "float32")
    pad = Node("PAD", [folded, constant("p", np.int32([[0, 0], [0, 0], [1, 1], [0, 0]]))], [padded], schema.PadOptionsT())
    convolution = depthwise(padded, random.normal(size=(1, 1, 3, 2)).astype(np.float32), np.float32([1, 2]), conv)
    convolution.options.strideH = convolution.options.strideW = 2
    mul = Node("MUL", [conv, constant("s", random.normal(size=(2, 2)).astype(np.float32))], [scaled], schema.MulOptionsT())
    return Graph([reshape(x, folded), pad, convolution, mul, reshape(scaled, y)], [x], [y])


def test_time_comes_back_from_the_batch():
    x = np.random.default_rng(2).normal(size=(5, 7, 4, 2)).astype(np.float32)
    graph = frame_chain()
    expected = outputs(graph, x)
    simplify(graph)
    assert [node.operator for node in graph.nodes] == ["PAD", "DEPTHWISE_CONV_2D", "MUL"]
    assert [node.output.shape for node in graph.nodes] == [(1, 7, 6, 2), (1, 7, 2, 2), (1, 7, 2, 2)]
    assert (graph.nodes[1].options.strideH, graph.nodes[1].options.strideW) == (1, 2)
    assert expected.shape == (5, 7, 2, 2)
    np.testing.assert_allclose(outputs(graph, x), expected, atol=1e-6)


@pytest.mark.parametrize("spoil", ["pad the frames", "read the inside twice", "constant per frame"])
def test_what_mixes_frames_stays(spoil):
    graph = frame_chain()
    if spoil == "pad the frames":
        graph.nodes[1].inputs[1] = constant("p", np.int32([[0, 0], [1, 0], [1, 1], [0, 0]]))
    elif spoil == "read the inside twice":
        graph.outputs.append(graph.nodes[2].output)
    else:
        graph.nodes[3].inputs[1] = constant("s", np.ones((7, 1, 2, 2), np.float32))
    before = [node.operator for node in graph.nodes]
    simplify(graph)
    assert [node.operator for node in graph.nodes] == before


def test_reshapes_merge_and_vanish():
    tensors = [Tensor(str(i), shape, "float32") for i, shape in enumerate([(1, 12), (1, 3, 4), (1, 4, 3), (1, 12), (1, 12)])]
    add = Node("ADD", [tensors[3], tensors[3]], [tensors[4]], schema.AddOptionsT())
    graph = Graph([*(reshape(a, b) for a, b in zip(tensors[:3], tensors[1:4], strict=True)), add], [tensors[0]], [tensors[4]])
    simplify(graph)
    assert [node.operator for node in graph.nodes] == ["ADD"] and add.inputs == [tensors[0], tensors[0]]


def test_a_reshape_that_is_the_output_stays():
    x, y = Tensor("x", (1, 12), "float32"), Tensor("y", (1, 12), "float32")
    graph = Graph([reshape(x, y)], [x], [y])
    simplify(graph)
    assert len(graph.nodes) == 1


def test_nothing_else_changes_in_the_network(float_graph, small_network):
    expected = outputs(float_graph, small_network.features[:4])
    before = len(float_graph.nodes)
    simplify(float_graph)
    assert len(float_graph.nodes) == before - 4  # the two transition blocks with a frequency stride
    assert not any(node.operator == "RESHAPE" for node in float_graph.nodes)
    np.testing.assert_allclose(outputs(float_graph, small_network.features[:4]), expected, atol=1e-5)
