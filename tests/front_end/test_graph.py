import numpy as np
import pytest

from kws_tf.errors import ConversionError
from kws_tf.front_end.graph import RELU6_SCALE
from kws_tf.front_end.numpy_graph import NumpyGraph


@pytest.fixture
def graph():
    return NumpyGraph()


def zeros(graph, *shape, scale=1.0):
    return graph.input(np.zeros(shape, np.int16), scale)


def test_516_taps_of_any_weights_are_allowed_and_517_are_not(graph):
    graph.convolve(zeros(graph, 1, 1, 1, 516), np.full((1, 1, 1, 516), -127), 2.0**-10, 1.0)
    with pytest.raises(ConversionError, match=r"'wide'.*sum of products.*2\*\*31"):
        graph.convolve(zeros(graph, 1, 1, 1, 517), np.full((1, 1, 1, 517), 127), 2.0**-10, 1.0, name="wide")


def test_more_taps_are_allowed_when_their_weights_are_small(graph):
    graph.convolve(zeros(graph, 1, 1, 1, 600), np.full((1, 1, 1, 600), 60), 2.0**-10, 1.0)


def test_a_scale_ratio_of_128_is_refused(graph):
    graph.convolve(zeros(graph, 1, 1, 1, 1), np.array([[[[1]]]]), 127.9, 1.0)
    with pytest.raises(ConversionError, match="'steep': scale ratio 128; the limit is 128"):
        graph.convolve(zeros(graph, 1, 1, 1, 1), np.array([[[[1]]]]), 128.0, 1.0, name="steep")


def test_a_result_beyond_30_bits_before_the_clamp_is_refused(graph):
    bias = 2**29 / 100
    graph.convolve(zeros(graph, 1, 1, 1, 1), np.array([[[[1]]]]), 100.0, 1.0, bias=[bias])
    with pytest.raises(ConversionError, match=r"before it is clamped; the limit is 2\*\*30"):
        graph.convolve(zeros(graph, 1, 1, 1, 1), np.array([[[[1]]]]), 100.0, 1.0, bias=[2 * bias])


def test_a_matrix_product_is_judged_by_the_values_of_its_constant_side(graph):
    x = zeros(graph, 1, 4, 8)
    small, large = (graph.constant(np.full((1, 4, 8), value), 1.0, "matrix") for value in (1, 32767))
    graph.matrix_product(x, small, 1.0, transpose_y=True)
    with pytest.raises(ConversionError, match="BATCH_MATMUL 'large'"):
        graph.matrix_product(x, large, 1.0, transpose_y=True, name="large")
    with pytest.raises(ConversionError, match="BATCH_MATMUL 'computed'"):
        graph.matrix_product(x, zeros(graph, 1, 8, 4), 1.0, name="computed")


def test_a_product_needs_a_scale_ratio_that_float32_holds_exactly(graph):
    x = zeros(graph, 4, scale=171 * 2.0**-15)
    graph.multiply(x, x, 171**2 * 2.0**-15)
    with pytest.raises(ConversionError, match="exact in float32"):
        graph.multiply(zeros(graph, 4, scale=0.1), zeros(graph, 4, scale=0.3), 0.07)
    with pytest.raises(ConversionError, match="below 1"):
        graph.multiply(zeros(graph, 4, scale=1.0), zeros(graph, 4, scale=1.0), 1.0)


@pytest.mark.parametrize("operation", ["add", "maximum"])
def test_operands_of_different_scales_are_refused(graph, operation):
    with pytest.raises(ConversionError, match="different scales"):
        getattr(graph, operation)(zeros(graph, 4, scale=1.0), zeros(graph, 4, scale=2.0))


def test_concatenation_of_different_scales_is_refused(graph):
    with pytest.raises(ConversionError, match="different scales"):
        graph.concatenate([zeros(graph, 1, 4, scale=1.0), zeros(graph, 1, 4, scale=2.0)], 1)


def test_shapes_that_do_not_fit_are_refused(graph):
    x = zeros(graph, 1, 3, 1, 4)
    for wrong in (lambda: graph.reshape(x, (1, 5)), lambda: graph.max_pool(x, (2, 1)), lambda: graph.matrix_product(x, x, 1.0),
                  lambda: graph.convolve(x, np.ones((1, 1, 1, 3), int), 1.0, 1.0)):
        with pytest.raises(ConversionError):
            wrong()


def test_multiply_accumulates_are_counted(graph):
    graph.convolve(zeros(graph, 2, 6, 5, 3), np.ones((7, 2, 5, 3), int), 1e-3, 1.0, row_stride=2)
    assert graph.macs == 2 * 3 * 1 * 7 * 2 * 5 * 3
    graph.matrix_product(zeros(graph, 2, 4, 8), graph.constant(np.ones((1, 8, 3)), 1e-3, "matrix"), 1.0)
    assert graph.macs == 2 * 3 * 7 * 30 + 2 * 4 * 3 * 8


def test_results_are_kept_by_stage_and_name():
    graph = NumpyGraph(keep=True)
    graph.stage = "gain"
    x = graph.input(np.array([[[[-7]]]], np.int16), 1.0)
    graph.absolute(graph.absolute(x))
    graph.convolve(x, np.array([[[[-2]]]]), RELU6_SCALE, RELU6_SCALE, relu6=True, name="steps")
    assert {name: values.item() for name, values in graph.results.items()} == {"gain/abs": 7, "gain/abs_2": 7, "gain/steps": 14}
