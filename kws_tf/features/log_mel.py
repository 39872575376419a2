"""LogMel: logarithmic mel spectrogram of float PCM."""

import math

import keras
import numpy as np
from keras import ops

from kws_tf import config, mel
from kws_tf.errors import ConfigError


@keras.saving.register_keras_serializable(package="kws_tf")
class LogMel(keras.layers.Layer):
    """Logarithmic mel spectrogram: ln(max(|X|^p @ mel, log_floor)) of causal, Hann-windowed frames.

    Frame t is the Hann-windowed signal from sample t * hop_samples on, padded with zeros to fft_size; there is no centring and no
    padding of the clip, so frame t is known when sample window_samples + t * hop_samples has arrived, and samples after the last
    whole window are not used. X is the spectrum of samples in [-1, 1), p is 2 for spectrum "power" and 1 for "magnitude", mel the
    HTK filterbank of kws_tf.mel.

    The layer has no weights and always computes in float32: a power spectrum leaves the range of float16.

    Args:
        features: FeatureConfig of kind "logmel", or the dictionary that config.to_dict makes of one.
        **kwargs: arguments of keras.layers.Layer.

    Input shape:
        [batch, samples], float PCM in [-1, 1): int16 / 32768.

    Output shape:
        [batch, time, frequency, 1] with features.n_frames(samples) frames and n_mels rows, low to high.

    Raises:
        ConfigError: features of another kind, a mel band without an FFT bin, integer input, input that is not [batch, samples]
            with a known number of samples, or a clip shorter than one window.

    Example:
        layer = LogMel(FeatureConfig(n_mels=40))
        layer(pcm)                                   # [batch, 16000] -> [batch, 98, 40, 1]
    """

    kind = "logmel"

    def __init__(self, features, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.features = config.from_dict(config.FeatureConfig, features) if isinstance(features, dict) else features
        if self.features.kind != self.kind:
            raise ConfigError(f"{type(self).__name__}: expected features of kind {self.kind!r}; received kind {self.features.kind!r}. "
                              "Use kws_tf.features.build, which picks the layer.")
        window = mel.hann_window(self.features.window_samples)
        self._window = np.pad(window, (0, self.features.fft_size - window.size)).astype(np.float32)
        self._mel = mel.mel_matrix(self.features).astype(np.float32)

    def __call__(self, pcm, *args, **kwargs):
        # here and not in call: Keras rewrites errors that are raised there
        self._check_shape(pcm.shape)
        dtype = keras.backend.standardize_dtype(pcm.dtype)
        if not keras.backend.is_float_dtype(dtype):
            raise ConfigError(f"{type(self).__name__}: expected float PCM in [-1, 1); received {dtype}. Divide int16 PCM by 32768.")
        return super().__call__(pcm, *args, **kwargs)

    def call(self, pcm):
        return ops.expand_dims(self.log_mel(pcm), -1)

    def log_mel(self, pcm):
        """[batch, samples] -> [batch, time, bands]."""
        real, imaginary = ops.rfft(ops.multiply(self._frames(pcm), self._window), self.features.fft_size)
        spectrum = ops.square(real) + ops.square(imaginary)
        if self.features.spectrum == "magnitude":
            spectrum = ops.sqrt(spectrum)
        return ops.log(ops.maximum(ops.matmul(spectrum, self._mel), self.features.log_floor))

    def _frames(self, pcm):
        """Overlapping frames of fft_size samples, [batch, time, fft_size].

        Whole rows of a reshaped signal are taken, so that each is one copy of memory; a gather of single samples is half as fast
        (tools/bench_features.py). Frames are cut at fft_size, not at window_samples, because padding each frame afterwards costs
        another copy; the window is 0 there.
        """
        hop, size = self.features.hop_samples, self.features.fft_size
        n_frames = self.features.n_frames(pcm.shape[1])
        row = math.gcd(hop, size)
        needed = (n_frames - 1) * hop + size
        pcm = ops.pad(pcm[:, :needed], [[0, 0], [0, max(0, needed - pcm.shape[1])]])
        rows = ops.reshape(pcm, (-1, needed // row, row))
        index = np.arange(n_frames)[:, None] * (hop // row) + np.arange(size // row)
        return ops.reshape(ops.take(rows, index.ravel().astype(np.int32), axis=1), (-1, n_frames, size))

    def _check_shape(self, shape):
        own, features = type(self).__name__, self.features
        if len(shape) != 2 or shape[1] is None:
            raise ConfigError(f"{own}: expected PCM [batch, samples] with a known number of samples; received shape {tuple(shape)}.")
        if shape[1] < features.window_samples:
            raise ConfigError(
                f"{own}: a clip of {shape[1]} samples is shorter than one window of {features.window_samples} samples "
                f"({1000 * features.window_samples / features.sample_rate:g} ms at {features.sample_rate} Hz). "
                "Use a longer --clip_duration or a smaller --window_samples.")

    def compute_output_shape(self, input_shape):
        self._check_shape(input_shape)
        return (input_shape[0], self.features.n_frames(input_shape[1]), self.features.n_features, 1)

    def get_config(self):
        return {**super().get_config(), "features": config.to_dict(self.features)}
