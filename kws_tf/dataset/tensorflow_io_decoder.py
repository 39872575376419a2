"""Decoding and resampling by the native operations of tensorflow-io. TensorFlow is imported when this backend is probed, not before."""

import functools
import math
import warnings

import numpy as np

from kws_tf import audio

# tensorflow-io calls the Speex resampler, whose filter has this many taps at the lower of both rates.
_FILTER_TAPS = 64


class TensorFlowIODecoder:
    """Decodes 16-bit WAV files with tensorflow-io, everything else with soundfile; resamples with tensorflow-io.

    tensorflow-io is given only what it decodes bit for bit as soundfile does. It returns 24-bit samples as 32-bit ones, reads 32-bit
    integers as floating point, delivers a damaged FLAC file without an error and loops for ever over one that holds fewer samples
    than its header says. A WAV file that it refuses gets its verdict from soundfile.

    Args:
        tf, tfio: the two modules. Use `probe` to build one.
    """

    name = "tensorflow_io"

    def __init__(self, tf, tfio):
        self._tf = tf
        self._tfio = tfio

    @classmethod
    def probe(cls):
        """Decodes and resamples a short sound. An import alone proves nothing: it succeeds where the native library does not load.

        Returns:
            (decoder, "") if the results are right, else (None, reason in words).
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the reason is logged instead
                import tensorflow as tf
                import tensorflow_io as tfio
            decoder = cls(tf, tfio)
            decoder._self_test()
        except Exception as error:  # whatever an incompatible native library raises is the reason to report
            return None, f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
        return decoder, ""

    @functools.cached_property
    def _resample(self):
        """tfio.audio.resample as one graph: called eagerly it builds a new one for every clip and takes twice the time."""
        tf = self._tf
        signature = [tf.TensorSpec([None, 1], tf.float32), tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.int64)]
        return tf.function(self._tfio.audio.resample, input_signature=signature)

    @property
    def identity(self):
        """What decoded clips depend on, for the key of the cache."""
        return f"tensorflow-io {self._tfio.__version__}, soundfile"

    def read(self, path):
        """The file as an `audio.Recording`. Raises AudioError."""
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            return audio.read(path)
        if not _is_plain_wav(data):
            return audio.read(path)
        try:
            samples = self._tfio.audio.decode_wav(data, dtype=self._tf.int16).numpy()
        except self._tf.errors.OpError:
            return audio.read(path)
        recording = audio.Recording(str(path), samples, _uint(data[24:28]))
        audio.check(recording)
        return recording

    def to_pcm(self, recording, sample_rate):
        """Mono int16 [samples] at sample_rate. Raises AudioError."""
        return audio.to_pcm(recording, sample_rate, self.resample)

    def resample(self, signal, sample_rate, target_rate):
        """Resamples without delay: the filter's latency is padded to a whole number of samples at both rates and cut off.

        Args:
            signal: float32 [samples].
            sample_rate, target_rate: Hz.

        Returns:
            float32 [ceil(samples * target_rate / sample_rate)].
        """
        divisor = math.gcd(sample_rate, target_rate)
        up, down = target_rate // divisor, sample_rate // divisor
        # Speex rounds the length of a down-sampling filter up to a multiple of 8; its delay is half of it.
        taps = _FILTER_TAPS if up >= down else (_FILTER_TAPS * down // up - 1) // 8 * 8 + 8
        delay = -(-taps // 2 // down) * down
        padded = np.concatenate([np.zeros(delay - taps // 2, np.float32), signal, np.zeros(taps, np.float32)])
        result = self._resample(padded[:, None], sample_rate, target_rate).numpy()[:, 0]
        start = delay // down * up
        return result[start:start + math.ceil(len(signal) * up / down)]

    def _self_test(self):
        tone = np.rint(12000 * np.sin(np.arange(800) * 0.2)).astype("<i2")
        header = b"RIFF" + (36 + 1600).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\1\0\1\0" + (16000).to_bytes(4, "little")
        wav = header + (32000).to_bytes(4, "little") + b"\2\0\x10\0data" + (1600).to_bytes(4, "little") + tone.tobytes()
        decoded = self._tfio.audio.decode_wav(wav, dtype=self._tf.int16).numpy()
        if not np.array_equal(decoded[:, 0], tone):
            raise ValueError("a WAV file is decoded wrongly")
        for sample_rate in (8000, 44100):
            time_s = np.arange(sample_rate // 5) / sample_rate
            result = self.resample(np.sin(600 * np.pi * time_s).astype(np.float32), sample_rate, 16000)
            expected = np.sin(600 * np.pi * np.arange(len(result)) / 16000)
            if len(result) != 3200 or np.max(np.abs(result - expected)[300:-300]) > 2e-3:
                raise ValueError(f"a tone of {sample_rate} Hz is resampled wrongly")


def _is_plain_wav(data):
    """A whole WAV file of 16-bit integers with the 44-byte header that nearly every writer makes."""
    if data[:4] != b"RIFF" or data[8:20] != b"WAVEfmt \x10\0\0\0" or data[20:22] != b"\1\0" or data[34:40] != b"\x10\0data":
        return False
    frame_bytes, n_bytes = 2 * _uint(data[22:24]), _uint(data[40:44])
    return frame_bytes == _uint(data[32:34]) and n_bytes >= frame_bytes > 0 == n_bytes % frame_bytes \
        and 36 + n_bytes <= _uint(data[4:8]) <= len(data) - 8


def _uint(data):
    return int.from_bytes(data, "little")
