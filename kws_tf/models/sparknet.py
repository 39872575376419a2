"""SparkNet: time-channel separable convolutions, sparse binary gates, and one linear classifier."""

import keras
from keras import layers, ops

from kws_tf.errors import ConfigError
from kws_tf.layers import SparseBinarization, TemporalPadding
from kws_tf.models.classifier import ARCFACE_SETTINGS, classifier_scale, make_classifier
from kws_tf.models.initialization import endless_seeds, torch_uniform
from kws_tf.models.layer_shapes import follow, inside, require_features
from kws_tf.models.time_padding import stage_paddings

KERNEL_FRAMES = (11, 15, 19, 29)
N_GATES = 32
DEFAULT_CHANNELS = 16
MOMENTUM, BLOCK_EPSILON, GATE_EPSILON = 0.9, 1e-3, 1e-5
LAYOUT = "channels_last"

# Fields of ModelConfig that this network uses.
SETTINGS = ("channels", "padding", "gate", "gate_penalty", "lookahead_stages", *ARCFACE_SETTINGS)


def _pointwise(channels, seed, name):
    return layers.Conv2D(channels, 1, use_bias=False, kernel_initializer=keras.initializers.GlorotUniform(seed), data_format=LAYOUT,
                         name=name)


def _batch_norm(epsilon, name):
    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=epsilon, name=name)


@keras.saving.register_keras_serializable(package="kws_tf")
class SparkNetBlock(layers.Layer):
    """Time-channel separable convolution: every channel over time, then across channels.

        y = ReLU(BN(pointwise(temporal_depthwise(x))))                              without residual
        y = ReLU(BN(pointwise(temporal_depthwise(x))) + BN(residual_pointwise(x)))  with residual

    Args:
        in_channels, channels: of the input and of the output.
        kernel_frames: taps of the depthwise convolution over time.
        residual: whether the input is added through a pointwise convolution, default True.
        padding: "causal" or "symmetric" over time.
        seed: of the initial kernels; None leaves them to Keras.

    Input shape:
        [batch, time, 1, in_channels]

    Output shape:
        [batch, time, 1, channels]

    Example:
        >>> SparkNetBlock(32, 16, kernel_frames=11, residual=False)(features)       # [8, 98, 1, 32] -> [8, 98, 1, 16]
    """

    def __init__(self, in_channels, channels, kernel_frames, residual=True, padding="causal", seed=None, **kwargs):
        super().__init__(**kwargs)
        self.in_channels = in_channels
        self.channels = channels
        self.kernel_frames = kernel_frames
        self.residual = residual
        self.padding = padding
        self.seed = seed

        seeds = endless_seeds(seed)
        self.temporal_padding = TemporalPadding(kernel_frames, padding=padding, name="temporal_padding")
        self.temporal_conv = layers.DepthwiseConv2D((kernel_frames, 1), use_bias=False, data_format=LAYOUT, name="temporal_conv",
                                                    depthwise_initializer=keras.initializers.GlorotUniform(next(seeds)))
        self.pointwise_conv = _pointwise(channels, next(seeds), "pointwise_conv")
        self.norm = _batch_norm(BLOCK_EPSILON, "norm")
        if residual:
            self.residual_conv = _pointwise(channels, next(seeds), "residual_conv")
            self.residual_norm = _batch_norm(BLOCK_EPSILON, "residual_norm")

    def build(self, input_shape):
        shape = tuple(input_shape)
        if len(shape) != 4 or shape[2:] != (1, self.in_channels):
            raise ConfigError(f"SparkNetBlock {self.name}: expected [batch, time, 1, {self.in_channels}]; received shape {shape}.")
        for layer, before, _ in self.layer_shapes(shape):
            layer.build(before)

    def layer_shapes(self, input_shape):
        """(layer, its input shape, its output shape) of every layer inside, in the order of computation; the sum is not a layer."""
        yield from follow([self.temporal_padding, self.temporal_conv, self.pointwise_conv, self.norm], input_shape)
        if self.residual:
            yield from follow([self.residual_conv, self.residual_norm], input_shape)

    def call(self, inputs, training=None):
        x = self.pointwise_conv(self.temporal_conv(self.temporal_padding(inputs)))
        x = self.norm(x, training=training)
        if self.residual:
            x = x + self.residual_norm(self.residual_conv(inputs), training=training)
        return ops.relu(x)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:3], self.channels)

    def get_config(self):
        return {**super().get_config(), "in_channels": self.in_channels, "channels": self.channels,
                "kernel_frames": self.kernel_frames, "residual": self.residual, "padding": self.padding, "seed": self.seed}


