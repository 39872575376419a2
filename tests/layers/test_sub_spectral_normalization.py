import keras
import numpy as np
import pytest

from kws_tf.errors import ConfigError
from kws_tf.layers import SubSpectralNormalization
from tests.layers.contract import check_layer


def oracle(x, groups, gamma, beta, epsilon=1e-5):
    """Normalises band by band with loops: x [batch, time, frequency, channels], gamma and beta [groups, channels]."""
    y = np.empty_like(x, dtype=np.float64)
    height = x.shape[2] // groups
    for band in range(groups):
        for channel in range(x.shape[3]):
            rows = slice(band * height, (band + 1) * height)
            values = x[:, :, rows, channel].astype(np.float64)
            centred = (values - values.mean()) / np.sqrt(values.var() + epsilon)
            y[:, :, rows, channel] = gamma[band, channel] * centred + beta[band, channel]
    return y


def test_contract(tmp_path):
    check_layer(lambda **kwargs: SubSpectralNormalization(groups=2, **kwargs), (5, 4, 3), (5, 4, 3), tmp_path,
                trainable_weights=2, moving_weights=2)


def test_bands_are_contiguous_from_low_to_high():
    x = np.array([1.0, 3.0, 10.0, 30.0], np.float32).reshape(1, 1, 4, 1)
    y = SubSpectralNormalization(groups=2, epsilon=1e-9)(x, training=True)
    # Interleaved grouping, row f in band f mod 2, would give -1, -1, 1, 1.
    np.testing.assert_allclose(np.ravel(y), [-1, 1, -1, 1], atol=1e-6)


def test_scale_and_shift_belong_to_band_and_channel():
    x = np.array([[1, 5], [3, 9], [10, 0], [30, 8]], np.float32).reshape(1, 1, 4, 2)
    layer = SubSpectralNormalization(groups=2, epsilon=1e-9)
    layer.build(x.shape)
    layer.gamma.assign([[1, 10], [2, 20]])
    layer.beta.assign([[0.5, 0], [0, 7]])
    expected = [[-1 + 0.5, -10], [1 + 0.5, 10], [-2, -20 + 7], [2, 20 + 7]]
    np.testing.assert_allclose(np.reshape(layer(x, training=True), (4, 2)), expected, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2, 5, 10])
def test_training_output_is_the_oracle(groups):
    random = np.random.default_rng(groups)
    x = random.normal(3, 2, (4, 7, 10, 3)).astype(np.float32)
    layer = SubSpectralNormalization(groups)
    layer.build(x.shape)
    gamma, beta = random.uniform(0.5, 2, (2, groups, 3))
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    np.testing.assert_allclose(layer(x, training=True), oracle(x, groups, gamma, beta), atol=1e-5)


def test_moving_statistics_take_a_tenth_of_the_biased_batch_statistics():
    x = np.array([1.0, 3.0, 10.0, 30.0], np.float32).reshape(1, 1, 4, 1)
    layer = SubSpectralNormalization(groups=2)
    layer(x, training=True)
    np.testing.assert_allclose(layer.moving_mean, [[0.1 * 2], [0.1 * 20]], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [[0.9 + 0.1 * 1], [0.9 + 0.1 * 100]], rtol=1e-6)


def test_inference_uses_the_moving_statistics_and_leaves_them_alone():
    x = np.array([1.0, 3.0, 10.0, 30.0], np.float32).reshape(1, 1, 4, 1)
    layer = SubSpectralNormalization(groups=2, epsilon=1e-9)
    layer.build(x.shape)
    layer.moving_mean.assign([[1], [10]])
    layer.moving_variance.assign([[4], [100]])
    for training in (False, None):
        np.testing.assert_allclose(np.ravel(layer(x, training=training)), [0, 1, 0, 2], atol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean, [[1], [10]])
    scale, shift = layer.scale_and_shift()
    np.testing.assert_allclose(x * scale + shift, layer(x), atol=1e-6)
    assert scale.shape == (4, 1)


def test_frozen_layer_is_in_inference_mode():
    x = np.random.default_rng(0).normal(5, 1, (2, 3, 4, 1)).astype(np.float32)
    layer = SubSpectralNormalization(groups=2)
    layer.build(x.shape)
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=False))
    np.testing.assert_array_equal(layer.moving_mean, np.zeros((2, 1)))


def test_one_group_is_batch_normalization():
    x = np.random.default_rng(0).normal(3, 2, (4, 7, 6, 3)).astype(np.float32)
    ours, theirs = SubSpectralNormalization(1), keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), atol=1e-5)
    np.testing.assert_allclose(np.ravel(ours.moving_variance), theirs.moving_variance, rtol=1e-5)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)


@pytest.mark.parametrize("groups", [0, -1, 2.0, True, "5"])
def test_refuses_a_group_count_that_is_no_count(groups):
    with pytest.raises(ConfigError, match="at least 1; received"):
        SubSpectralNormalization(groups)


def test_refuses_rows_that_the_groups_do_not_divide():
    with pytest.raises(ConfigError, match=r"8 frequency rows cannot be cut into 5 equal sub-bands \(stage3\); legal values are 1, 2, 4, 8"):
        SubSpectralNormalization(5, name="stage3").build((None, 101, 8, 16))


def test_refuses_an_unknown_height():
    with pytest.raises(ConfigError, match="known frequency"):
        SubSpectralNormalization(1).build((None, 101, None, 16))
