import numpy as np
import pytest

from kws_tf.runtime.interpreter import open_interpreter
from kws_tf.tflite import micro
from kws_tf.tflite.flatbuffer import Graph, Tensor, write
from kws_tf.tflite.matrix_product import matrix_product, with_bias

ONE = np.ones(1, np.float32)


@pytest.mark.parametrize("zero_point", [-128, 0, 20])
def test_constant_rows_add_up_to_the_bias(zero_point):
    bias = np.array([[1, -1, 127, 30000], [-40000, 0, 5, 99999]])
    values, matrix = with_bias(np.full((2, 4, 3), 7, np.int8), bias, zero_point)
    assert matrix.dtype == np.int8 and np.all(matrix[..., :3] == 7)
    assert np.all((values >= -128) & (values <= 127))
    np.testing.assert_array_equal(matrix[..., 3:].astype(np.int64) @ (values - zero_point), bias)


@pytest.mark.parametrize("interpreter", ["tflite_runtime", "ai_edge_litert", "micro"])
@pytest.mark.parametrize("n_values, n_weights", [(1, 1), (1, 3), (2, 1)])
def test_every_channel_has_a_matrix_of_its_own(n_values, n_weights, interpreter):
    """One set of rows may meet several sets of weights, those of the frames of a step."""
    random = np.random.default_rng(7)
    n, channels, outputs, rows = max(n_values, n_weights), 5, 2, 4
    values, weights = random.integers(-9, 9, (n_values, channels, 1, rows)), random.integers(-9, 9, (n_weights, channels, outputs, rows))
    bias = random.integers(-150, 150, (channels, outputs))
    source = Tensor("rows", values.shape, "int8", None, ONE, np.array([3]))
    target = Tensor("products", (n, channels, 1, outputs), "int8", None, np.float32(1.4) * ONE, np.array([-5]))
    nodes = matrix_product([source], weights.astype(np.int8), ONE, bias, target, "joined")
    content = write(Graph(nodes, [source], [target]))
    if interpreter == "micro":
        if micro.unavailable():
            pytest.skip(micro.unavailable())
        found = micro.MicroInterpreter(content)(values.astype(np.int8))
    else:
        pytest.importorskip(interpreter)
        _, opened = open_interpreter(content, interpreter=interpreter, kernels="reference")
        opened.set_tensor(opened.get_input_details()[0]["index"], values.astype(np.int8))
        opened.invoke()
        found = opened.get_tensor(opened.get_output_details()[0]["index"])
    spread = [np.broadcast_to(each, (n, *each.shape[1:])) for each in (weights, values[:, :, 0] - 3)]
    sums = np.einsum("ncor,ncr->nco", *spread) + bias
    np.testing.assert_array_equal(found[:, :, 0], np.clip(np.rint(sums / 1.4) - 5, -128, 127))
