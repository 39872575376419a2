import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.executor import Execution
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.nodes import depthwise
from kws_tf.tflite.paddings import fold_paddings, unfold_time_paddings


def padded(widths, kernel, *, size=(9, 5), strides=(1, 1), dilation=1):
    """PAD -> depthwise convolution without padding."""
    x = Tensor("x", (1, *size, 2), "float32")
    shape = tuple(each + sum(width) for each, width in zip(size, widths, strict=True))
    source = Tensor("padded", (1, *shape, 2), "float32")
    reach = ((kernel[0] - 1) * dilation, kernel[1] - 1)
    outputs = tuple((each - over - 1) // stride + 1 for each, over, stride in zip(shape, reach, strides, strict=True))
    y = Tensor("y", (1, *outputs, 2), "float32")
    weights = np.random.default_rng(1).normal(size=(1, *kernel, 2)).astype(np.float32)
    node = depthwise(source, weights, np.float32([1, 2]), y)
    node.options.strideH, node.options.strideW = strides
    node.options.dilationHFactor = dilation
    pad = Node("PAD", [x, constant("p", np.int32([(0, 0), *widths, (0, 0)]))], [source], schema.PadOptionsT())
    return Graph([pad, node], [x], [y])


def outputs(graph, x):
    run = Execution(graph, x)
    return [run.advance(node) for node in graph.nodes][-1].numpy()


@pytest.mark.parametrize("arguments", [
    {"widths": ((1, 1), (0, 0)), "kernel": (3, 1)},
    {"widths": ((4, 4), (0, 0)), "kernel": (3, 1), "dilation": 4},
    {"widths": ((2, 2), (2, 2)), "kernel": (5, 5)},
    {"widths": ((2, 2), (0, 0)), "kernel": (5, 5)},                                      # over all rows: a stride of all rows
    {"widths": ((0, 0), (0, 1)), "kernel": (1, 3), "strides": (1, 2), "size": (9, 6)},
])
def test_a_convolution_pads_by_itself(arguments):
    graph = padded(**arguments)
    x = np.random.default_rng(2).normal(size=(3, *graph.inputs[0].shape[1:])).astype(np.float32)
    expected = outputs(graph, x)
    fold_paddings(graph)
    assert [node.operator for node in graph.nodes] == ["DEPTHWISE_CONV_2D"]
    np.testing.assert_allclose(outputs(graph, x), expected, atol=1e-6)


@pytest.mark.parametrize("arguments", [
    {"widths": ((2, 0), (0, 0)), "kernel": (3, 1)},                                      # causal
    {"widths": ((1, 1), (1, 1)), "kernel": (1, 3), "strides": (1, 2), "size": (9, 6)},   # SAME would begin one row later
    {"widths": ((2, 2), (0, 0)), "kernel": (3, 1)},                                      # wider than the convolution
])
def test_other_paddings_stay(arguments):
    graph = padded(**arguments)
    fold_paddings(graph)
    assert [node.operator for node in graph.nodes] == ["PAD", "DEPTHWISE_CONV_2D"]


@pytest.mark.parametrize("arguments", [
    {"widths": ((1, 1), (0, 0)), "kernel": (3, 1)},
    {"widths": ((1, 2), (0, 0)), "kernel": (4, 1)},
    {"widths": ((4, 4), (1, 1)), "kernel": (3, 3), "dilation": 4},
    {"widths": ((1, 1), (0, 0)), "kernel": (3, 1), "strides": (2, 1)},
])
def test_a_node_pads_over_time_again(arguments):
    """As TensorFlow 2.21 gives a padding of a network that looks ahead."""
    graph = padded(**arguments)
    x = np.random.default_rng(2).normal(size=(3, *graph.inputs[0].shape[1:])).astype(np.float32)
    expected, widths = outputs(graph, x), graph.nodes[0].inputs[1].data
    fold_paddings(graph)
    assert [node.operator for node in graph.nodes] == ["DEPTHWISE_CONV_2D"]
    unfold_time_paddings(graph)
    assert [node.operator for node in graph.nodes] == ["PAD", "DEPTHWISE_CONV_2D"]
    np.testing.assert_array_equal(graph.nodes[0].inputs[1].data, widths)
    np.testing.assert_allclose(outputs(graph, x), expected, atol=1e-6)


def test_a_convolution_over_rows_alone_keeps_its_padding():
    graph = padded(((0, 0), (1, 1)), (1, 3))
    fold_paddings(graph)
    unfold_time_paddings(graph)
    assert [node.operator for node in graph.nodes] == ["DEPTHWISE_CONV_2D"]


def test_a_padding_with_two_readers_stays():
    graph = padded(((1, 1), (0, 0)), (3, 1))
    graph.outputs.append(graph.nodes[0].output)
    fold_paddings(graph)
    assert len(graph.nodes) == 2


def test_an_exported_network_has_no_needless_padding():
    import keras

    from kws_tf.tflite import convert_classifier, flatbuffer

    model = keras.Sequential([keras.Input((8, 6, 1)), keras.layers.ZeroPadding2D((1, 0)), keras.layers.Conv2D(4, (3, 1), activation="relu"),
                              keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)])
    content = convert_classifier(model, np.random.default_rng(3).normal(size=(20, 8, 6, 1)).astype(np.float32))
    assert [node.operator for node in flatbuffer.read(content).nodes][:2] == ["CONV_2D", "MEAN"]
