"""BackgroundNoise: adds a random cut of a noise recording."""

import math

from keras import ops

from kws_tf.augment.random_draw import uniform
from kws_tf.errors import ConfigError


class BackgroundNoise:
    """Adds to each clip its own cut of noise, at a drawn amplitude or signal-to-noise ratio.

    Mode "amplitude" is the published recipe of BC-ResNet: the cut is multiplied with a number from U(noise_amplitude). Mode "snr"
    scales the cut so that 10 log10(P_clip / P_noise) is a number from U(noise_snr_db); P_clip is the mean square of the clip's
    samples that are not 0, so that padding does not count, and a clip of zeros gets no noise.
    Clips of the silence class always get noise, at an amplitude from U(silence_amplitude), in both modes.

    Args:
        augment: AugmentConfig; noise_mode, noise_amplitude, noise_snr_db and silence_amplitude are read.
        bank: NoiseBank.
        prob: share of the other clips that get noise; a number or a scalar variable, as are the two of the attribute snr_db.
        silence_index: label of the silence class, None if there is none.
    """

    def __init__(self, augment, bank, prob, silence_index=None):
        self.augment, self.bank, self.prob, self.silence_index = augment, bank, prob, silence_index
        self.snr_db = augment.noise_snr_db

    def draw(self, coin, labels, seed_generator):
        """Draws for the clips of one batch.

        Args:
            coin: float32 [batch] in [0, 1); a clip gets noise if its coin is below prob.
            labels: int32 [batch]; may be None without a silence class.
            seed_generator: keras.random.SeedGenerator.

        Returns:
            {"noise_start": int32 [batch], "noise_amplitude": float32 [batch], 0 for none} and, in mode "snr",
            "noise_snr_db": float32 [batch], infinite for none; what both ask for is added up.
        """
        shape = ops.shape(coin)
        start = self.bank.draw(shape[0], seed_generator)
        chosen = coin < self.prob
        silent = None
        if self.silence_index is not None:
            if labels is None:
                raise ConfigError("BackgroundNoise: labels are needed to find the clips of the silence class; received None.")
            silent = ops.cast(labels, "int32") == self.silence_index
            chosen = ops.logical_and(chosen, ops.logical_not(silent))
        draws = {"noise_start": start}
        if self.augment.noise_mode == "snr":
            low, high = self.snr_db
            draws["noise_snr_db"] = ops.where(chosen, low + (high - low) * uniform(shape, seed_generator), math.inf)
            amplitude = ops.zeros(shape, "float32")
        else:
            amplitude = ops.where(chosen, uniform(shape, seed_generator, *self.augment.noise_amplitude), 0.0)
        if silent is not None:
            amplitude = ops.where(silent, uniform(shape, seed_generator, *self.augment.silence_amplitude), amplitude)
        draws["noise_amplitude"] = amplitude
        return draws

    def apply(self, pcm, draws):
        """[batch, samples] -> [batch, samples], not limited to [-1, 1)."""
        return pcm + self.scaled(pcm, draws)

    def scaled(self, pcm, draws):
        """The noise that apply adds: [batch, samples] -> [batch, samples]."""
        noise = self.bank.cut(draws["noise_start"])
        amplitude = draws["noise_amplitude"]
        if "noise_snr_db" in draws:
            amplitude = amplitude + _amplitude_for_snr(pcm, noise, draws["noise_snr_db"])
        return noise * amplitude[:, None]


def _amplitude_for_snr(pcm, noise, snr_db):
    n_signal = ops.sum(ops.cast(pcm != 0, "float32"), axis=1)
    signal_power = ops.sum(ops.square(pcm), axis=1) / ops.maximum(n_signal, 1.0)
    noise_power = ops.mean(ops.square(noise), axis=1)
    return ops.sqrt(signal_power / ops.maximum(noise_power, 1e-12)) * ops.power(10.0, -snr_db / 20)
