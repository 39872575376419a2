"""Figures of a classifier from its answers: accuracy, confusion, precision, recall."""

import numpy as np

from kws_tf.evaluation.intervals import wilson_interval


def confusion_matrix(labels, predictions, n_classes):
    """Counts of (true class, predicted class).

    Args:
        labels, predictions: int [clips], below n_classes.

    Returns:
        int64 [true class, predicted class].

    Example:
        >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    labels, predictions = np.asarray(labels, np.int64), np.asarray(predictions, np.int64)
    return np.bincount(labels * n_classes + predictions, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


def per_class(confusion, names):
    """Precision, recall and F1 of every class.

    A class that was never predicted has no precision, one without clips no recall: such a figure is None, not 0.

    Args:
        confusion: int [true class, predicted class].
        names: class names.

    Returns:
        One dict per class: label, clips, correct, precision, recall, recall_interval (Wilson, 95 %), f1.
    """
    rows = []
    for index, name in enumerate(names):
        correct, clips, predicted = int(confusion[index, index]), int(confusion[index].sum()), int(confusion[:, index].sum())
        rows.append({
            "label": name,
            "clips": clips,
            "correct": correct,
            "precision": correct / predicted if predicted else None,
            "recall": correct / clips if clips else None,
            "recall_interval": list(wilson_interval(correct, clips)) if clips else None,
            "f1": 2 * correct / (clips + predicted) if clips + predicted else None,
        })
    return rows


def report(labels, logits, names):
    """All clip figures of one model on one split.

    Args:
        labels: int [clips], at least one. logits: float [clips, classes].
        names: class names in the order of the logits.

    Returns:
        dict of JSON values: clips, correct, accuracy, accuracy_interval (Wilson, 95 %), balanced_accuracy (mean recall of the
        classes that have clips), cross_entropy (nats per clip), classes (see per_class), confusion.
    """
    labels, logits = np.asarray(labels, np.int64), np.asarray(logits, np.float64)
    confusion = confusion_matrix(labels, np.argmax(logits, axis=1), len(names))
    correct, clips = int(np.trace(confusion)), len(labels)
    classes = per_class(confusion, names)
    recalls = [row["recall"] for row in classes if row["recall"] is not None]
    return {
        "clips": clips,
        "correct": correct,
        "accuracy": correct / clips,
        "accuracy_interval": list(wilson_interval(correct, clips)),
        "balanced_accuracy": float(np.mean(recalls)),
        "cross_entropy": cross_entropy(labels, logits),
        "labels": list(names),
        "classes": classes,
        "confusion": confusion.tolist(),
    }


def cross_entropy(labels, logits):
    """Mean over clips of -ln(probability of the true class), by a log-sum-exp that cannot overflow."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]))
