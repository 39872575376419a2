"""Batch normalisation per frequency sub-band."""

import keras
from keras import ops

from kws_tf.errors import ConfigError


@keras.saving.register_keras_serializable(package="kws_tf")
class SubSpectralNormalization(keras.layers.Layer):
    """Normalises every (sub-band, channel) pair by statistics of its own.

    The frequency rows are cut into `groups` contiguous bands of equal height, low to high: row f belongs to band
    f // (frequency / groups). Each (band, channel) pair has its own mean and variance, over batch, time and the rows of the
    band, and its own scale and shift:

        y = gamma[s, c] * (x - mean[s, c]) / sqrt(variance[s, c] + epsilon) + beta[s, c]

    With one group it is BatchNormalization. As there, training uses the batch statistics and updates moving ones, inference
    uses the moving ones, and `trainable = False` means inference. The moving variance takes the biased batch variance, as
    Keras does; PyTorch's running variance is larger by n / (n - 1), where n = batch * time * frequency / groups.

    Chang, Park, Cho, Yang: "SubSpectral Normalization for Neural Audio Data Processing", ICASSP 2021.

    Args:
        groups: number of sub-bands; must divide the number of frequency rows.
        momentum: share of the old value in a moving statistic, default 0.9.
        epsilon: added to the variance, default 1e-5.

    Input shape:
        [batch, time, frequency, channels], frequency and channels known.

    Output shape:
        The same.

    Raises:
        ConfigError: groups is not a positive whole number, or does not divide the rows.

    Example:
        >>> SubSpectralNormalization(groups=5)(features)          # [8, 101, 20, 16] -> [8, 101, 20, 16], bands of 4 rows
    """

    def __init__(self, groups, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(groups, int) or isinstance(groups, bool) or groups < 1:
            raise ConfigError(f"SubSpectralNormalization: groups must be a whole number, at least 1; received {groups!r}.")
        self.groups = groups
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)

    def build(self, input_shape):
        if len(input_shape) != 4 or None in input_shape[2:]:
            raise ConfigError("SubSpectralNormalization: expected [batch, time, frequency, channels] with known frequency and "
                              f"channels; received shape {tuple(input_shape)}.")
        rows, channels = input_shape[2:]
        if rows % self.groups:
            legal = ", ".join(str(n) for n in range(1, rows + 1) if rows % n == 0)
            raise ConfigError(f"SubSpectralNormalization: {rows} frequency rows cannot be cut into {self.groups} equal sub-bands "
                              f"({self.name}); legal values are {legal}.")
        self.rows = rows
        shape = (self.groups, channels)

        def add(name, initializer, trainable):
            return self.add_weight(shape=shape, name=name, initializer=initializer, trainable=trainable, autocast=False)

        self.gamma = add("gamma", "ones", True)
        self.beta = add("beta", "zeros", True)
        self.moving_mean = add("moving_mean", "zeros", False)
        self.moving_variance = add("moving_variance", "ones", False)

    def scale_and_shift(self, mean=None, variance=None):
        """The layer as y = x * scale + shift, from the given statistics or, by default, the moving ones.

        Args:
            mean, variance: [groups, channels] or None.

        Returns:
            scale, shift: [frequency, channels].
        """
        mean = self.moving_mean if mean is None else mean
        variance = self.moving_variance if variance is None else variance
        scale = ops.multiply(self.gamma, ops.rsqrt(ops.add(variance, self.epsilon)))
        shift = ops.subtract(self.beta, ops.multiply(mean, scale))
        band_rows = self.rows // self.groups
        return ops.repeat(scale, band_rows, axis=0), ops.repeat(shift, band_rows, axis=0)

    def call(self, inputs, training=None):
        x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        if training and self.trainable:
            bands = ops.reshape(x, (-1, self.groups, self.rows // self.groups, x.shape[-1]))
            mean, variance = ops.moments(bands, axes=(0, 2))
            self.update_moving_statistics(mean, variance)
            scale, shift = self.scale_and_shift(mean, variance)
        else:
            scale, shift = self.scale_and_shift()
        return ops.cast(x * scale + shift, self.compute_dtype)

    def update_moving_statistics(self, mean, variance):
        """Moves the moving statistics towards those of a batch.

        Args:
            mean, variance: [groups, channels], the variance biased.
        """
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + ops.cast(batch, moving.dtype) * (1.0 - self.momentum))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "groups": self.groups, "momentum": self.momentum, "epsilon": self.epsilon}
