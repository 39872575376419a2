import numpy as np
import pytest
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.executor import Execution, compute, real, to_grid
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant


def interpreted(content, clips):
    """Every computed tensor of a file, clip by clip, by the reference kernels: name -> real values."""
    interpreter = tf.lite.Interpreter(model_content=content, experimental_preserve_all_tensors=True,
                                      experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    outputs = [index for node in interpreter._get_ops_details() for index in node["outputs"]]
    found = []
    for clip in clips:
        scale, zero_point = source["quantization"]
        stored = np.clip(np.round(clip / scale) + zero_point, -128, 127) if scale else clip
        interpreter.set_tensor(source["index"], stored[None].astype(source["dtype"]))
        interpreter.invoke()
        found.append([interpreter.get_tensor(index) for index in outputs])
    return [np.stack(values) for values in zip(*found, strict=True)]


def executed(graph, clips):
    run = Execution(graph, clips)
    return [run.advance(node).numpy() for node in graph.nodes]


def test_float_graph_gives_what_the_interpreter_gives_at_every_node(float_graph, float_content, small_network):
    clips = small_network.features[:2]
    expected = interpreted(float_content, clips)
    found = executed(float_graph, clips)
    assert len(found) == len(expected)
    for node, here, there in zip(float_graph.nodes, found, expected, strict=True):
        np.testing.assert_allclose(here.ravel(), there.ravel(), atol=2e-4, err_msg=node.output.name)


def test_integer_graph_gives_what_the_kernels_give_at_every_node(exported, small_network):
    """Node by node on the kernels' own inputs: equal within one step, mostly equal."""
    content = (exported / "features" / "model.tflite").read_bytes()
    graph, clips = flatbuffer.read(content), small_network.features[:2]
    stored = interpreted(content, clips)
    values = {id(graph.inputs[0]): to_grid(tf.constant(clips), graph.inputs[0])}
    differing = []
    for node, integers in zip(graph.nodes, stored, strict=True):
        tensor = node.output
        there = (integers.reshape(len(integers), *integers.shape[2:]).astype(np.float64) - tensor.zero_points[0]) * tensor.scales[0]
        here = to_grid(compute(node, values), tensor).numpy()
        steps = np.abs(here.reshape(there.shape) - there) / tensor.scales[0]
        assert steps.max() < 1.01, f"{node.operator} {tensor.name}"
        differing.append((steps > 0.5).mean())
        values[id(tensor)] = tf.constant(there.reshape(here.shape), tf.float32)
    assert np.mean(differing) < 0.01


def test_values_are_forgotten_after_their_last_reader(float_graph, small_network):
    run = Execution(float_graph, small_network.features[:1])
    held = [run.advance(node) is not None and len(run._values) for node in float_graph.nodes]
    assert max(held) <= 5


def test_grid_and_real():
    tensor = Tensor("t", (4,), "int8", None, np.float32([0.5]), np.int64([10]))
    assert to_grid(tf.constant([0.3, -100.0, 100.0, 1.0]), tensor).numpy().tolist() == [0.5, -69.0, 58.5, 1.0]
    assert to_grid(tf.constant([0.3]), Tensor("t", (1,), "float32")).numpy() == np.float32(0.3)
    per_channel = Tensor("w", (2, 3), "int8", np.int8([[1, 2, 3], [4, 5, 6]]), np.float32([1, 10, 100]), np.int64([0, 0, 0]), axis=1)
    assert real(per_channel).tolist() == [[1, 20, 300], [4, 50, 600]]
    assert real(Tensor("s", (), "int8", np.int8(7), np.float32([0.5]), np.int64([3]))) == 2.0


def node_output(operator, inputs, shape, options=None, x=None):
    """Output of one node for a batch x whose shape replaces that of the first input."""
    y = Tensor("y", shape, "float32")
    graph = Graph([Node(operator, inputs, [y], options)], [inputs[0]], [y])
    return executed(graph, x)[0]


@pytest.mark.parametrize("operator, expected", [
    ("RELU", [[0.0, 0.0, 2.0]]), ("TANH", [np.tanh([-1.5, 0.0, 2.0])]), ("LOGISTIC", [1 / (1 + np.exp([1.5, 0.0, -2.0]))])])
def test_functions(operator, expected):
    found = node_output(operator, [Tensor("x", (1, 3), "float32")], (1, 3), x=np.float32([[-1.5, 0.0, 2.0]]))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("operator, expected", [
    ("ADD", [2.0, 4.0]), ("SUB", [-4.0, 0.0]), ("MUL", [-3.0, 4.0]), ("MINIMUM", [-1.0, 2.0]), ("MAXIMUM", [3.0, 2.0]),
    ("GREATER", [False, False])])
def test_element_wise(operator, expected):
    inputs = [Tensor("x", (1, 2), "float32"), constant("c", np.float32([3.0, 2.0]))]
    assert node_output(operator, inputs, (1, 2), x=np.float32([[-1.0, 2.0]])).tolist() == [expected]


def test_pooling_and_mean():
    x = np.arange(16, dtype=np.float32).reshape(2, 2, 4, 1)
    options = schema.Pool2DOptionsT()
    options.padding, options.filterHeight, options.filterWidth, options.strideH, options.strideW = schema.Padding.VALID, 1, 2, 1, 2
    source = Tensor("x", (1, 2, 4, 1), "float32")
    assert node_output("AVERAGE_POOL_2D", [source], (1, 2, 2, 1), options, x)[..., 0].tolist()[0] == [[0.5, 2.5], [4.5, 6.5]]
    assert node_output("MAX_POOL_2D", [source], (1, 2, 2, 1), options, x)[..., 0].tolist()[1] == [[9, 11], [13, 15]]
    mean = schema.ReducerOptionsT()
    mean.keepDims = False
    found = node_output("MEAN", [source, constant("axes", np.int32([1, -2]))], (1, 1), mean, x)
    assert found.tolist() == [[3.5], [11.5]]


def test_fully_connected_select_and_fused_activation():
    weights = constant("w", np.float32([[1, 2], [3, -4]]))
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    source = Tensor("x", (1, 2), "float32")
    assert node_output("FULLY_CONNECTED", [source, weights, None], (1, 2), options, np.float32([[1, 1]])).tolist() == [[3, 0]]
    assert node_output("FULLY_CONNECTED", [source, weights, constant("b", np.float32([1, 2]))], (1, 2), options,
                       np.float32([[1, 1]])).tolist() == [[4, 1]]
    above = Tensor("above", (1, 2), "bool")
    out = Tensor("y", (1, 2), "float32")
    nodes = [Node("GREATER", [source, constant("z", np.float32(0))], [above]),
             Node("SELECT_V2", [above, constant("one", np.float32(1)), constant("zero", np.float32(0))], [out])]
    assert executed(Graph(nodes, [source], [out]), np.float32([[-1, 5]]))[-1].tolist() == [[0, 1]]


def test_an_unknown_operator_is_named():
    with pytest.raises(ConversionError, match="operator COS .* is not supported; known are ADD"):
        node_output("COS", [Tensor("x", (1, 2), "float32")], (1, 2), x=np.float32([[1, 2]]))
