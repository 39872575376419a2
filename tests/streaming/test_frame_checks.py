"""The proofs tell operations that stream from those that do not, whatever the weights are."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kws_tf.streaming import frame_checks
from kws_tf.streaming.operations import operations

FRAMES = 24


def call_of(layer):
    """The call of a model that consists of one layer; the first call of such a model only converts its input."""
    inputs = keras.Input((FRAMES, 4, 2))
    _, call = operations(keras.Model(inputs, layer(inputs)), (FRAMES, 4, 2)).calls
    return call


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("layer, stride", [
    (layers.Dense(3), 1), (layers.ReLU(), 1), (layers.Conv2D(3, (5, 2)), 1), (layers.Conv2D(3, (4, 1), strides=2), 2),
    (layers.DepthwiseConv2D((2, 1), dilation_rate=(6, 1)), 1), (layers.AveragePooling2D((1, 4)), 1), (layers.MaxPooling2D((3, 1)), 3),
    (layers.Reshape((FRAMES, 8)), 1),
])
def test_the_same_for_every_frame(layer, stride, rng):
    assert frame_checks.is_frame_wise(call_of(layer), stride, rng)


@pytest.mark.parametrize("layer", [
    layers.Conv2D(3, (3, 1), padding="same"), layers.Conv2D(3, (2, 1), padding="same", dilation_rate=(11, 1)),
    layers.GroupNormalization(groups=1), layers.ZeroPadding2D(((1, 0), (0, 0))), layers.Permute((2, 1, 3)), layers.UpSampling2D((2, 1)),
])
def test_not_the_same_for_every_frame(layer, rng):
    assert not frame_checks.is_frame_wise(call_of(layer), 1, rng)


def test_kernels_of_zero_hide_nothing(rng):
    layer = layers.Conv2D(3, (3, 1), padding="same", kernel_initializer="zeros")
    call = call_of(layer)
    assert frame_checks.is_frame_wise(call, 1, rng)
    with frame_checks.random_weights(layer, rng):
        assert not frame_checks.is_frame_wise(call, 1, rng)
    assert not np.any(layer.kernel)


@pytest.mark.parametrize("layer, mean", [
    (layers.GlobalAveragePooling2D(), True), (layers.GlobalAveragePooling2D(keepdims=True), True), (layers.GlobalMaxPooling2D(), False),
    (layers.Flatten(), False), (layers.AveragePooling2D((12, 1)), False), (layers.AveragePooling2D((FRAMES, 1)), False),
])
def test_mean_over_time(layer, mean, rng):
    """A pooling over exactly this many frames is refused too: it is none over any other number."""
    assert frame_checks.is_time_mean(call_of(layer), rng) == mean


@pytest.mark.parametrize("function, mean", [(lambda x: ops.mean(x, axis=(1, 2)), True), (lambda x: ops.sum(x, axis=1), False),
                                            (lambda x: x[:, 5], False), (lambda x: ops.mean(x[:, :12], axis=1), False)])
def test_mean_over_time_by_functions(function, mean, rng):
    inputs = keras.Input((FRAMES, 4, 2))
    call = operations(keras.Model(inputs, function(inputs)), (FRAMES, 4, 2)).calls[1]
    assert frame_checks.is_time_mean(call, rng) == mean


def test_what_commutes_with_the_mean(rng):
    weights = rng.normal(size=(5, 3)).astype(np.float32)
    assert frame_checks.commutes_with_mean(lambda rows: rows[0] @ weights + 1, [(5,)], rng)
    assert not frame_checks.commutes_with_mean(lambda rows: np.maximum(rows[0] @ weights, 0), [(5,)], rng)
    assert not frame_checks.commutes_with_mean(lambda rows: rows[0] * rows[1], [(5,), (5,)], rng)
