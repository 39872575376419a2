"""The choice of who decodes and resamples clips: tensorflow-io where its native operations work, else soundfile and SciPy."""

import functools
import importlib.util

import soundfile
from absl import logging

from kws_tf import audio
from kws_tf.dataset.tensorflow_io_decoder import TensorFlowIODecoder
from kws_tf.errors import ConfigError


class SoundfileDecoder:
    """Decodes with soundfile (libsndfile) and resamples with SciPy. See `kws_tf.audio`."""

    name = "soundfile"

    @property
    def identity(self):
        """What decoded clips depend on, for the key of the cache: without SciPy, clips of other rates are kept as unusable."""
        resampler = "scipy resample_poly" if importlib.util.find_spec("scipy") else "no resampler"
        return f"soundfile, libsndfile {soundfile.__libsndfile_version__}, {resampler}"

    def read(self, path):
        """The file as an `audio.Recording`. Raises AudioError."""
        return audio.read(path)

    def to_pcm(self, recording, sample_rate):
        """Mono int16 [samples] at sample_rate. Raises AudioError."""
        return audio.to_pcm(recording, sample_rate)


@functools.cache
def choose(backend):
    """The decoder for --audio_backend, chosen once per process; the log says which one and why.

    Args:
        backend: "soundfile"; "tensorflow_io"; or "auto": tensorflow-io if a call of its operations works here, else soundfile.

    Raises:
        ConfigError: "tensorflow_io" is asked for and does not work here.
    """
    if backend == "soundfile":
        logging.info("Audio: soundfile decodes, SciPy resamples (as asked).")
        return SoundfileDecoder()
    decoder, reason = TensorFlowIODecoder.probe()
    if decoder:
        logging.info("Audio: tensorflow-io decodes 16-bit WAV and resamples; soundfile decodes everything else.")
        return decoder
    if backend == "tensorflow_io":
        raise ConfigError(f"data: audio_backend 'tensorflow_io' does not work here: {reason}. Use --audio_backend=soundfile.")
    logging.info("Audio: soundfile decodes, SciPy resamples; tensorflow-io does not work here: %s.", reason)
    return SoundfileDecoder()
