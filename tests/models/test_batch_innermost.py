import keras
import numpy as np
import pytest
import tensorflow as tf

from kws_tf import models
from kws_tf.config import FeatureConfig, ModelConfig
from kws_tf.errors import ConfigError
from kws_tf.models.batch_innermost import batch_innermost, supports


def pair(n_mels=40, n_frames=31, **settings):
    """Two equal networks with uneven norm vectors."""
    networks = [models.build(ModelConfig(**settings), FeatureConfig(n_mels=n_mels), 3, n_frames, seed=1) for _ in range(2)]
    random = np.random.default_rng(5)
    for first, second in zip(networks[0].variables, networks[1].variables, strict=True):
        if first.path.endswith(("gamma", "beta", "moving_mean", "moving_variance")):
            low, high = (0.5, 1.5) if first.path.endswith(("gamma", "variance")) else (-0.3, 0.3)
            first.assign(random.uniform(low, high, first.shape))
            second.assign(first)
    return networks


def clips(n_mels=40, n_frames=31, n=5):
    return tf.constant(np.random.default_rng(0).normal(-2, 3, (n, n_frames, n_mels, 1)), tf.float32)


@pytest.fixture
def double_precision():
    """In single precision some activation always rounds to the other side of a ReLU, and gradients differ by its share."""
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


def step(forward, model, x):
    """Training-mode logits and gradients of one batch."""
    labels = np.arange(x.shape[0]) % 3
    with tf.GradientTape() as tape:
        logits = forward(x, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    return logits, tape.gradient(loss, model.trainable_variables)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("n_mels, settings", [
    (40, {"padding": "causal"}),
    (40, {"padding": "symmetric", "dropout": 0.0}),
    (80, {"padding": "causal", "tau": 2.0}),
    (20, {"padding": "symmetric", "ssn_groups": "0", "tau": 2.0}),
    (13, {"padding": "causal", "ssn_groups": "auto"}),
    (64, {"padding": "mixed", "lookahead_stages": 2, "ssn_groups": "1"}),
])
def test_outputs_gradients_and_moving_statistics_are_the_ordinary_ones(n_mels, settings):
    """With dropout too: equal seeds draw equal masks in both layouts."""
    ordinary, model = pair(n_mels, **settings)
    forward, x = batch_innermost(model), tf.cast(clips(n_mels), "float64")
    np.testing.assert_allclose(forward(x), ordinary(x), atol=1e-9)

    expected_logits, expected = step(ordinary, ordinary, x)
    logits, gradients = step(forward, model, x)
    np.testing.assert_allclose(logits, expected_logits, atol=1e-9)
    for variable, gradient, reference in zip(model.trainable_variables, gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, reference, rtol=1e-7, atol=1e-10, err_msg=variable.path)
    for variable, reference in zip(model.non_trainable_variables, ordinary.non_trainable_variables, strict=True):
        np.testing.assert_allclose(variable, reference, rtol=1e-9, err_msg=variable.path)


@pytest.mark.parametrize("n_mels, padding", [(40, "causal"), (80, "symmetric")])
def test_single_precision_outputs(n_mels, padding):
    ordinary, model = pair(n_mels, padding=padding)
    for training in (False, True):
        np.testing.assert_allclose(batch_innermost(model)(clips(n_mels), training), ordinary(clips(n_mels), training=training), atol=1e-5)


def test_masks_differ_from_step_to_step():
    _, model = pair(dropout=0.5)
    forward, x = batch_innermost(model), clips()
    assert np.abs(forward(x, training=True) - forward(x, training=True)).max() > 1e-3


def test_batch_size_may_change_within_one_trace():
    _, model = pair()
    traced = tf.function(batch_innermost(model), input_signature=[tf.TensorSpec((None, 31, 40, 1))])
    for n in (1, 5):
        np.testing.assert_allclose(traced(clips(n=n)), model(clips(n=n)), atol=1e-5)


def test_frozen_norms_stay_in_inference_mode():
    ordinary, model = pair(dropout=0.0)
    for network in (ordinary, model):
        network.blocks[3].frequency_norm.trainable = False
        network.stem_norm.trainable = False
    forward, x = batch_innermost(model), clips()
    np.testing.assert_allclose(forward(x, training=True), ordinary(x, training=True), atol=1e-5)
    np.testing.assert_array_equal(model.stem_norm.moving_mean, ordinary.stem_norm.moving_mean)


def test_statistics_survive_a_large_mean():
    """Features far from zero with little spread: a variance as mean square minus squared mean would lose all digits."""
    ordinary, model = pair(dropout=0.0)
    x = clips() * 1e-3 + 50.0
    np.testing.assert_allclose(batch_innermost(model)(x, training=True), ordinary(x, training=True), atol=2e-3)
    assert np.isfinite(model.stem_norm.moving_variance).all()


def test_refuses_other_networks():
    other = keras.Sequential([keras.Input((31, 40, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    assert not supports(other)
    with pytest.raises(ConfigError, match="received Sequential"):
        batch_innermost(other)


def test_refuses_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = models.build(ModelConfig(), FeatureConfig(), 3, 31)
    finally:
        keras.config.set_dtype_policy("float32")
    assert not supports(model)
    with pytest.raises(ConfigError, match="bfloat16"):
        batch_innermost(model)
