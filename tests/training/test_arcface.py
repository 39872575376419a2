import math

import numpy as np
import pytest
import tensorflow as tf

from kws_tf.errors import ConfigError
from kws_tf.training.arcface import ArcFaceLoss


def oracle(cosines, right, margin, scale):
    """Cross entropy in float64 by angles, one clip."""
    angle = math.acos(cosines[right])
    moved = list(cosines)
    moved[right] = math.cos(angle + margin) if angle + margin <= math.pi else math.cos(angle) - margin * math.sin(margin)
    scores = [scale * value for value in moved]
    return math.log(sum(math.exp(score - max(scores)) for score in scores)) + max(scores) - scores[right]


def test_literal_numbers():
    # theta = 60 degrees, margin = 30 degrees: the right cosine falls from 0.5 to 0.
    loss = ArcFaceLoss(margin=math.pi / 6, scale=2.0)
    value = float(loss(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]], np.float32)))
    assert value == pytest.approx(math.log(2), abs=1e-6)
    assert float(ArcFaceLoss(margin=0.0, scale=2.0)(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]], np.float32))) == pytest.approx(
        math.log(1 + math.exp(-1)), abs=1e-6)


@pytest.mark.parametrize("right", [0, 1, 2])
@pytest.mark.parametrize("margin, scale", [(0.5, 30.0), (0.2, 8.0), (1.2, 16.0)])
def test_equals_the_formula_by_angles(margin, scale, right):
    cosines = [0.83, -0.31, -0.95]
    loss = ArcFaceLoss(margin, scale, dtype="float64")(np.eye(3)[[right]], np.array([cosines]) * scale)
    assert float(loss) == pytest.approx(oracle(cosines, right, margin, scale), rel=1e-6)


def test_the_right_score_falls_with_the_angle_all_the_way():
    loss = ArcFaceLoss(0.5, 30.0)
    angles = np.linspace(0.01, math.pi - 0.01, 400)
    moved = np.array(loss.with_margin(tf.constant(np.cos(angles))))
    assert (np.diff(moved) < 0).all()
    inside = angles + 0.5 < math.pi
    np.testing.assert_allclose(moved[inside], np.cos(angles[inside] + 0.5), atol=1e-6)


def test_gradient_equals_finite_differences():
    loss = ArcFaceLoss(0.5, 30.0, label_smoothing=0.1, dtype="float64")
    targets, random = tf.constant(np.eye(4)[[0, 2, 3]]), np.random.default_rng(3)
    scores = 30 * random.uniform(-0.97, 0.97, (3, 4))

    def value(point):
        return float(loss(targets, tf.constant(point)))

    point = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(point)
        total = loss(targets, point)
    gradient, step = tape.gradient(total, point).numpy(), 1e-5
    for index in np.ndindex(scores.shape):
        shift = np.zeros_like(scores)
        shift[index] = step
        assert gradient[index] == pytest.approx((value(scores + shift) - value(scores - shift)) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("cosine", [1.0, np.nextafter(np.float32(1), np.float32(2)), 1 - 1e-7, -1.0, -1 - 1e-6, math.cos(math.pi - 0.5)])
def test_cosines_at_the_ends_have_finite_losses_and_gradients(cosine):
    scores = tf.constant([[30.0 * cosine, -30.0 * cosine]], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = ArcFaceLoss(0.5, 30.0)(tf.constant([[1.0, 0.0]]), scores)
    assert np.isfinite(float(loss))
    assert np.isfinite(tape.gradient(loss, scores)).all()


def test_weights_of_clips_and_smoothing_act_as_in_cross_entropy():
    targets, scores = np.eye(2)[[0, 1]], np.array([[3.0, 1.0], [2.0, -1.0]])
    plain = tf.keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    ours = ArcFaceLoss(0.0, 30.0, label_smoothing=0.2)
    assert float(ours(targets, scores, [1.0, 3.0])) == pytest.approx(float(plain(targets, scores, [1.0, 3.0])), abs=1e-3)


@pytest.mark.parametrize("arguments, message", [
    ({"margin": -0.1}, "margin must be at least 0 and below pi/2; received -0.1. Set --arcface_margin"),
    ({"margin": 1.6}, "margin must be at least 0 and below pi/2"),
    ({"scale": 0}, "scale must be above 0; received 0. Set --arcface_scale"),
])
def test_refuses(arguments, message):
    with pytest.raises(ConfigError, match=message):
        ArcFaceLoss(**arguments)
