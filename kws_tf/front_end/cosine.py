"""Stage 6: MFCC, the cosine transform of the log-mel bands."""

import numpy as np

from kws_tf import mel
from kws_tf.front_end import fixed_point, mel_bands


def mfcc_scale(features):
    """The smallest power of two that holds every coefficient in 16 bits.

    The transform is orthonormal: no coefficient exceeds sqrt(n_mels) times the largest |log-mel|, which lies between the floor and
    the logarithm of the largest band.
    """
    largest = max(abs(np.log(features.log_floor)), abs(np.log(mel_bands.band_bounds(features).max())))
    return 2.0 ** np.ceil(np.log2(np.sqrt(features.n_mels) * largest / fixed_point.INT16_MAX))


def cosine_transform(graph, log_mel, features):
    """Orthonormal DCT-II of each frame with int16 coefficients.

    Args:
        graph: Graph. log_mel: Tensor [1, frames, n_mels, 1]. features: FeatureConfig of kind "mfcc".

    Returns:
        Tensor [1, frames, n_mfcc, 1] in steps of mfcc_scale(features).
    """
    graph.stage = "mfcc"
    matrix, scale = fixed_point.quantise_int16(mel.dct_matrix(features.n_mfcc, features.n_mels).T[None, None])
    return graph.matrix_product(graph.constant(matrix, scale, "dct"), log_mel, mfcc_scale(features), name="mfcc")
