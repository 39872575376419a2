"""The front end of ESPHome devices: 40 channels with noise reduction and automatic gain, by the package pymicro-features."""

import numpy as np

from kws_tf.audio import checked_pcm
from kws_tf.errors import ConfigError

CHANNELS = 40
# The package takes no less at once.
HOP_BYTES = 320
# Devices quantise with int8 -128..127 spanning 0 to this, and saturate above it.
LARGEST_FEATURE = 26.0
_PACKAGE = "pymicro-features"


class MicroFrontEnd:
    """The audio front end of TFLite Micro with the settings of ESPHome's micro_wake_word, as a stream.

    A window of 30 ms every 10 ms, 40 channels from 125 to 7500 Hz. Each channel loses what its noise estimate explains and gets an
    automatic gain, so a frame depends on all audio since the reset: the estimate follows with a time constant of about 40 frames. The
    logarithm, an integer of 16 bits, comes out as v * 10 / 256, cut at LARGEST_FEATURE. Computed by the C++ code of the device itself.

    Raises:
        ConfigError: the package pymicro-features is not installed.

    Example:
        >>> front_end = MicroFrontEnd()
        >>> front_end.process(np.zeros(480, np.int16)).shape, front_end.process(np.zeros(160, np.int16)).shape
        ((1, 40), (1, 40))
    """

    def __init__(self):
        try:
            from pymicro_features import MicroFrontend
        except ImportError as error:
            raise ConfigError(f"features of kind 'micro' are computed by the package {_PACKAGE}, which is not installed: "
                              "pip install 'kws_tf[esphome]'.") from error
        self._front_end = MicroFrontend()
        self._waiting = b""

    def reset(self):
        """Forgets all audio, the noise estimate with it."""
        self._front_end.reset()
        self._waiting = b""

    def process(self, pcm):
        """Takes the next samples.

        Args:
            pcm: int16 [samples], any number of them.

        Returns:
            float32 [frames, 40], the frames that became complete; samples that complete none wait for the next call.

        Raises:
            AudioError: the PCM is not one-dimensional int16.
        """
        pcm = checked_pcm(pcm)
        content, position, frames = self._waiting + pcm.tobytes(), 0, []
        while position + HOP_BYTES <= len(content):
            found = self._front_end.process_samples(content[position:position + HOP_BYTES])
            position += 2 * found.samples_read
            if found.features:
                frames.append(found.features)
        self._waiting = content[position:]
        return np.minimum(np.array(frames, np.float32).reshape(-1, CHANNELS), np.float32(LARGEST_FEATURE))


def clip_features(clips):
    """The features of clips, each from a reset on.

    Args:
        clips: int16 [clips, samples].

    Returns:
        float32 [clips, frames, 40].
    """
    front_end, found = MicroFrontEnd(), []
    for clip in clips:
        front_end.reset()
        found.append(front_end.process(clip))
    return np.stack(found)
