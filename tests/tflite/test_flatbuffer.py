import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant


def run(content, x):
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def add_graph():
    x, y = Tensor("x", (1, 3), "float32"), Tensor("y", (1, 3), "float32")
    return Graph([Node("ADD", [x, constant("c", np.float32([1, 2, 3]))], [y], schema.AddOptionsT())], [x], [y])


def test_a_graph_made_by_hand_runs():
    assert run(flatbuffer.write(add_graph()), np.float32([[10, 20, 30]])).tolist() == [[11, 22, 33]]


def test_reading_and_writing_changes_nothing_but_the_size(float_content, small_network):
    content = flatbuffer.write(flatbuffer.read(float_content))
    assert content == flatbuffer.write(flatbuffer.read(content)) and len(content) < len(float_content)
    clip = small_network.features[:1]
    np.testing.assert_array_equal(run(content, clip), run(float_content, clip))


def test_quantisation_survives(exported):
    content = (exported / "features" / "model.tflite").read_bytes()
    graph = flatbuffer.read(content)
    assert flatbuffer.write(graph) == content
    weights = next(node for node in graph.nodes if node.operator == "CONV_2D").inputs[1]
    assert weights.dtype == "int8" and len(weights.scales) == weights.shape[0] and not weights.zero_points.any()
    assert weights.spec.scale == 0 and graph.inputs[0].spec.scale > 0


def test_the_quantisation_of_a_bias_is_left_out_and_put_back(exported):
    content = (exported / "features" / "model.tflite").read_bytes()
    nodes = [node for node in flatbuffer.read(content).nodes if node.operator in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    for node in nodes:
        source, weights, bias = node.inputs
        np.testing.assert_array_equal(bias.scales, (source.scales[0] * weights.scales).astype(np.float32))
        assert not bias.zero_points.any() and len(bias.zero_points) == len(bias.scales)
    assert not _quantised_biases(content)


def test_the_bias_of_a_matrix_product_keeps_its_quantisation():
    # Kernels check it there.
    x, y = (Tensor(name, (1, 4), "int8", None, np.float32([0.5]), np.int64([0])) for name in "xy")
    weights = Tensor("w", (4, 4), "int8", np.eye(4, dtype=np.int8), np.float32([1]), np.int64([0]))
    bias = Tensor("b", (4,), "int32", np.arange(4, dtype=np.int32), np.float32([0.5]), np.int64([0]))
    graph = Graph([Node("FULLY_CONNECTED", [x, weights, bias], [y], schema.FullyConnectedOptionsT(), 4)], [x], [y])
    assert len(_quantised_biases(flatbuffer.write(graph))) == 1


def _quantised_biases(content):
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    stored = [tensor for tensor in model.subgraphs[0].tensors if tensor.type == schema.TensorType.INT32 and len(tensor.shape) == 1]
    return [tensor for tensor in stored if tensor.quantization is not None and tensor.quantization.scale is not None]


def test_equal_options_and_scales_are_stored_once():
    def size(n):
        tensors = [Tensor("t", (1, 3), "int8", None, np.float32([0.5]), np.int64([3])) for _ in range(n + 1)]
        nodes = [Node("ADD", [a, a], [b], schema.AddOptionsT()) for a, b in zip(tensors[:-1], tensors[1:], strict=True)]
        return len(flatbuffer.write(Graph(nodes, tensors[:1], tensors[-1:])))

    assert (size(41) - size(1)) / 40 <= 92                               # a node and a tensor, without options and quantisation


def test_constants_are_aligned_and_stored_once():
    graph = add_graph()
    (add,) = graph.nodes
    same = constant("same", np.float32([1, 2, 3]))
    graph.nodes.append(Node("MUL", [add.output, same], [Tensor("z", (1, 3), "float32")], schema.MulOptionsT()))
    graph.nodes.append(Node("ADD", [graph.nodes[-1].output, constant("byte", np.float32([5]))], [Tensor("o", (1, 3), "float32")],
                            schema.AddOptionsT()))
    graph.outputs = [graph.nodes[-1].output]
    content = flatbuffer.write(graph)
    model = schema.Model.GetRootAs(content, 0)
    buffers = [model.Buffers(i) for i in range(model.BuffersLength())]
    filled = [buffer for buffer in buffers if buffer.DataLength()]
    assert sorted(buffer.DataLength() for buffer in filled) == [4, 12]
    starts = [buffer._tab.Vector(flatbuffers.number_types.UOffsetTFlags.py_type(buffer._tab.Offset(4))) for buffer in filled]
    assert all(start % 16 == 0 for start in starts)
    assert run(content, np.float32([[1, 1, 1]])).tolist() == [[7, 11, 17]]


def test_walking_the_graph(float_graph):
    first = float_graph.nodes[0]
    assert float_graph.producer(first.output) is first and float_graph.producer(float_graph.inputs[0]) is None
    assert float_graph.only_consumer(float_graph.inputs[0]) is first
    assert float_graph.only_consumer(float_graph.outputs[0]) is None
    shared = next(node.output for node in float_graph.nodes if len(float_graph.consumers(node.output)) == 2)
    assert float_graph.only_consumer(shared) is None
    tensors = float_graph.tensors()
    assert len({id(tensor) for tensor in tensors}) == len(tensors)


def test_an_output_counts_as_a_reader():
    graph = add_graph()
    graph.outputs = [graph.inputs[0], *graph.outputs]
    assert graph.only_consumer(graph.inputs[0]) is None


def test_refuses_what_it_would_not_write_back():
    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
    def any_batch(x):
        return x + 1.0

    content = tf.lite.TFLiteConverter.from_concrete_functions([any_batch.get_concrete_function()], tf.Module()).convert()
    with pytest.raises(ConversionError, match="no static shape"):
        flatbuffer.read(content)
    custom = add_graph()
    custom.nodes[0].operator, custom.nodes[0].options = "CUSTOM", None
    with pytest.raises(ConversionError, match="custom operator"):
        flatbuffer.read(flatbuffer.write(custom))


def test_equal_constants_are_one_tensor():
    graph = add_graph()
    for name, values in (("same", [1, 2, 3]), ("other", [1, 2, 4])):
        last = graph.nodes[-1].output
        graph.nodes.append(Node("ADD", [last, constant(name, np.float32(values))], [Tensor(name, (1, 3), "float32")], schema.AddOptionsT()))
    graph.outputs = [graph.nodes[-1].output]
    content = flatbuffer.write(graph)
    first, second, third = flatbuffer.read(content).nodes
    assert first.inputs[1] is second.inputs[1] is not third.inputs[1]
    assert run(content, np.float32([[0, 0, 0]])).tolist() == [[3, 6, 10]]
