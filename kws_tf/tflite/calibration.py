"""Which training clips set the ranges of an integer network, and as which features it will see them."""

import numpy as np

from kws_tf.errors import ConversionError
from kws_tf.front_end import IntegerFeatures
from kws_tf.runtime.features import FeatureExtractor

CHUNK_CLIPS = 16


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


def calibration_pcm(split, run_config, n_clips):
    """The clips that calibrate a run: drawn by the seed of the run, cut as for evaluation; the same ones in training and afterwards.

    Args:
        split: kws_tf.dataset.Split of the training clips. run_config: RunConfig. n_clips: how many.

    Returns:
        int16 [clips, clip_samples].
    """
    chosen = choose_clips(split.labels, n_clips, run_config.train.seed)
    return split.fit(chosen, run_config.clip_samples, run_config.data.eval_crop)


def calibration_features(features, pcm, input_kind):
    """The features of calibration clips as the exported network will be fed with them, rounding errors included.

    Args:
        features: FeatureConfig. pcm: int16 [clips, samples].
        input_kind: "pcm" (the integer front end inside the graph) or "features" (the front end of the runtime, in float).

    Returns:
        float32 [clips, frames, n_features, 1].

    Raises:
        ConversionError: no clips, or parameters that the integer front end cannot hold.
    """
    pcm = np.asarray([] if pcm is None else pcm)
    if pcm.ndim != 2 or pcm.dtype != np.int16 or not len(pcm):
        raise ConversionError(f"calibration: expected int16 PCM [clips, samples], at least one clip; "
                              f"received {pcm.dtype} {list(pcm.shape)}.")
    if input_kind == "features":
        extract = FeatureExtractor(features)
        return np.stack([extract(clip) for clip in pcm])[..., None]
    front_end = IntegerFeatures(features)
    parts = [front_end(pcm[start:start + CHUNK_CLIPS]) for start in range(0, len(pcm), CHUNK_CLIPS)]
    return (np.concatenate(parts) * np.float64(front_end.scale)).astype(np.float32)[..., None]
