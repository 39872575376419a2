import math

import numpy as np
import pytest

from kws_tf.errors import TrainingError
from kws_tf.training import metrics


def test_scores_of_four_clips():
    logits = np.array([[0.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 9.0, 0.0], [1.0, 0.0, 0.0]])
    result = metrics.scores(logits, np.array([0, 0, 1, 0]))
    assert result["accuracy"] == 0.75
    assert result["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    nine = math.log(math.exp(9) + 2)
    assert result["loss"] == pytest.approx((math.log(3) + nine + (nine - 9) + math.log(math.e + 2) - 1) / 4)


def test_large_logits_do_not_overflow():
    result = metrics.scores(np.array([[2000.0, -2000.0]], np.float32), np.array([1]))
    assert result == {"loss": 4000.0, "accuracy": 0.0, "balanced_accuracy": 0.0}


def test_a_network_that_diverged_has_no_finite_loss():
    assert not math.isfinite(metrics.scores(np.array([[np.nan, 0.0]]), np.array([1]))["loss"])


def test_balanced_weights_have_mean_one_over_the_clips():
    labels = np.array([0, 0, 0, 1, 2, 2])
    weights = metrics.class_weights("balanced", labels, 3)
    assert weights == pytest.approx([2 / 3, 2, 1])
    assert weights[labels].mean() == pytest.approx(1)
    assert metrics.class_weights("none", labels, 3).tolist() == [1, 1, 1]


def test_balanced_needs_clips_of_every_class():
    with pytest.raises(TrainingError, match="class 1 has none"):
        metrics.class_weights("balanced", np.array([0, 2]), 3)
