"""MFCC: cosine transform of the logarithmic mel spectrogram."""

import keras
import numpy as np
from keras import ops

from kws_tf import mel
from kws_tf.features.log_mel import LogMel


@keras.saving.register_keras_serializable(package="kws_tf")
class MFCC(LogMel):
    """Mel-frequency cepstral coefficients: the first n_mfcc terms of the orthonormal DCT-II of LogMel, without liftering.

    Args:
        features: FeatureConfig of kind "mfcc", or the dictionary that config.to_dict makes of one.
        **kwargs: arguments of keras.layers.Layer.

    Input shape:
        [batch, samples], float PCM in [-1, 1): int16 / 32768.

    Output shape:
        [batch, time, frequency, 1] with features.n_frames(samples) frames and n_mfcc rows; row 0 is sqrt(n_mels) times the mean
        log-mel value.

    Raises:
        ConfigError: as LogMel.

    Example:
        layer = MFCC(FEATURE_PRESETS["low_compute"])
        layer(pcm)                                   # [batch, 16000] -> [batch, 33, 20, 1]
    """

    kind = "mfcc"

    def __init__(self, features, **kwargs):
        super().__init__(features, **kwargs)
        self._dct = mel.dct_matrix(self.features.n_mfcc, self.features.n_mels).astype(np.float32)

    def call(self, pcm):
        return ops.matmul(super().call(pcm)[..., 0], self._dct)[..., None]
