"""DS-CNN: the depthwise separable network of the MLPerf Tiny keyword spotting benchmark."""

import keras
from keras import layers, ops

from kws_tf.errors import ConfigError
from kws_tf.layers import TemporalPadding
from kws_tf.models.classifier import ARCFACE_SETTINGS, classifier_scale, make_classifier
from kws_tf.models.initialization import endless_seeds
from kws_tf.models.layer_shapes import follow, inside, require_features
from kws_tf.models.time_padding import stage_paddings

N_BLOCKS = 4
DEFAULT_CHANNELS = 64
FIRST_KERNEL = (10, 4)
FIRST_DROPOUT, LAST_DROPOUT = 0.2, 0.4
MOMENTUM, EPSILON = 0.9, 1e-3
LAYOUT = "channels_last"

# Fields of ModelConfig that this network uses.
SETTINGS = ("channels", "padding", "lookahead_stages", *ARCFACE_SETTINGS)


def _glorot(seed):
    return keras.initializers.GlorotUniform(seed)


def _batch_norm(name):
    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)


@keras.saving.register_keras_serializable(package="kws_tf")
class DepthwiseSeparableBlock(layers.Layer):
    """ReLU(BN(pointwise(ReLU(BN(depthwise(x)))))) with a depthwise kernel of 3 frames x 3 rows; both convolutions have a bias.

    Args:
        channels: of the input and of the output.
        padding: "causal" or "symmetric" over time.
        seed: of the initial kernels; None leaves them to Keras.

    Input shape:
        [batch, time, frequency, channels]

    Output shape:
        The same.

    Example:
        >>> DepthwiseSeparableBlock(64)(features)                       # [8, 25, 5, 64] -> [8, 25, 5, 64]
    """

    def __init__(self, channels, padding="causal", seed=None, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.padding = padding
        self.seed = seed

        seeds = endless_seeds(seed)
        self.temporal_padding = TemporalPadding(3, padding=padding, rows=1, name="temporal_padding")
        self.depthwise_conv = layers.DepthwiseConv2D(3, depthwise_initializer=_glorot(next(seeds)), data_format=LAYOUT,
                                                     name="depthwise_conv")
        self.depthwise_norm = _batch_norm("depthwise_norm")
        self.pointwise_conv = layers.Conv2D(channels, 1, kernel_initializer=_glorot(next(seeds)), data_format=LAYOUT,
                                            name="pointwise_conv")
        self.pointwise_norm = _batch_norm("pointwise_norm")

    def build(self, input_shape):
        if input_shape[-1] != self.channels:
            raise ConfigError(f"DepthwiseSeparableBlock {self.name}: expected {self.channels} input channels; "
                              f"received shape {tuple(input_shape)}.")
        for layer, before, _ in self.layer_shapes(input_shape):
            layer.build(before)

    def layer_shapes(self, input_shape):
        """(layer, its input shape, its output shape) of every layer inside, in the order of computation."""
        return follow([self.temporal_padding, self.depthwise_conv, self.depthwise_norm, self.pointwise_conv, self.pointwise_norm],
                      input_shape)

    def call(self, inputs, training=None):
        x = self.depthwise_conv(self.temporal_padding(inputs))
        x = ops.relu(self.depthwise_norm(x, training=training))
        return ops.relu(self.pointwise_norm(self.pointwise_conv(x), training=training))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "channels": self.channels, "padding": self.padding, "seed": self.seed}