@keras.saving.register_keras_serializable(package="kws_tf")
class SparkNet(keras.Model):
    """SparkNet-C: four separable blocks, 32 gates per frame, and a linear classifier of their mean over time.

    Svirsky, Shaham, Lindenbaum: "Sparse Binarization for Fast Keyword Spotting", Interspeech 2024, and the authors' code.
    The blocks have 11, 15, 19 and 29 taps over time and no stride; all but the first are residual. A pointwise convolution with
    bias and BatchNormalization give each frame 32 values, which SparseBinarization turns into gates. In training the gates are
    noisy and add their penalty to the losses of the model.

    The rows of the features are the channels of the first block: [batch, time, frequency, 1] is read as
    [batch, time, 1, frequency], which moves no data. All convolutions are 2-D over [time, 1], the form that TFLite has integer
    kernels for.

    Args:
        n_classes: outputs.
        n_features: rows of the input, n_mels or n_mfcc; 32 MFCC in the paper.
        channels: width of the blocks, 4, 8, 16 or 32 in the paper, default 16.
        padding: "causal", "symmetric" (the paper's) or "mixed" over time, default "causal".
        gate: "soft" (the paper's) or "hard" gates at inference, default "soft".
        gate_penalty: weight of the mean probability that a gate is open, default 0.01.
        seed: of initial weights and gate noise; None leaves them to Keras.
        lookahead_stages: with padding "mixed", the blocks that are symmetric; the rest is causal.
        cosine_scale: 0 for a linear classifier, else the scale of a CosineClassifier (ArcFace), default 0.

    Input shape:
        [batch, time, frequency, 1]

    Output shape:
        [batch, classes], logits.

    Raises:
        ConfigError: no channel, or an input with another number of rows.

    Example:
        >>> model = SparkNet(n_classes=12, n_features=32, channels=16)
        >>> model.build((None, 98, 32, 1)); model.count_params()         # 4636 trainable and the moving statistics
    """

    def __init__(self, n_classes, n_features, channels=DEFAULT_CHANNELS, padding="causal", gate="soft", gate_penalty=0.01, seed=None,
                 lookahead_stages=0, cosine_scale=0.0, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(channels, int) or isinstance(channels, bool) or channels < 1:
            raise ConfigError(f"SparkNet: channels must be a whole number, at least 1; received {channels!r}. Set --channels.")
        self.n_classes = n_classes
        self.n_features = n_features
        self.channels = channels
        self.padding = padding
        self.gate = gate
        self.gate_penalty = gate_penalty
        self.seed = seed
        self.lookahead_stages = lookahead_stages
        self.cosine_scale = cosine_scale

        seeds = endless_seeds(seed)
        self.blocks = []
        in_channels = n_features
        _, *paddings, _ = stage_paddings(padding, lookahead_stages, len(KERNEL_FRAMES))
        for index, kernel_frames in enumerate(KERNEL_FRAMES):
            self.blocks.append(SparkNetBlock(in_channels, channels, kernel_frames, residual=index > 0, padding=paddings[index],
                                             seed=next(seeds), name=f"block{index}"))
            in_channels = channels
        self.gate_conv = layers.Conv2D(N_GATES, 1, kernel_initializer=torch_uniform(channels, next(seeds)),
                                       bias_initializer=torch_uniform(channels, next(seeds)), data_format=LAYOUT, name="gate_conv")
        self.gate_norm = _batch_norm(GATE_EPSILON, "gate_norm")
        self.gates = SparseBinarization(gate, penalty=gate_penalty, seed=next(seeds), name="gates")
        self.classifier = make_classifier(n_classes, torch_uniform(N_GATES, next(seeds)), torch_uniform(N_GATES, next(seeds)),
                                          cosine_scale)

    def build(self, input_shape):
        for layer, before, _ in self._top_layer_shapes(require_features(self, input_shape)):
            layer.build(before)

    def _top_layer_shapes(self, input_shape):
        batch, time, rows, _ = input_shape
        yield from follow([*self.blocks, self.gate_conv, self.gate_norm, self.gates], (batch, time, 1, rows))
        yield from follow([self.classifier], (batch, N_GATES))

    def layer_shapes(self, input_shape):
        """(layer, its input shape, its output shape) of every layer, those inside the blocks too, in the order of computation."""
        return inside(self._top_layer_shapes(input_shape))

    def call(self, inputs, training=None):
        return self.classifier(ops.mean(self._gate_map(inputs, training), axis=(1, 2)), training=training)

    def _gate_map(self, inputs, training):
        _, time, rows, _ = inputs.shape
        time = ops.shape(inputs)[1] if time is None else time
        x = ops.reshape(inputs, (-1, time, 1, rows))
        for block in self.blocks:
            x = block(x, training=training)
        return self.gates(self.gate_norm(self.gate_conv(x), training=training), training=training)

    def frame_embeddings(self, inputs, training=None):
        """The gates of every frame.

        Args:
            inputs: features [batch, time, frequency, 1].
            training: whether the gates are noisy and the norms use batch statistics.

        Returns:
            [batch, time, 32], values in [0, 1]; the logits are the classifier of its mean over time, and the share of zeros is the
            sparsity.
        """
        return ops.squeeze(self._gate_map(inputs, training), axis=2)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.n_classes)

    def get_config(self):
        return {**super().get_config(), "n_classes": self.n_classes, "n_features": self.n_features, "channels": self.channels,
                "padding": self.padding, "gate": self.gate, "gate_penalty": self.gate_penalty, "seed": self.seed,
                "lookahead_stages": self.lookahead_stages, "cosine_scale": self.cosine_scale}


def build(model, features, n_classes, seed=None):
    """The SparkNet that a ModelConfig and a FeatureConfig describe, not yet built for an input shape."""
    return SparkNet(n_classes, features.n_features, channels=model.channels or DEFAULT_CHANNELS, padding=model.padding,
                    gate=model.gate, gate_penalty=model.gate_penalty, seed=seed, lookahead_stages=model.lookahead_stages,
                    cosine_scale=classifier_scale(model), name="sparknet")
