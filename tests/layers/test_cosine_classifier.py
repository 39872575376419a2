import math

import numpy as np
import pytest
import tensorflow as tf

from kws_tf.errors import ConfigError
from kws_tf.layers import CosineClassifier
from tests.layers.contract import check_layer


def with_prototypes(rows, scale):
    head = CosineClassifier(len(rows), scale)
    head.build((None, len(rows[0])))
    head.kernel.assign(np.transpose(rows))
    head.moving_variance.assign(np.full(len(rows[0]), 1 - head.epsilon))
    return head


def test_contract(tmp_path):
    check_layer(lambda **kwargs: CosineClassifier(3, scale=1.0, **kwargs), (5, 8), (5, 3), tmp_path, trainable_weights=1, moving_weights=2)


def test_literal_numbers():
    head = with_prototypes([[3.0, 0.0], [0.0, 1.0], [-5.0, -12.0]], scale=10.0)
    scores = head(np.array([[6.0, 8.0], [0.3, 0.4], [-1.0, 0.0], [5.0, 12.0]], np.float32))
    expected = [[6, 8, -(30 + 96) / 13], [6, 8, -(30 + 96) / 13], [-10, 0, 50 / 13], [50 / 13, 120 / 13, -10]]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_lengths_do_not_count():
    x = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    head = CosineClassifier(3)
    before = np.array(head(x))
    head.kernel.assign(np.array(head.kernel) * [2.0, 1e-2, 1e3])
    np.testing.assert_allclose(head(7 * x), before, atol=2e-5)


def test_an_embedding_of_zeros_scores_nothing_and_has_a_gradient_that_is_finite():
    head = with_prototypes([[1.0, 1.0], [0.0, 0.0]], scale=30.0)
    x = tf.constant([[0.0, 0.0], [1e-30, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        scores = head(x)
    assert np.abs(scores).max() < 1e-3
    assert np.isfinite(tape.gradient(scores, x)).all()


def test_an_embedding_on_its_prototype_scores_the_scale():
    x = np.random.default_rng(2).normal(size=(1, 32)).astype(np.float32)
    scores = np.array(with_prototypes(np.concatenate([x, -x]), scale=30.0)(x))
    np.testing.assert_allclose(scores, [[30, -30]], rtol=1e-6)


def test_statistics_of_the_batch_in_training_and_moving_ones_at_inference():
    head = CosineClassifier(2, scale=1.0, momentum=0.75, epsilon=0.0)
    head.build((None, 2))
    head.kernel.assign([[1.0, 0.0], [0.0, 1.0]])
    x = np.array([[1.0, 10.0], [3.0, 10.5], [5.0, 9.5], [3.0, 10.0]], np.float32)
    # Means 3 and 10, variances 2 and 0.125: z of the second clip is (0, sqrt 2), its cosines 0 and 1.
    expected = np.array([[-1, 0], [0, 1], [1, -1], [0, 0]]) * np.sqrt([[2, 2]])
    expected[2] = [np.sqrt(2), -np.sqrt(2)]
    np.testing.assert_allclose(head.standardised(x, training=True), expected, atol=1e-5)
    np.testing.assert_allclose(head.moving_mean, [0.75, 2.5], atol=1e-6)
    np.testing.assert_allclose(head.moving_variance, [0.75 + 0.5, 0.75 + 0.125 / 4], atol=1e-6)
    by_hand = (x - [0.75, 2.5]) / np.sqrt([1.25, 0.78125])
    np.testing.assert_allclose(head(x), by_hand / np.linalg.norm(by_hand, axis=1, keepdims=True), atol=1e-5)
    head.trainable = False
    np.testing.assert_array_equal(head(x, training=True), head(x))


@pytest.mark.parametrize(("policy", "statistics", "tolerance"), [("float64", "float64", 1e-12), ("mixed_bfloat16", "float32", 2e-3)])
def test_statistics_are_at_least_of_32_bits(policy, statistics, tolerance):
    head = CosineClassifier(3, momentum=0.999, dtype=policy)
    x = 1 + np.random.default_rng(4).normal(size=(50, 4))
    for _ in range(20):
        head(x, training=True)
    assert head.moving_mean.dtype == head.moving_variance.dtype == statistics
    # In 16 bits steps of a thousandth would get lost.
    kept = 0.999 ** 20
    np.testing.assert_allclose(head.moving_mean, (1 - kept) * x.mean(axis=0), atol=tolerance)
    np.testing.assert_allclose(head.moving_variance, kept + (1 - kept) * x.var(axis=0), atol=tolerance)


@pytest.mark.parametrize("arguments, message", [
    ({"n_classes": 0}, "n_classes must be a whole number, at least 1; received 0"),
    ({"n_classes": True}, "n_classes must be a whole number"),
    ({"n_classes": 2, "scale": 0.0}, "scale must be above 0; received 0.0. Set --arcface_scale"),
    ({"n_classes": 2, "scale": math.nan}, "scale must be above 0; received nan"),
])
def test_refuses(arguments, message):
    with pytest.raises(ConfigError, match=message):
        CosineClassifier(**arguments)
