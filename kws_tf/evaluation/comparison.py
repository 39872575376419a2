"""Two models on the same clips: float against integer, one run against another."""

import numpy as np

from kws_tf.evaluation.classification import cross_entropy
from kws_tf.runtime.model import softmax


def compare(labels, logits, other_logits):
    """How far two models' answers are apart.

    Args:
        labels: int [clips].
        logits, other_logits: float [clips, classes] of the model and of the one it is compared with.

    Returns:
        dict of JSON values: clips; argmax_disagreements; fixed and broken (clips that only the model, only the other has right);
        accuracy_change_points (model minus other); score_drift_mean, score_drift_p95, score_drift_max (absolute difference of
        the probability of each class, over all clips and classes); signal_to_noise_db (variance of the other's logits over the
        power of the difference; None when they are equal, or the other's are the same for all clips); logits_equal;
        cross_entropy_change (nats).
    """
    labels, logits, other_logits = np.asarray(labels), np.asarray(logits, np.float64), np.asarray(other_logits, np.float64)
    best, other_best = logits.argmax(axis=1), other_logits.argmax(axis=1)
    right, other_right = best == labels, other_best == labels
    drift = np.abs(softmax(logits) - softmax(other_logits))
    noise = np.mean((logits - other_logits) ** 2)
    signal = np.mean(np.var(other_logits, axis=0))
    return {
        "clips": len(labels),
        "argmax_disagreements": int(np.sum(best != other_best)),
        "fixed": int(np.sum(right & ~other_right)),
        "broken": int(np.sum(~right & other_right)),
        "accuracy_change_points": 100 * float(np.mean(right) - np.mean(other_right)),
        "score_drift_mean": float(drift.mean()),
        "score_drift_p95": float(np.percentile(drift, 95)),
        "score_drift_max": float(drift.max()),
        "logits_equal": bool(noise == 0),
        "signal_to_noise_db": float(10 * np.log10(signal / noise)) if noise and signal else None,
        "cross_entropy_change": cross_entropy(labels, logits) - cross_entropy(labels, other_logits),
    }
