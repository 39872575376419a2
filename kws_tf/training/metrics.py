"""Figures of a whole split, computed from its logits in numpy, and the class weights of the loss."""

import numpy as np

from kws_tf.errors import TrainingError


def class_weights(rule, labels, n_classes):
    """Weight of every class in the loss.

    Args:
        rule: "none" (all 1) or "balanced": n_clips / (n_classes * clips of the class), which has mean 1 over the clips.
        labels: int [clips] of the training split.
        n_classes: number of classes.

    Returns:
        float32 [classes].

    Raises:
        TrainingError: "balanced" with a class that has no clip.
    """
    if rule == "none":
        return np.ones(n_classes, np.float32)
    counts = np.bincount(labels, minlength=n_classes)
    if not counts.all():
        raise TrainingError(f"class_weights=balanced needs clips of every class in training; class {int(counts.argmin())} has none. "
                            "Add clips or use --class_weights=none.")
    return (len(labels) / (n_classes * counts)).astype(np.float32)


def scores(logits, labels):
    """Metrics of a split.

    Args:
        logits: float [clips, classes].
        labels: int [clips].

    Returns:
        dict: "loss" (mean cross entropy in nats, without label smoothing or weights), "accuracy" (share of clips whose largest logit
        is the right one), "balanced_accuracy" (mean over the classes that have clips of the share within the class).

    Example:
        >>> scores(np.array([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]]), np.array([0, 0, 1]))["balanced_accuracy"]
        0.5
    """
    logits = np.asarray(logits, np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
    right = logits.argmax(axis=1) == labels
    counts = np.bincount(labels, minlength=logits.shape[1])
    hits = np.bincount(labels, weights=right, minlength=logits.shape[1])
    present = counts > 0
    return {"loss": float(losses.mean()), "accuracy": float(right.mean()),
            "balanced_accuracy": float((hits[present] / counts[present]).mean())}
