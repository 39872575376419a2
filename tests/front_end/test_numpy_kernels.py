import numpy as np
import pytest

from kws_tf.front_end import fixed_point
from kws_tf.front_end.graph import Tensor
from kws_tf.front_end.numpy_kernels import bind

SCALE = 2.0**-15


def shifted(sums, ratio):
    """The kernels' rescaling of integer sums, on Python integers: 16 bits of the factor, rounded once and half up, saturated."""
    q, shift = fixed_point.quantise_multiplier(ratio)
    short, down = min((q + 2**15) >> 16, 0x7FFF), 15 - shift
    return np.array([min(max((value * short + (1 << (down - 1))) >> down, -32768), 32767) for value in sums.ravel().tolist()])


@pytest.mark.parametrize("ratio", [1 / 3, 2.0**-14, 0.000123, 100.0])
def test_a_convolution_is_exact_to_the_last_bit(ratio):
    rng = np.random.default_rng(1)
    x, weights = rng.integers(-32768, 32768, (2, 4, 3, 60)).astype(np.int16), rng.integers(-127, 128, (5, 2, 3, 60)).astype(np.int8)
    bias = rng.integers(-(2**28), 2**28, 5)
    x[0], weights[0] = -32768, -127
    run = bind("CONV_2D", [Tensor(x.shape, SCALE, x)], (2, 3, 1, 5), weights=weights, weight_scales=None, bias=bias,
               ratios=np.full(5, ratio), relu6=False, row_stride=1)
    patches = np.stack([x[:, row:row + 2] for row in range(3)], 1).astype(np.int64).reshape(2, 3, -1)
    sums = patches @ weights.reshape(5, -1).T.astype(np.int64) + bias
    np.testing.assert_array_equal(run(x).ravel(), shifted(sums, ratio))


def test_a_convolution_rounds_ties_up():
    x = np.arange(-6, 7, dtype=np.int16).reshape(1, 13, 1, 1)
    run = bind("CONV_2D", [Tensor(x.shape, SCALE, x)], (1, 13, 1, 1), weights=np.ones((1, 1, 1, 1), np.int8), weight_scales=None,
               bias=np.zeros(1, np.int64), ratios=np.array([0.5]), relu6=False, row_stride=1)
    assert run(x).ravel().tolist() == [-3, -2, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(("ratio", "largest"), [(0.00123, 4000), (0.25, 9)], ids=["large", "ties"])
@pytest.mark.parametrize(("x_shape", "y_shape", "constant", "transpose_y"),
                         [((6, 8, 1, 15), (1, 8, 18, 15), 1, True), ((6, 8, 1, 15), (1, 8, 15, 18), 1, False),
                          ((1, 2, 32, 64), (6, 1, 64, 9), 0, False), ((1, 2, 32, 64), (6, 1, 9, 64), 0, True),
                          ((3, 7, 5), (3, 5, 2), 1, False), ((6, 2, 7, 5), (6, 2, 5, 2), None, False), ((1, 5, 9), (4, 9, 3), 0, False)])
def test_every_form_of_a_matrix_product_is_exact(x_shape, y_shape, constant, transpose_y, ratio, largest):
    rng = np.random.default_rng(2)
    arrays = [rng.integers(-largest, largest, shape).astype(np.int16) for shape in (x_shape, y_shape)]
    wide = [values.astype(np.int64) for values in arrays]
    sums = wide[0] @ (np.swapaxes(wide[1], -1, -2) if transpose_y else wide[1])
    tensors = [Tensor(values.shape, SCALE, values, values if index == constant else None) for index, values in enumerate(arrays)]
    result = bind("BATCH_MATMUL", tensors, sums.shape, transpose_y=transpose_y, ratio=ratio)(*arrays)
    assert result.shape == sums.shape and result.dtype == np.int16
    np.testing.assert_array_equal(result.ravel(), shifted(sums, ratio))


def test_a_mean_of_a_block_rounds_half_away_from_zero():
    x = np.array([-32768, -32767, -3, -2, 2, 3, 32767, 32766], np.int16).reshape(1, 8, 1, 1)
    assert bind("AVERAGE_POOL_2D", [], (1, 4, 1, 1), window=(2, 1))(x).ravel().tolist() == [-32768, -3, 3, 32767]


def test_a_maximum_of_a_block():
    x = np.arange(24, dtype=np.int16).reshape(1, 4, 6, 1)
    assert bind("MAX_POOL_2D", [], (1, 2, 2, 1), window=(2, 3))(x).ravel().tolist() == [8, 11, 20, 23]
