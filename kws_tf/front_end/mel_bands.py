"""Stage 4: mel bands, each in a unit of its own so that the loudest possible signal just fills 16 bits."""

import functools

import numpy as np

from kws_tf import mel
from kws_tf.front_end import dft, fixed_point

BAND_SCALE = 2.0**-15


@functools.lru_cache(maxsize=32)
def band_bounds(features):
    """The largest value that each mel band can have for a signal within +-1.

    Parseval: with window w and FFT size N, the powers |X|^2 of the bins from 1 to N/2 - 1 sum to at most E = N/2 sum w^2.
    Power: sum_k m_k |X_k|^2 <= max(m) E. Magnitude, by Cauchy and Schwarz: sum_k m_k |X_k| <= sqrt(sum m_k^2) sqrt(E).
    No bin exceeds the bound B of dft.plan, which is tighter for narrow bands: sum(m) B^2, sum(m) B.

    Returns:
        float64 [bands].
    """
    window, weights, largest_bin = mel.hann_window(features.window_samples), dft.mel_weights(features), dft.plan(features).bound
    energy = features.fft_size / 2 * np.square(window).sum()
    if features.spectrum == "power":
        return np.minimum(weights.max(0) * energy, weights.sum(0) * largest_bin**2)
    return np.minimum(np.sqrt(np.square(weights).sum(0) * energy), weights.sum(0) * largest_bin)


def bands(graph, spectrum, features, step_value, offset=0.0):
    """The share of its bound that each mel band has: int8 weights, one scale per band.

    A share beyond 1 saturates; it can only occur for a spectrum that is deliberately taken too large (the fine squares of power).

    Args:
        graph: Graph. spectrum: Tensor [frames, 1, rows, columns] or [frames, 1, 1, rows * columns], bins as in DftPlan.bins.
        features: FeatureConfig. step_value: the spectrum that one real unit of the input stands for.
        offset: steps to take off every bin.

    Returns:
        Tensor [frames, 1, 1, n_mels] of scale 2**-15.
    """
    graph.stage = "mel"
    split = dft.plan(features)
    weights = dft.mel_weights(features)[split.bins] / split.copies[..., None]
    weights = weights.reshape(-1, features.n_mels).T * (step_value / band_bounds(features)[:, None])
    integers, scales = fixed_point.quantise_rows(weights)
    return graph.convolve(spectrum, integers.reshape(features.n_mels, *spectrum.shape[1:]), scales, BAND_SCALE,
                          bias=-offset * integers.sum(1), name="mel")