@keras.saving.register_keras_serializable(package="kws_tf")
class DSCNN(keras.Model):
    """DS-CNN: a strided convolution, four depthwise separable blocks, and a linear classifier of the mean.

    Zhang, Suda, Lai, Chandra: "Hello Edge: Keyword Spotting on Microcontrollers", 2017; the size and the 49 x 10 MFCC input are those
    of the reference model of MLPerf Tiny (Banbury et al., 2021), which symmetric padding computes. Two things differ: the mean
    covers all 25 output frames, where the pooling window of the reference leaves out the last one, and the BatchNormalizations have
    momentum 0.9 instead of 0.99, as in the other networks here.

    The first convolution has 10 taps over time and stride 2: with n frames in, ceil(n / 2) come out, and with causal padding output
    frame j depends on input frames up to 2j. A streaming network therefore takes two hops per step, and after an even number of
    frames the newest one has not reached the output yet.

    Args:
        n_classes: outputs.
        n_features: rows of the input, n_mels or n_mfcc; 10 MFCC in the reference.
        channels: width of every convolution, default 64, that of the reference.
        padding: "causal", "symmetric" (the reference's) or "mixed" over time, default "causal".
        seed: of initial weights and dropout; None leaves them to Keras.
        lookahead_stages: with padding "mixed", the blocks that are symmetric, and the first convolution with them; the rest is causal.
        cosine_scale: 0 for a linear classifier, else the scale of a CosineClassifier (ArcFace), default 0.

    Input shape:
        [batch, time, frequency, 1]

    Output shape:
        [batch, classes], logits.

    Raises:
        ConfigError: no channel, fewer than two rows, or an input with another number of rows.

    Example:
        >>> model = DSCNN(n_classes=12, n_features=10)
        >>> model.build((None, 49, 10, 1)); model.count_params()         # 24908, of which 23756 are trained
    """

    def __init__(self, n_classes, n_features, channels=DEFAULT_CHANNELS, padding="causal", seed=None, lookahead_stages=0,
                 cosine_scale=0.0, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(channels, int) or isinstance(channels, bool) or channels < 1:
            raise ConfigError(f"DSCNN: channels must be a whole number, at least 1; received {channels!r}. Set --channels.")
        if n_features < 2:
            raise ConfigError(f"DSCNN: the first kernel spans {FIRST_KERNEL[1]} rows and needs at least 2 of the features; received "
                              f"{n_features}. Set --n_mfcc or --n_mels.")
        self.n_classes = n_classes
        self.n_features = n_features
        self.channels = channels
        self.padding = padding
        self.seed = seed
        self.lookahead_stages = lookahead_stages
        self.cosine_scale = cosine_scale

        seeds = endless_seeds(seed)
        first_padding, *paddings, _ = stage_paddings(padding, lookahead_stages, N_BLOCKS)
        self.first_padding = TemporalPadding(FIRST_KERNEL[0], padding=first_padding, rows=1, name="first_padding")
        self.first_conv = layers.Conv2D(channels, FIRST_KERNEL, strides=2, kernel_initializer=_glorot(next(seeds)), data_format=LAYOUT,
                                        name="first_conv")
        self.first_norm = _batch_norm("first_norm")
        self.first_dropout = layers.Dropout(FIRST_DROPOUT, seed=next(seeds), name="first_dropout")
        self.blocks = [DepthwiseSeparableBlock(channels, paddings[index], next(seeds), name=f"block{index}") for index in range(N_BLOCKS)]
        self.last_dropout = layers.Dropout(LAST_DROPOUT, seed=next(seeds), name="last_dropout")
        self.mean = layers.GlobalAveragePooling2D(data_format=LAYOUT, name="mean")
        self.classifier = make_classifier(n_classes, _glorot(next(seeds)), cosine_scale=cosine_scale)

    def build(self, input_shape):
        for layer, before, _ in follow(self._chain(), require_features(self, input_shape)):
            layer.build(before)

    def _chain(self):
        return [self.first_padding, self.first_conv, self.first_norm, self.first_dropout, *self.blocks, self.last_dropout, self.mean,
                self.classifier]

    def layer_shapes(self, input_shape):
        """(layer, its input shape, its output shape) of every layer, those inside the blocks too, in the order of computation."""
        return inside(follow(self._chain(), input_shape))

    def call(self, inputs, training=None):
        return self.classifier(self.mean(self._feature_map(inputs, training)), training=training)

    def _feature_map(self, inputs, training):
        x = ops.relu(self.first_norm(self.first_conv(self.first_padding(inputs)), training=training))
        x = self.first_dropout(x, training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return self.last_dropout(x, training=training)

    def frame_embeddings(self, inputs, training=None):
        """The network up to the mean over time.

        Args:
            inputs: features [batch, time, frequency, 1].
            training: whether dropout acts and the norms use batch statistics.

        Returns:
            [batch, ceil(time / 2), channels]; the logits are the classifier of its mean over time.
        """
        return ops.mean(self._feature_map(inputs, training), axis=2)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.n_classes)

    def get_config(self):
        return {**super().get_config(), "n_classes": self.n_classes, "n_features": self.n_features, "channels": self.channels,
                "padding": self.padding, "seed": self.seed, "lookahead_stages": self.lookahead_stages,
                "cosine_scale": self.cosine_scale}


def build(model, features, n_classes, seed=None):
    """The DSCNN that a ModelConfig and a FeatureConfig describe, not yet built for an input shape."""
    return DSCNN(n_classes, features.n_features, channels=model.channels or DEFAULT_CHANNELS, padding=model.padding, seed=seed,
                 lookahead_stages=model.lookahead_stages, cosine_scale=classifier_scale(model), name="ds_cnn")
