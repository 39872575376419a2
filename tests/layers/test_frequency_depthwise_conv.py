import numpy as np
import pytest

from kws_tf.errors import ConfigError
from kws_tf.layers import FrequencyDepthwiseConv
from tests.layers.contract import check_layer


def with_kernel(kernel, x, stride):
    layer = FrequencyDepthwiseConv(len(kernel), stride)
    layer.build(x.shape)
    layer.kernel.assign(np.reshape(kernel, layer.kernel.shape))
    return np.ravel(layer(x))


@pytest.mark.parametrize("stride, rows", [(1, 6), (2, 3)])
def test_contract(stride, rows, tmp_path):
    check_layer(lambda **kwargs: FrequencyDepthwiseConv(3, stride, **kwargs), (5, 6, 3), (5, rows, 3), tmp_path, trainable_weights=1)


@pytest.mark.parametrize("stride, rows, expected", [
    (1, [1, 2, 3, 4], [12, 123, 234, 340]),
    # PyTorch's rows 0, 2, 4, ...; TensorFlow's "same" would sample rows 1, 3 of an even height.
    (2, [1, 2, 3, 4], [12, 234]),
    (2, [1, 2, 3, 4, 5], [12, 234, 450]),
    (2, [7], [70]),
])
def test_taps_and_edges(stride, rows, expected):
    x = np.reshape(rows, (1, 1, -1, 1)).astype(np.float32)
    assert with_kernel([100, 10, 1], x, stride).tolist() == expected


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_frames_and_channels_are_independent(stride):
    random = np.random.default_rng(stride)
    x = random.normal(size=(2, 3, 8, 4)).astype(np.float32)
    layer = FrequencyDepthwiseConv(3, stride)
    y = np.array(layer(x))
    kernel = np.array(layer.kernel)[0, :, :, 0]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    for row in range(y.shape[2]):
        window = padded[:, :, row * stride:row * stride + 3]
        np.testing.assert_allclose(y[:, :, row], np.einsum("btkc,kc->btc", window, kernel), atol=1e-6)


@pytest.mark.parametrize("arguments, message", [
    ({"kernel_rows": 2}, "odd whole number; received 2"),
    ({"kernel_rows": 3.0}, "odd whole number; received 3.0"),
    ({"stride": 0}, "at least 1; received 0"),
])
def test_refuses(arguments, message):
    with pytest.raises(ConfigError, match=message):
        FrequencyDepthwiseConv(**arguments)
