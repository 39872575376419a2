"""Stochastic gates that learn a sparse, nearly binary representation."""

import math

import keras
from keras import ops

from kws_tf.errors import ConfigError

GATES = ("soft", "hard")


@keras.saving.register_keras_serializable(package="kws_tf")
class SparseBinarization(keras.layers.Layer):
    """A gate per value: 0 is closed, 1 is open.

        mu = tanh(input)
        training:        clip(mu + noise * N(0, 1) + 0.5, 0, 1)
        inference, soft: clip(mu + 0.5, 0, 1)
        inference, hard: 1 where mu > 0, else 0: the soft gate, rounded

    The noise drives mu away from the middle: only a gate far on one side passes on the same value every time. Training adds
    penalty * R to the losses of the model, where R is the mean probability that a gate is not closed,

        R = mean of Phi((mu + 0.5) / noise),   Phi the standard normal distribution,

    and keeps the metric "sparsity": the share of gates that the gate of inference closes, over the clips as training sees them.

    Svirsky, Shaham, Lindenbaum: "Sparse Binarization for Fast Keyword Spotting", Interspeech 2024; the gates are those of
    Yamada, Lindenbaum, Negahban, Kluger: "Feature Selection using Stochastic Gates", ICML 2020.

    Args:
        gate: "soft" or "hard", the gate of inference, default "soft".
        noise: standard deviation of the noise in training, default 0.5.
        penalty: weight of R beside a cross entropy in nats, default 0.01.
        seed: of the noise; None leaves it to Keras.

    Input shape:
        Any.

    Output shape:
        The same; values in [0, 1].

    Raises:
        ConfigError: an unknown gate, noise that is not above 0, or a negative penalty.

    Example:
        >>> SparseBinarization()(ops.array([[-1.0, 0.0, 0.1, 1.0]]))              # [[0, 0.5, 0.5997, 1]]
    """

    def __init__(self, gate="soft", noise=0.5, penalty=0.01, seed=None, **kwargs):
        super().__init__(**kwargs)
        if gate not in GATES:
            raise ConfigError(f"SparseBinarization: gate must be one of {', '.join(map(repr, GATES))}; received {gate!r}.")
        if not noise > 0:
            raise ConfigError(f"SparseBinarization: noise must be above 0; received {noise!r}.")
        if not penalty >= 0:
            raise ConfigError(f"SparseBinarization: penalty must be at least 0; received {penalty!r}.")
        self.gate = gate
        self.noise = float(noise)
        self.penalty = float(penalty)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed, name="gate_noise")
        self.sparsity = keras.metrics.Mean(name="sparsity")

    def build(self, input_shape):
        """There is nothing to build: the layer has no weights."""

    def call(self, inputs, training=None):
        gate = self._hard if self.gate == "hard" else self._soft
        if not training:
            return gate(inputs)
        mu = ops.tanh(inputs)
        self.add_loss(self.penalty * self.open_probability(mu))
        self.sparsity.update_state(ops.cast(gate(inputs) == 0, "float32"))
        noise = keras.random.normal(ops.shape(mu), stddev=self.noise, dtype=mu.dtype, seed=self.seed_generator)
        return ops.clip(mu + noise + 0.5, 0.0, 1.0)

    def open_probability(self, mu):
        """R of the class: a scalar, the mean probability that the noise leaves a gate above 0."""
        mu = ops.cast(mu, "float32")
        return ops.mean(0.5 + 0.5 * ops.erf((mu + 0.5) / (self.noise * math.sqrt(2.0))))

    @staticmethod
    def _soft(inputs):
        # The upper limit comes before the tanh: the convolution in front then writes integers that end at it, and the addition,
        # fused with the RELU, spends all of its 256 steps on [0, 1]. A clip behind the tanh needs one more requantisation.
        return ops.relu(ops.tanh(ops.minimum(inputs, math.atanh(0.5))) + 0.5)

    @staticmethod
    def _hard(inputs):
        # Selected from two scalars, because a bool that is cast leaves the integer graph.
        return ops.where(inputs > 0, ops.cast(1.0, inputs.dtype), ops.cast(0.0, inputs.dtype))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "gate": self.gate, "noise": self.noise, "penalty": self.penalty, "seed": self.seed}
