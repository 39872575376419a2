"""Which training clips set the ranges of an integer network."""

import numpy as np

from kws_tf.errors import ConversionError


def choose_clips(labels, n_clips, seed):
    """Draws training clips, the same number of every class as far as the classes reach.

    Classes are served in turn until n_clips are drawn, so a rare class is exhausted rather than repeated.

    Args:
        labels: int [clips] of the training split.
        n_clips: clips wanted; all of them if there are fewer.
        seed: of the draw; the same seed gives the same clips.

    Returns:
        int64 [n_clips], sorted indices.

    Raises:
        ConversionError: no clips, or n_clips below 1.

    Example:
        >>> choose_clips(np.array([0, 0, 0, 1]), 3, seed=0)                 # two clips of class 0 and the one of class 1
    """
    labels = np.asarray(labels)
    if len(labels) == 0 or n_clips < 1:
        raise ConversionError(f"calibration: {n_clips} clips wanted of {len(labels)}; both must be at least 1. Set --calibration_clips.")
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels))
    turn = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        turn[labels[order] == label] = np.arange(np.sum(labels == label))
    return np.sort(order[np.argsort(turn, kind="stable")[:n_clips]])
