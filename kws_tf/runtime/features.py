"""Log-mel and MFCC features in numpy: the definition of FeatureConfig, without Keras."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kws_tf import mel
from kws_tf.errors import AudioError


class FeatureExtractor:
    """Computes the features of 16-bit PCM as the Keras layers do, in double precision inside.

    Args:
        config: FeatureConfig.

    Input shape:
        int16 [samples]

    Output shape:
        float32 [frames, n_features]

    Raises:
        AudioError: the PCM is not one-dimensional int16, or shorter than one window.

    Example:
        >>> FeatureExtractor(FeatureConfig())(np.zeros(16000, np.int16)).shape
        (98, 40)
    """

    def __init__(self, config):
        self.config = config
        self._window = np.asarray(mel.hann_window(config.window_samples), np.float64) / 32768.0
        self._mel = np.asarray(mel.mel_matrix(config), np.float64)
        self._dct = np.asarray(mel.dct_matrix(config.n_mfcc, config.n_mels), np.float64) if config.kind == "mfcc" else None

    def __call__(self, pcm):
        config = self.config
        pcm = np.asarray(pcm)
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise AudioError(f"features: PCM must be int16 [samples]; received {pcm.dtype} {list(pcm.shape)}.")
        if len(pcm) < config.window_samples:
            raise AudioError(f"features: {len(pcm)} samples are fewer than one window of {config.window_samples}.")
        frames = sliding_window_view(pcm, config.window_samples)[::config.hop_samples]
        spectrum = np.fft.rfft(frames * self._window, n=config.fft_size)
        spectrum = np.abs(spectrum) if config.spectrum == "magnitude" else spectrum.real ** 2 + spectrum.imag ** 2
        features = np.log(np.maximum(spectrum @ self._mel, config.log_floor))
        if self._dct is not None:
            features = features @ self._dct
        return features.astype(np.float32)
