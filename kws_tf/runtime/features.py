"""Features without Keras: log-mel and MFCC in numpy by the definition of FeatureConfig, and those of ESPHome devices."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kws_tf import mel
from kws_tf.audio import checked_pcm
from kws_tf.errors import AudioError
from kws_tf.micro_front_end import MicroFrontEnd


class FeatureExtractor:
    """Computes the features of 16-bit PCM as the Keras layers do, in double precision inside; kind "micro" from a reset on.

    Args:
        config: FeatureConfig.

    Input shape:
        int16 [samples]

    Output shape:
        float32 [frames, n_features]

    Raises:
        AudioError: the PCM is not one-dimensional int16, or shorter than one window.
        ConfigError: a mel band without an FFT bin, or kind "micro" without the package pymicro-features.

    Example:
        >>> FeatureExtractor(FeatureConfig())(np.zeros(16000, np.int16)).shape
        (98, 40)
    """

    def __init__(self, config):
        self.config = config
        self._front_end = MicroFrontEnd() if config.kind == "micro" else None
        if self._front_end:
            return
        self._window = mel.hann_window(config.window_samples) / 32768.0
        self._mel = mel.mel_matrix(config)
        self._dct = mel.dct_matrix(config.n_mfcc, config.n_mels) if config.kind == "mfcc" else None

    def __call__(self, pcm):
        config = self.config
        pcm = checked_pcm(pcm)
        if len(pcm) < config.window_samples:
            raise AudioError(f"features: {len(pcm)} samples are fewer than one window of {config.window_samples}.")
        if self._front_end:
            self._front_end.reset()
            return self._front_end.process(pcm)
        frames = sliding_window_view(pcm, config.window_samples)[::config.hop_samples]
        spectrum = np.fft.rfft(frames * self._window, n=config.fft_size)
        spectrum = np.abs(spectrum) if config.spectrum == "magnitude" else spectrum.real ** 2 + spectrum.imag ** 2
        features = np.log(np.maximum(spectrum @ self._mel, config.log_floor))
        if self._dct is not None:
            features = features @ self._dct
        return features.astype(np.float32)


class FeatureStream:
    """Features of PCM that comes hop by hop, behind window - hop samples of silence: one frame per hop.

    Args:
        config: FeatureConfig.

    Raises:
        ConfigError: see FeatureExtractor.

    Example:
        >>> FeatureStream(FeatureConfig())(np.zeros(320, np.int16)).shape
        (2, 40)
    """

    def __init__(self, config):
        self._hop_samples = config.hop_samples
        self._tail_samples = max(0, config.window_samples - config.hop_samples)
        self._front_end = MicroFrontEnd() if config.kind == "micro" else None
        self._extract = None if self._front_end else FeatureExtractor(config)
        self.reset()

    def reset(self):
        """Forgets all audio."""
        self._tail = np.zeros(self._tail_samples, np.int16)
        if self._front_end:
            self._front_end.reset()
            self._front_end.process(self._tail)

    def __call__(self, pcm):
        """float32 [hops, n_features] of int16 PCM [hops * hop_samples]."""
        if self._front_end:
            return self._front_end.process(pcm)
        samples = np.concatenate([self._tail, pcm])
        self._tail = samples[len(samples) - self._tail_samples:]
        return self._extract(samples)[:len(pcm) // self._hop_samples]
