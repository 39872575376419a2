import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.runtime.interpreter import available, open_interpreter
from kws_tf.tflite import flatbuffer, micro
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.nodes import NO_ACTIVATION, reshape
from kws_tf.tflite.pointwise_products import pointwise_products

CHANNELS, CLASSES = 12, 5


def quantised(name, shape, scale, zero_point, data=None, dtype="int8"):
    return Tensor(name, shape, dtype, data, np.float32([scale]), np.int64([zero_point]))


def product(name, source, random, n_outputs=CLASSES):
    """FULLY_CONNECTED, int8, with a fused activation where there is a choice of one."""
    channels = source.shape[-1]
    weights = quantised("w", (n_outputs, channels), 0.01, 0, random.integers(-127, 128, (n_outputs, channels)).astype(np.int8))
    bias = quantised("b", (n_outputs,), 0.01 * float(source.scales[0]), 0, random.integers(-900, 900, n_outputs).astype(np.int32), "int32")
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = NO_ACTIVATION
    output = quantised(name, (int(np.prod(source.shape)) // channels, n_outputs), 0.64 * float(source.scales[0]), 3)
    return Node("FULLY_CONNECTED", [source, weights, bias], [output], options, 4)


def classifier(before):
    """Points -> what makes a vector of them -> FULLY_CONNECTED, int8; "cosines" has a second product behind an L2_NORMALIZATION."""
    random = np.random.default_rng(1)
    frames = 7 if before in ("MEAN", "cosines") else 1
    x = quantised("x", (1, frames, 1, CHANNELS), 0.05, -128)
    vector = quantised("vector", (1, CHANNELS), 0.05, -128)
    if before == "RESHAPE":
        nodes = [reshape(x, vector)]
    elif before == "nothing":
        x = vector
        nodes = []
    elif before == "rows":
        x = quantised("x", (1, 3, 2, CHANNELS), 0.05, -128)
        vector, nodes = x, []
    else:
        options = schema.ReducerOptionsT()
        options.keepDims = False
        nodes = [Node("MEAN", [x, constant("axes", np.int32([1, 2]))], [vector], options, 2)]
    nodes.append(product("logits", vector, random, CHANNELS if before == "cosines" else CLASSES))
    if before == "cosines":
        unit = quantised("unit", (1, CHANNELS), 1 / 128, 0)
        options = schema.L2NormOptionsT()
        options.fusedActivationFunction = NO_ACTIVATION
        nodes.append(Node("L2_NORMALIZATION", [nodes[-1].output], [unit], options, 2))
        nodes.append(product("cosines", unit, random))
    return Graph(nodes, [x], [nodes[-1].output])


EXPECTED = {
    "RESHAPE": ["CONV_2D", "RESHAPE"],
    "MEAN": ["MEAN", "CONV_2D", "RESHAPE"],
    "cosines": ["MEAN", "CONV_2D", "L2_NORMALIZATION", "CONV_2D", "RESHAPE"],
    "nothing": ["RESHAPE", "CONV_2D", "RESHAPE"],
    "rows": ["RESHAPE", "CONV_2D", "RESHAPE"],
}


def runner(content, name):
    interpreter = open_interpreter(content, interpreter=name, kernels="reference")[1]

    def run(x):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return run


@pytest.mark.parametrize("before", EXPECTED)
def test_every_interpreter_gives_the_same_integers(before):
    # Every 64th sum is a tie here: a FULLY_CONNECTED gives other integers in LiteRT, and others again in tflite-runtime.
    graph = classifier(before)
    shape, products = graph.outputs[0].shape, flatbuffer.write(graph)
    pointwise_products(graph)
    content = flatbuffer.write(graph)
    assert [node.operator for node in graph.nodes] == EXPECTED[before]
    assert graph.outputs[0].shape == shape
    runners = [runner(content, name) for name in available()]
    if micro.unavailable() == "":
        runners.append(micro.MicroInterpreter(content))
    near = runner(products, available()[0])
    random = np.random.default_rng(2)
    for _ in range(500):
        x = random.integers(-128, 128, graph.inputs[0].shape).astype(np.int8)
        first, *others = (run(x) for run in runners)
        for other in others:
            np.testing.assert_array_equal(other, first)
        assert np.abs(near(x).astype(int) - first).max() <= (6 if before == "cosines" else 1)


def test_a_fused_activation_stays():
    graph = classifier("MEAN")
    graph.nodes[-1].options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    pointwise_products(graph)
    convolution = graph.nodes[-2]
    assert convolution.options.fusedActivationFunction == schema.ActivationFunctionType.RELU
    run = runner(flatbuffer.write(graph), available()[0])
    results = [run(np.random.default_rng(seed).integers(-128, 128, graph.inputs[0].shape).astype(np.int8)) for seed in range(20)]
    assert np.min(results) == 3 < np.max(results)


def test_what_others_read_too_is_left_as_it_is():
    graph = classifier("RESHAPE")
    graph.outputs.append(graph.nodes[0].output)
    pointwise_products(graph)
    assert [node.operator for node in graph.nodes] == ["RESHAPE", "RESHAPE", "CONV_2D", "RESHAPE"]
