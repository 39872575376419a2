"""Microphone: the sound of a cheap one."""

import numpy as np
from keras import ops

from kws_tf.augment.random_draw import uniform

HIGHPASS_HZ = (20.0, 300.0)
LOWPASS_HZ = (3000.0, 12000.0)
TILT_DB = (-2.0, 2.0)
CLIP_LEVEL = (0.4, 1.6)
LOWEST_POINT_HZ = 62.5


class Microphone:
    """Band limits, a tilted and uneven spectrum, and clipping.

    The magnitude response is that of a high-pass of second order and a low-pass of fourth order (Butterworth) at drawn frequencies, times
    a tilt in dB per octave around 1 kHz, times an uneven line: a level drawn for each of 62.5, 125, 250 Hz and so on, straight in dB over
    log frequency between them. Its phase is zero. Then samples are limited to a drawn share of the clip's largest sample; a share of 1 or
    more, half of the draws, clips nothing.

    Args:
        prob: share of clips.
        sample_rate: Hz. clip_samples: length of the clips.
        uneven_db: largest level of the uneven line, up and down; 0 for none.
    """

    def __init__(self, prob, sample_rate, clip_samples, uneven_db=0.0):
        self.prob, self.uneven_db = prob, uneven_db
        self.clip_samples = clip_samples
        # A low bin's neighbours are an octave away; below the first one nothing is left to shape.
        self.hz = np.maximum(np.fft.rfftfreq(clip_samples, 1 / sample_rate), sample_rate / clip_samples).astype(np.float32)
        octave = np.maximum(np.log2(self.hz / LOWEST_POINT_HZ), 0)
        points = np.arange(np.ceil(octave[-1]) + 1)
        self._line = np.maximum(1 - np.abs(octave - points[:, None]), 0).astype(np.float32)

    def draw(self, coin, seed_generator):
        """Draws for the clips of one batch.

        Args:
            coin: float32 [batch] in [0, 1); a clip is changed if its coin is below prob.
            seed_generator: keras.random.SeedGenerator.

        Returns:
            Dictionary of float32 [batch]: mic_highpass_hz (0 for a clip that stays as it is), mic_lowpass_hz, mic_tilt_db, mic_clip; and,
            if the line is uneven, mic_uneven_db [batch, points].
        """
        shape = ops.shape(coin)
        draws = {"mic_highpass_hz": HIGHPASS_HZ, "mic_lowpass_hz": LOWPASS_HZ, "mic_tilt_db": TILT_DB, "mic_clip": CLIP_LEVEL}
        draws = {name: uniform(shape, seed_generator, *ends) for name, ends in draws.items()}
        draws["mic_highpass_hz"] = ops.where(coin < self.prob, draws["mic_highpass_hz"], 0.0)
        if self.uneven_db:
            draws["mic_uneven_db"] = uniform((shape[0], len(self._line)), seed_generator, -self.uneven_db, self.uneven_db)
        return draws

    def apply(self, pcm, draws):
        """[batch, samples] -> [batch, samples], not limited to [-1, 1)."""
        high, low, tilt, limit = (draws[name][:, None] for name in ("mic_highpass_hz", "mic_lowpass_hz", "mic_tilt_db", "mic_clip"))
        response = ops.rsqrt((1 + ops.power(high / self.hz, 4)) * (1 + ops.power(self.hz / low, 8)))
        level = tilt * ops.log2(self.hz / 1000.0)
        if self.uneven_db:
            level = level + ops.matmul(draws["mic_uneven_db"], self._line)
        response = response * ops.power(10.0, level / 20)
        real, imaginary = ops.rfft(pcm, fft_length=self.clip_samples)
        heard = ops.irfft((real * response, imaginary * response), fft_length=self.clip_samples)
        limit = limit * ops.max(ops.abs(heard), axis=1, keepdims=True)
        return ops.where(high > 0, ops.clip(heard, -limit, limit), pcm)
