"""SpecAugment: masks over frequency rows and time frames."""

from keras import ops

from kws_tf.augment.random_draw import uniform, uniform_index
from kws_tf.errors import ConfigError

PAPER_FREQUENCY_MASK_ROWS = {1.0: 0, 1.5: 1, 2.0: 3, 3.0: 5, 6.0: 7, 8.0: 7}


def frequency_mask_rows(tau):
    """Frequency mask parameter that the authors of BC-ResNet use for a width factor.

    1, 3, 5, 7, 7 for tau 1.5, 2, 3, 6, 8, and 0 for tau 1 and below, where they leave SpecAugment out altogether. Another tau
    takes the value of the nearest of these six, the smaller one if two are equally near.

    Example:
        >>> frequency_mask_rows(2), frequency_mask_rows(0.625), frequency_mask_rows(2.5)
        (3, 0, 3)
    """
    return PAPER_FREQUENCY_MASK_ROWS[min(PAPER_FREQUENCY_MASK_ROWS, key=lambda preset: (abs(preset - tau), preset))]


class SpecAugment:
    """Sets random bands of rows and of frames to 0, for each clip its own.

    Park et al., "SpecAugment", Interspeech 2019, as in the published recipe of BC-ResNet: a mask of parameter P is int(U(0, P))
    wide, so at most P - 1, and begins anywhere where it fits; the fill is 0 in the log domain. Note that 0 is a middling level
    of kws_tf's features, ln(max(mel, log_floor)), not silence.

    Args:
        augment: AugmentConfig; spec_prob, frequency_masks, frequency_mask_rows, time_masks and time_mask_frames are read.
        n_frames, n_features: size of the features, frames and rows.
        tau: width factor of BC-ResNet, 1 for any other network; read if frequency_mask_rows is -1; where frequency_mask_rows(tau) is 0,
            everything is off, time masks too, as the authors do. With frequency_mask_rows of 0 or more the two kinds of masks are
            independent.

    Raises:
        ConfigError: a mask parameter above the size of the features.

    Example:
        masks = SpecAugment(AugmentConfig(), n_frames=98, n_features=40, tau=2)
        draws = masks.draw(batch_size, keras.random.SeedGenerator(1))
        features = masks.apply(features, draws)      # [batch, 98, 40, 1]
    """

    def __init__(self, augment, n_frames, n_features, tau):
        rows, frames, self.prob = augment.frequency_mask_rows, augment.time_mask_frames, augment.spec_prob
        if rows < 0:
            rows = frequency_mask_rows(tau)
            frames = frames if rows else 0
        self.n_frames, self.n_features = n_frames, n_features
        # axis -> number of masks, mask parameter, size of the axis
        self.masks = {
            "frequency": (augment.frequency_masks, rows, n_features),
            "time": (augment.time_masks, frames, n_frames),
        }
        self.masks = {axis: mask for axis, mask in self.masks.items() if self.prob and mask[0] and mask[1]}
        for axis, (_, widest, size) in self.masks.items():
            if widest > size:
                flag = {"frequency": "--frequency_mask_rows", "time": "--time_mask_frames"}[axis]
                raise ConfigError(f"SpecAugment: {axis} masks of up to {widest} do not fit features of {size}; "
                                  f"use {flag}={size} or less.")

    @property
    def enabled(self):
        """Whether any mask is drawn."""
        return bool(self.masks)

    def draw(self, batch_size, seed_generator):
        """Draws for the clips of one batch.

        Args:
            batch_size: clips, an int or a scalar tensor.
            seed_generator: keras.random.SeedGenerator.

        Returns:
            Dictionary of int32 tensors [batch, masks]: frequency_start, frequency_width, time_start, time_width, those that the
            configuration asks for. A width of 0 is no mask.
        """
        draws = {}
        chosen = uniform((batch_size, 1), seed_generator) < self.prob
        for axis, (number, widest, size) in self.masks.items():
            shape = (batch_size, number)
            width = ops.where(chosen, uniform_index(shape, seed_generator, widest), 0)
            draws[f"{axis}_start"] = uniform_index(shape, seed_generator, size - width + 1)
            draws[f"{axis}_width"] = width
        return draws

    def apply(self, features, draws):
        """[batch, time, frequency, 1] -> the same, 0 where a mask of draws lies."""
        for axis, (_, _, size) in self.masks.items():
            start, width = draws[f"{axis}_start"][..., None], draws[f"{axis}_width"][..., None]
            position = ops.arange(size, dtype="int32")
            covered = ops.any(ops.logical_and(position >= start, position < start + width), axis=1)
            shape = (-1, size, 1, 1) if axis == "time" else (-1, 1, size, 1)
            features = ops.where(ops.reshape(covered, shape), 0.0, features)
        return features
