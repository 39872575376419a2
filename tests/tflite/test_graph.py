"""Every operator alone: the twin against the interpreters, on random integers and on the extremes."""

import numpy as np
import pytest

from kws_tf.front_end.graph import RELU6_SCALE
from kws_tf.front_end.numpy_graph import NumpyGraph
from kws_tf.runtime.interpreter import KERNELS, available, open_interpreter
from kws_tf.tflite import flatbuffer, micro
from kws_tf.tflite.graph import TfliteGraph

RNG = np.random.default_rng(11)
WEIGHTS = RNG.integers(-127, 128, (5, 2, 3, 4))
MATRIX = RNG.integers(-32767, 32768, (1, 6, 4))
SCALE = 2.0**-9


def data(*shape):
    values = RNG.integers(-32768, 32768, shape)
    extremes = np.array([-32768, 32767, 0, -1])[:values.size]
    values.ravel()[:extremes.size] = extremes
    return values.astype(np.int16)


# name -> (shapes and scales of the inputs, what is built from them)
CASES = {
    "reshape": ([((2, 3, 4, 5), SCALE)], lambda g, x: g.reshape(x, (2, 60))),
    "transpose": ([((2, 3, 4, 5), SCALE)], lambda g, x: g.transpose(x, (0, 3, 2, 1))),
    "slice": ([((7, 3, 1, 5), SCALE)], lambda g, x: g.slice(x, (2, 0, 0, 0), (6, 2, 1, 5))),
    "pad": ([((1, 9), SCALE)], lambda g, x: g.pad_end(x, (0, 5))),
    "concatenate": ([((2, 1, 1, 5), SCALE), ((2, 3, 1, 5), SCALE)], lambda g, x, y: g.concatenate([x, y], 1)),
    "absolute": ([((2, 3, 4), SCALE)], lambda g, x: g.absolute(x)),
    "max_pool": ([((2, 6, 4, 5), SCALE)], lambda g, x: g.max_pool(x, (3, 2))),
    "average_pool of two": ([((2, 2, 4, 50), SCALE)], lambda g, x: g.average_pool(x, (2, 1))),
    "average_pool of six": ([((2, 6, 4, 50), SCALE)], lambda g, x: g.average_pool(x, (3, 2))),
    "maximum with a constant": ([((1, 3, 4, 5), SCALE)], lambda g, x: g.maximum(x, g.constant(np.full((1, 1, 1, 1), -99), SCALE, "low"))),
    "add": ([((1, 3, 40, 1), SCALE), ((1, 3, 40, 1), SCALE)], lambda g, x, y: g.add(x, y)),
    "multiply, one gain per frame": ([((2, 3, 1, 5), 2.0**-15), ((2, 1, 1, 1), 2.0**-4)], lambda g, x, y: g.multiply(x, y, 2.0**-15)),
    "square, finest": ([((2, 2, 4, 50), 171 * 2.0**-15)], lambda g, x: g.multiply(x, x, 171**2 * 2.0**-29)),
    "square, coarsest": ([((2, 2, 4, 50), 171 * 2.0**-15)], lambda g, x: g.multiply(x, x, 171**2 * 2.0**-15)),
    "quantise": ([((1, 3, 40, 1), 2.0**-10)], lambda g, x: g.quantise(x, 0.0973, 13)),
    "quantise by a power of two": ([((1, 3, 40, 1), 2.0**-10)], lambda g, x: g.quantise(x, 0.125, -128)),
    "convolve": ([((3, 4, 5, 4), 0.01)],
                 lambda g, x: g.convolve(x, WEIGHTS, np.array([1.0, 0.3, 0.02, 0.5, 0.7]), 11.0, bias=[10**6, -5, 0, 10**7, 3], name="c")),
    "convolve with stride": ([((3, 4, 5, 4), 0.01)], lambda g, x: g.convolve(x, WEIGHTS, 0.1, 1.0, row_stride=2, name="c")),
    "convolve, steep ReLU6": ([((1, 3, 40, 1), 2.0**-15)],
                              lambda g, x: g.convolve(x, np.full((4, 1, 1, 1), -127), 120 * RELU6_SCALE / 2.0**-15, RELU6_SCALE,
                                                      bias=127 * np.array([1, 2, 500, 16384]), relu6=True, name="c")),
    "matrix product, constant left": ([((2, 1, 4, 9), 0.02)], lambda g, x: g.matrix_product(g.constant(MATRIX[None], 3e-5, "m"), x, 0.01)),
    "matrix product, constant right": ([((3, 5, 4), 0.02)],
                                       lambda g, x: g.matrix_product(x, g.constant(MATRIX, 3e-5, "m"), 0.013, transpose_y=True)),
    "matrix product, both sides broadcast": ([((3, 1, 4, 9), 0.02)],
                                             lambda g, x: g.matrix_product(g.constant(np.stack([MATRIX, -MATRIX], 1), 3e-5, "m"), x, 0.01)),
    "matrix product, one matrix per column": ([((3, 6, 1, 4), 0.02)],
                                              lambda g, x: g.matrix_product(x, g.constant(np.stack([MATRIX[0]] * 6)[None], 3e-5, "m"), 0.01,
                                                                            transpose_y=True)),
    "matrix product, computed sides": ([((1, 3, 4), 2.0**-15), ((1, 4, 5), 0.5)], lambda g, x, y: g.matrix_product(x, y, 0.5)),
}


def build(name):
    specs, function = CASES[name]
    graph = TfliteGraph()
    inputs = [graph.input(f"x{i}", shape, scale) for i, (shape, scale) in enumerate(specs)]
    content = flatbuffer.write(graph.finish(inputs, [function(graph, *inputs)]))
    arrays = [data(*shape) for shape, _ in specs]
    twin = NumpyGraph()
    expected = function(twin, *(twin.input(values, scale) for values, (_, scale) in zip(arrays, specs, strict=True)))
    return content, arrays, expected


@pytest.mark.parametrize("interpreter", [name for name in available() if name != "tensorflow"])
@pytest.mark.parametrize("name", CASES)
def test_the_twin_equals_the_interpreters(name, interpreter):
    content, arrays, expected = build(name)
    for kernels in KERNELS:
        _, opened = open_interpreter(content, interpreter=interpreter, kernels=kernels)
        for detail, values in zip(opened.get_input_details(), arrays, strict=True):
            opened.set_tensor(detail["index"], values)
        opened.invoke()
        detail = opened.get_output_details()[0]
        np.testing.assert_array_equal(opened.get_tensor(detail["index"]), expected.value)
        assert detail["quantization"] == (pytest.approx(expected.scale), expected.zero_point)


@pytest.mark.skipif(bool(micro.unavailable()), reason=micro.unavailable())
@pytest.mark.parametrize("name", CASES)
def test_the_twin_equals_tflite_micro(name):
    content, arrays, expected = build(name)
    np.testing.assert_array_equal(micro.MicroInterpreter(content)(*arrays), expected.value)


def test_equal_constants_are_stored_once():
    graph = TfliteGraph()
    x = graph.input("x", (1, 1, 4), 1.0)
    table = np.arange(4000).reshape(1, 1000, 4)
    first, second = (graph.matrix_product(x, graph.constant(table, scale, "table"), 1e4, transpose_y=True) for scale in (1.0, 2.0))
    content = flatbuffer.write(graph.finish([x], [first, second]))
    assert 8000 < len(content) < 10000
