import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.runtime.interpreter import available, open_interpreter
from kws_tf.tflite import flatbuffer, micro
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.nodes import NO_ACTIVATION, reshape
from kws_tf.tflite.pointwise_logits import pointwise_logits

CHANNELS, CLASSES = 12, 5


def quantised(name, shape, scale, zero_point, data=None, dtype="int8"):
    return Tensor(name, shape, dtype, data, np.float32([scale]), np.int64([zero_point]))


def classifier(before):
    """Points -> RESHAPE or MEAN -> FULLY_CONNECTED, int8."""
    random = np.random.default_rng(1)
    frames = 1 if before == "RESHAPE" else 7
    x = quantised("x", (1, frames, 1, CHANNELS), 0.05, -128)
    vector = quantised("vector", (1, CHANNELS), 0.05, -128)
    if before == "RESHAPE":
        first = reshape(x, vector)
    else:
        options = schema.ReducerOptionsT()
        options.keepDims = False
        first = Node("MEAN", [x, constant("axes", np.int32([1, 2]))], [vector], options, 2)
    weights = quantised("w", (CLASSES, CHANNELS), 0.01, 0, random.integers(-127, 128, (CLASSES, CHANNELS)).astype(np.int8))
    bias = quantised("b", (CLASSES,), 0.0005, 0, random.integers(-900, 900, CLASSES).astype(np.int32), "int32")
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = NO_ACTIVATION
    logits = quantised("logits", (1, CLASSES), 0.032, 3)
    return Graph([first, Node("FULLY_CONNECTED", [vector, weights, bias], [logits], options, 4)], [x], [logits])


def runner(content, name):
    interpreter = open_interpreter(content, interpreter=name, kernels="reference")[1]

    def run(x):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return run


@pytest.mark.parametrize("before", ["RESHAPE", "MEAN"])
def test_every_interpreter_gives_the_same_integers(before):
    # Every 64th sum is a tie here: a FULLY_CONNECTED gives other integers in LiteRT, and others again in tflite-runtime.
    graph = classifier(before)
    product = flatbuffer.write(graph)
    pointwise_logits(graph)
    content = flatbuffer.write(graph)
    operators = [node.operator for node in graph.nodes]
    assert operators == (["CONV_2D", "RESHAPE"] if before == "RESHAPE" else ["MEAN", "CONV_2D", "RESHAPE"])
    assert graph.outputs[0].shape == (1, CLASSES)
    runners = [runner(content, name) for name in available()]
    if micro.unavailable() == "":
        runners.append(micro.MicroInterpreter(content))
    near = runner(product, available()[0])
    random = np.random.default_rng(2)
    for _ in range(500):
        x = random.integers(-128, 128, graph.inputs[0].shape).astype(np.int8)
        first, *others = (run(x) for run in runners)
        for other in others:
            np.testing.assert_array_equal(other, first)
        assert np.abs(near(x).astype(int) - first).max() <= 1


def test_a_product_of_something_else_stays():
    graph = classifier("RESHAPE")
    graph.nodes[0] = Node("L2_NORMALIZATION", [graph.inputs[0]], graph.nodes[0].outputs, schema.L2NormOptionsT())
    pointwise_logits(graph)
    assert [node.operator for node in graph.nodes] == ["L2_NORMALIZATION", "FULLY_CONNECTED"]
