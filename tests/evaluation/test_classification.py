import numpy as np
import pytest

from kws_tf.evaluation import classification
from kws_tf.evaluation.intervals import wilson_interval

NAMES = ("a", "b", "c", "never")
LABELS = np.array([0, 0, 0, 1, 1, 2])
ANSWERS = np.array([0, 0, 1, 1, 1, 0])


def logits_of(answers, margin=2.0):
    return margin * np.eye(len(NAMES))[answers]


def test_confusion_has_true_classes_in_rows():
    assert classification.confusion_matrix(LABELS, ANSWERS, 4).tolist() == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_figures_by_hand():
    report = classification.report(LABELS, logits_of(ANSWERS), NAMES)
    assert (report["clips"], report["correct"], report["accuracy"]) == (6, 4, 4 / 6)
    assert report["accuracy_interval"] == list(wilson_interval(4, 6))
    assert report["balanced_accuracy"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    a, b, c, never = report["classes"]
    assert (a["precision"], a["recall"], a["f1"], a["clips"], a["correct"]) == (2 / 3, 2 / 3, pytest.approx(2 / 3), 3, 2)
    assert (b["precision"], b["recall"], b["f1"]) == (2 / 3, 1.0, pytest.approx(0.8))
    assert (c["precision"], c["recall"], c["f1"]) == (None, 0.0, 0.0)
    assert (never["precision"], never["recall"], never["recall_interval"], never["f1"]) == (None, None, None, None)
    assert a["recall_interval"] == list(wilson_interval(2, 3))


def test_cross_entropy_by_hand_and_without_overflow():
    margin = 2.0
    total = 3 + np.exp(margin)
    expected = (4 * -np.log(np.exp(margin) / total) + 2 * -np.log(1 / total)) / 6
    assert classification.cross_entropy(LABELS, logits_of(ANSWERS, margin)) == pytest.approx(expected)
    assert classification.cross_entropy(np.array([0, 1]), np.array([[5000.0, 0.0], [5000.0, 0.0]])) == 2500.0


def test_ties_go_to_the_first_class():
    report = classification.report(np.array([0, 1]), np.zeros((2, 2)), ("a", "b"))
    assert report["confusion"] == [[1, 0], [1, 0]]
