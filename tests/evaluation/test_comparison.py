import numpy as np
import pytest

from kws_tf.evaluation.comparison import compare


def test_by_hand():
    labels = np.array([0, 1, 1, 0])
    logits = np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    other = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, 2.0]])
    found = compare(labels, logits, other)
    # Clips 1, 2 and 3 changed: the model has 2 and 3 right that the other has wrong, and lost 1.
    assert (found["clips"], found["argmax_disagreements"], found["fixed"], found["broken"]) == (4, 3, 2, 1)
    assert found["accuracy_change_points"] == pytest.approx(25.0)
    drift = np.tanh(1.0)  # softmax of (2, 0) is (1 +- tanh 1) / 2
    assert found["score_drift_max"] == pytest.approx(drift)
    assert found["score_drift_mean"] == pytest.approx(0.75 * drift)
    # Each column of the other is 2 or 0, half and half: variance 1; differences of 2 in three of four clips: power 3.
    assert found["signal_to_noise_db"] == pytest.approx(10 * np.log10(1 / 3))
    right, wrong = np.log(1 + np.exp(-2.0)), np.log(1 + np.exp(2.0))
    assert found["cross_entropy_change"] == pytest.approx((right * 3 + wrong) / 4 - (right * 2 + wrong * 2) / 4)


def test_equal_models_have_no_noise():
    logits = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = compare(np.array([0, 1]), logits, logits)
    assert found["signal_to_noise_db"] is None and found["logits_equal"]
    assert found["score_drift_max"] == found["argmax_disagreements"] == found["accuracy_change_points"] == 0


def test_one_clip_has_no_ratio_and_may_differ():
    found = compare(np.array([0]), np.array([[1.0, 0.0]]), np.array([[1.0, 0.5]]))
    assert found["signal_to_noise_db"] is None and not found["logits_equal"] and found["score_drift_max"] > 0
