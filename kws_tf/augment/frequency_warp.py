"""FrequencyWarp: vocal tracts of other lengths."""

import numpy as np
from keras import ops

from kws_tf import mel
from kws_tf.augment.random_draw import uniform
from kws_tf.errors import ConfigError

CORNER_HZ, CORNER_SHARE = 4800.0, 0.6


class FrequencyWarp:
    """Stretches the frequency axis of log-mel features by a factor drawn for each clip: formants move, pitch range and tempo stay.

    Vocal tract length perturbation of Jaitly and Hinton, "Vocal Tract Length Perturbation (VTLP) improves speech recognition", ICML
    workshop 2013: with the factor a, what was at the frequency f comes to

        a f                                              for f <= c,   c = C * min(a, 1) / a
        S - (S - a c) / (S - c) * (S - f)                above,        S = half the sample rate

    C is 4800 Hz, where most formants lie below, or 0.6 S where that is less,
    so that the ends of the axis stay where they are. Rows between two rows are interpolated linearly; harmonics, which the mel bands of
    speech show below 1 kHz, move along with the formants.

    Args:
        prob: share of clips.
        warp: low and high of the factor; 1.1 is a tract a tenth shorter.
        features: FeatureConfig of kind "logmel".

    Raises:
        ConfigError: features of another kind; their rows are no frequencies.

    Example:
        warp = FrequencyWarp(0.5, (0.85, 1.2), FeatureConfig())
        draws = warp.draw(batch_size, keras.random.SeedGenerator(1))
        features = warp.apply(features, draws)       # [batch, 98, 40, 1]
    """

    def __init__(self, prob, warp, features):
        if features.kind != "logmel":
            raise ConfigError(f"FrequencyWarp: rows of {features.kind} features are no frequencies; expected logmel. Set --warp_prob=0.")
        self.prob, self.warp = prob, warp
        self._half_rate = features.sample_rate / 2
        self._ends = [float(end) for end in mel.hz_to_mel([features.low_hz, features.high_hz])]
        self._n_rows = features.n_mels
        step = (self._ends[1] - self._ends[0]) / (self._n_rows + 1)
        self._hz = mel.mel_to_hz(self._ends[0] + step * np.arange(1, self._n_rows + 1)).astype(np.float32)

    def draw(self, batch_size, seed_generator):
        """{"frequency_warp": float32 [batch]}, 1 for clips that stay as they are."""
        coin, factor = uniform((batch_size,), seed_generator), uniform((batch_size,), seed_generator, *self.warp)
        return {"frequency_warp": ops.where(coin < self.prob, factor, 1.0)}

    def apply(self, features, draws):
        """[batch, time, rows, 1] -> the same, warped."""
        row = np.arange(self._n_rows, dtype=np.float32)
        away = ops.abs(self._sources(draws["frequency_warp"])[:, None, :] - row[:, None])
        weights = ops.maximum(1.0 - away, 0.0)
        return ops.expand_dims(ops.matmul(features[..., 0], weights), -1)

    def _sources(self, warp):
        """Row, with a fraction, from which each row is taken, [batch, rows]: the inverse of the warp at its centre frequency."""
        factor, half = warp[:, None], self._half_rate
        corner = min(CORNER_HZ, CORNER_SHARE * half) * ops.minimum(factor, 1.0) / factor
        slope = (half - corner) / (half - factor * corner)
        hz = ops.where(self._hz <= factor * corner, self._hz / factor, half - slope * (half - self._hz))
        place = (2595 / np.log(10) * ops.log(1.0 + hz / 700) - self._ends[0]) / (self._ends[1] - self._ends[0])
        return ops.clip(place * (self._n_rows + 1) - 1.0, 0.0, self._n_rows - 1.0)
