"""WhiteNoise: adds white noise at a drawn level."""

import math

import numpy as np
from keras import ops

from kws_tf.augment.noise_bank import NoiseBank
from kws_tf.augment.random_draw import uniform

DURATION_S = 20.0
# Root mean square of the bank relative to full scale: 16 bits then hold eight standard deviations.
BANK_LEVEL = 1 / 8


class WhiteNoise:
    """Adds Gaussian white noise whose level, the root mean square relative to full scale, is drawn from U(low, high) in dB.

    The noise is cut from 20 s of it that are the same in every run, so that a draw is two numbers per clip and can be replayed.

    Args:
        prob: share of clips that get noise.
        level_dbfs: low and high in dB relative to full scale; -90 is the step size of 16 bits.
        sample_rate: Hz.
        clip_samples: length of the clips.
    """

    def __init__(self, prob, level_dbfs, sample_rate, clip_samples):
        self.prob, self.level_dbfs = prob, level_dbfs
        noise = np.random.default_rng(0).standard_normal(max(clip_samples, round(DURATION_S * sample_rate)))
        self.bank = NoiseBank([np.clip(np.round(noise * BANK_LEVEL * 32768), -32768, 32767).astype(np.int16)], clip_samples)

    def draw(self, coin, seed_generator):
        """Draws for the clips of one batch.

        Args:
            coin: float32 [batch] in [0, 1); a clip gets noise if its coin is below prob.
            seed_generator: keras.random.SeedGenerator.

        Returns:
            {"white_noise_start": int32 [batch], "white_noise_dbfs": float32 [batch], minus infinity for none}.
        """
        start = self.bank.draw(ops.shape(coin)[0], seed_generator)
        level = uniform(ops.shape(coin), seed_generator, *self.level_dbfs)
        return {"white_noise_start": start, "white_noise_dbfs": ops.where(coin < self.prob, level, -math.inf)}

    def apply(self, pcm, draws):
        """[batch, samples] -> [batch, samples], not limited to [-1, 1)."""
        amplitude = ops.power(10.0, draws["white_noise_dbfs"] / 20) / BANK_LEVEL
        return pcm + self.bank.cut(draws["white_noise_start"]) * amplitude[:, None]
