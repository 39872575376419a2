"""BC-ResNet: broadcasted residual learning for keyword spotting."""

import keras
from keras import layers, ops

from kws_tf.errors import ConfigError
from kws_tf.layers import FrequencyDepthwiseConv, SubSpectralNormalization, TemporalPadding
from kws_tf.models.classifier import ARCFACE_SETTINGS, classifier_scale, make_classifier
from kws_tf.models.initialization import endless_seeds, torch_uniform
from kws_tf.models.layer_shapes import follow, inside, require_features
from kws_tf.models.time_padding import stage_paddings

STAGE_BLOCKS = (2, 2, 4, 4)
STAGE_STRIDES = (1, 2, 2, 1)
STAGE_DILATIONS = (1, 2, 4, 8)
PAPER_GROUPS = 5
MOMENTUM, EPSILON = 0.9, 1e-5
LAYOUT = "channels_last"

# Fields of ModelConfig that this network uses.
SETTINGS = ("tau", "ssn_groups", "padding", "dropout", "lookahead_stages", *ARCFACE_SETTINGS)


def widths(tau):
    """Channels of (stem, stage 0, stage 1, stage 2, stage 3, head) for a width factor: (16, 8, 12, 16, 20, 32) for tau = 1."""
    base = int(8 * tau)
    return 2 * base, base, int(1.5 * base), 2 * base, int(2.5 * base), 4 * base


def stage_heights(n_features):
    """Frequency rows of the output of the stem and of stages 0 to 3: (20, 20, 10, 5, 5) for 40 features."""
    heights = [-(-n_features // 2)]
    for stride in STAGE_STRIDES:
        heights.append(-(-heights[-1] // stride))
    return tuple(heights)


def resolve_ssn_groups(rule, n_features):
    """Sub-bands of every stage by the rule of --ssn_groups.

    Args:
        rule: "auto" (the largest divisor of each stage's height that is not above 5), a number that divides every height,
            or "0" (BatchNormalization instead of sub-bands).
        n_features: rows of the input, n_mels or n_mfcc.

    Returns:
        Four numbers, one per stage; 0 means BatchNormalization.

    Raises:
        ConfigError: a number that does not divide some stage's height; names the stage, its height and the legal values.
    """
    heights = stage_heights(n_features)[1:]
    if rule == "auto":
        return tuple(max(n for n in range(1, PAPER_GROUPS + 1) if height % n == 0) for height in heights)
    groups = int(rule)
    for stage, height in enumerate(heights):
        if groups and height % groups:
            legal = [n for n in range(1, min(heights) + 1) if all(h % n == 0 for h in heights)]
            raise ConfigError(
                f"SubSpectralNormalization: {height} frequency rows cannot be cut into {groups} equal sub-bands (stage {stage}); "
                f"with {n_features} features the stages have {', '.join(map(str, heights))} rows: legal values of --ssn_groups are "
                f"auto, 0 and {', '.join(map(str, legal))}, or choose another --n_mels (--n_mfcc), for example a multiple of 40.")
    return (groups,) * len(heights)


def _pointwise(in_channels, channels, seed, name):
    return layers.Conv2D(channels, 1, use_bias=False, kernel_initializer=torch_uniform(in_channels, seed), data_format=LAYOUT, name=name)


def _depthwise(kernel_size, dilation, seed, name):
    taps = kernel_size[0] * kernel_size[1]
    return layers.DepthwiseConv2D(kernel_size, dilation_rate=(dilation, 1), use_bias=False, data_format=LAYOUT,
                                  depthwise_initializer=torch_uniform(taps, seed), name=name)


def _batch_norm(name):
    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)


@keras.saving.register_keras_serializable(package="kws_tf")
class BCResBlock(layers.Layer):
    """Broadcasted residual block: features over frequency and time, plus features over time alone, broadcast to every row.

        x' = ReLU(BN(pointwise(x)))                         in a transition block; else x' = x
        a  = SSN(frequency_depthwise(x'))
        t  = dropout(pointwise(swish(BN(temporal_depthwise(mean over frequency of a)))))
        y  = ReLU(t + a)                                    in a transition block; else y = ReLU(t + a + x)

    A transition block is one that changes the number of channels or of rows. The temporal depthwise has three taps.

    Args:
        in_channels, channels: of the input and of the output.
        stride: rows of the input per row of the output, default 1.
        dilation: frames between the taps of the temporal convolution, default 1.
        groups: sub-bands of SubSpectralNormalization, default 5; 0 for BatchNormalization.
        padding: "causal" or "symmetric" over time.
        dropout: share of (clip, channel) pairs of t that training sets to zero, default 0.1.
        seed: of the initial kernels and of the dropout; None leaves them to Keras.

    Input shape:
        [batch, time, frequency, in_channels]

    Output shape:
        [batch, time, ceil(frequency / stride), channels]

    Example:
        >>> BCResBlock(16, 8)(features)                         # [8, 101, 20, 16] -> [8, 101, 20, 8]
    """

    def __init__(self, in_channels, channels, stride=1, dilation=1, groups=PAPER_GROUPS, padding="causal", dropout=0.1, seed=None,
                 **kwargs):
        super().__init__(**kwargs)
        self.in_channels = in_channels
        self.channels = channels
        self.stride = stride
        self.dilation = dilation
        self.groups = groups
        self.padding = padding
        self.dropout_rate = dropout
        self.seed = seed
        self.transition = in_channels != channels or stride != 1

        seeds = endless_seeds(seed)
        if self.transition:
            self.transition_conv = _pointwise(in_channels, channels, next(seeds), "transition_conv")
            self.transition_norm = _batch_norm("transition_norm")
        self.frequency_conv = FrequencyDepthwiseConv(3, stride, torch_uniform(3, next(seeds)), name="frequency_conv")
        if groups:
            self.frequency_norm = SubSpectralNormalization(groups, MOMENTUM, EPSILON, name="frequency_norm")
        else:
            self.frequency_norm = _batch_norm("frequency_norm")
        self.temporal_padding = TemporalPadding(3, dilation, padding, name="temporal_padding")
        self.temporal_conv = _depthwise((3, 1), dilation, next(seeds), "temporal_conv")
        self.temporal_norm = _batch_norm("temporal_norm")
        self.pointwise_conv = _pointwise(channels, channels, next(seeds), "pointwise_conv")
        self.dropout = layers.SpatialDropout2D(dropout, data_format=LAYOUT, seed=next(seeds), name="dropout")

    def build(self, input_shape):
        if input_shape[-1] != self.in_channels:
            raise ConfigError(f"BCResBlock {self.name}: expected {self.in_channels} input channels; received shape {tuple(input_shape)}.")
        # An average pooling rather than a mean: TFLite has an optimised integer kernel for it that keeps the scale.
        rows = self.compute_output_shape(input_shape)[2]
        self.frequency_mean = layers.AveragePooling2D((1, rows), data_format=LAYOUT, name="frequency_mean")
        for layer, before, _ in self.layer_shapes(input_shape):
            layer.build(before)

    def layer_shapes(self, input_shape):
        """(layer, its input shape, its output shape) of every layer inside, in the order of computation; the sums are not layers."""
        chain = [self.transition_conv, self.transition_norm] if self.transition else []
        chain += [self.frequency_conv, self.frequency_norm, self.frequency_mean, self.temporal_padding, self.temporal_conv,
                  self.temporal_norm, self.pointwise_conv, self.dropout]
        return follow(chain, input_shape)

    def call(self, inputs, training=None):
        x = inputs
        if self.transition:
            x = ops.relu(self.transition_norm(self.transition_conv(x), training=training))
        rows = self.frequency_norm(self.frequency_conv(x), training=training)
        pooled = self.temporal_conv(self.temporal_padding(self.frequency_mean(rows)))
        pooled = ops.silu(self.temporal_norm(pooled, training=training))
        pooled = self.dropout(self.pointwise_conv(pooled), training=training)
        # The two full-height operands first, so that one broadcast addition is left.
        full = rows if self.transition else rows + inputs
        return ops.relu(full + pooled)

    def compute_output_shape(self, input_shape):
        batch, time, rows, _ = input_shape
        return (batch, time, -(-rows // self.stride), self.channels)

    def get_config(self):
        return {**super().get_config(), "in_channels": self.in_channels, "channels": self.channels, "stride": self.stride,
                "dilation": self.dilation, "groups": self.groups, "padding": self.padding, "dropout": self.dropout_rate,
                "seed": self.seed}


@keras.saving.register_keras_serializable(package="kws_tf")
class BCResNet(keras.Model):
    """BC-ResNet-tau: a stem, four stages of broadcasted residual blocks, a head, and a linear classifier of the mean.

    Kim, Chang, Lee, Sung: "Broadcasted Residual Learning for Efficient Keyword Spotting", Interspeech 2021,
    doi 10.21437/Interspeech.2021-383. No layer changes the number of frames. Frequency halves in the stem and in the first
    blocks of stages 1 and 2; stage s has temporal dilation 2^s. `ssn_groups` holds the sub-bands that the rule gave each stage.

    Args:
        n_classes: outputs.
        n_features: rows of the input, n_mels or n_mfcc.
        tau: width factor, 0.625 to 8 in the paper, default 1.
        ssn_rule: "auto", a number of sub-bands or "0"; see resolve_ssn_groups.
        padding: "causal", "symmetric" (the paper's) or "mixed" over time, default "causal".
        dropout: channel dropout of the blocks, default 0.1.
        seed: of initial weights and dropout; None leaves them to Keras.
        lookahead_stages: with padding "mixed", the stages that are symmetric, and the stem with them; the rest is causal.
        cosine_scale: 0 for a linear classifier, else the scale of a CosineClassifier (ArcFace), default 0.

    Input shape:
        [batch, time, frequency, 1]

    Output shape:
        [batch, classes], logits.

    Raises:
        ConfigError: a rule that the heights do not allow, or an input with another number of rows.

    Example:
        >>> model = BCResNet(n_classes=12, n_features=40, tau=1)
        >>> model.build((None, 101, 40, 1)); model.count_params()        # 9232 trainable and the moving statistics
    """

    def __init__(self, n_classes, n_features, tau=1.0, ssn_rule="auto", padding="causal", dropout=0.1, seed=None,
                 lookahead_stages=0, cosine_scale=0.0, **kwargs):
        super().__init__(**kwargs)
        self.n_classes = n_classes
        self.n_features = n_features
        self.tau = tau
        self.ssn_rule = ssn_rule
        self.padding = padding
        self.dropout_rate = dropout
        self.seed = seed
        self.lookahead_stages = lookahead_stages
        self.cosine_scale = cosine_scale
        self.ssn_groups = resolve_ssn_groups(ssn_rule, n_features)

        seeds = endless_seeds(seed)
        stem, *stages, head = widths(tau)
        stem_padding, *paddings, head_padding = stage_paddings(padding, lookahead_stages, len(STAGE_BLOCKS))
        self.stem_padding = TemporalPadding(5, padding=stem_padding, rows=2, name="stem_padding")
        self.stem_conv = layers.Conv2D(stem, 5, strides=(1, 2), use_bias=False, kernel_initializer=torch_uniform(25, next(seeds)),
                                       data_format=LAYOUT, name="stem_conv")
        self.stem_norm = _batch_norm("stem_norm")
        self.blocks = []
        in_channels = stem
        for stage, channels in enumerate(stages):
            for index in range(STAGE_BLOCKS[stage]):
                self.blocks.append(BCResBlock(
                    in_channels, channels, stride=STAGE_STRIDES[stage] if index == 0 else 1, dilation=STAGE_DILATIONS[stage],
                    groups=self.ssn_groups[stage], padding=paddings[stage], dropout=dropout, seed=next(seeds),
                    name=f"stage{stage}_block{index}"))
                in_channels = channels
        head_rows = min(5, stage_heights(n_features)[-1])
        self.head_padding = TemporalPadding(5, padding=head_padding, name="head_padding")
        self.head_depthwise = _depthwise((5, head_rows), 1, next(seeds), "head_depthwise")
        self.head_pointwise = _pointwise(in_channels, head, next(seeds), "head_pointwise")
        self.head_norm = _batch_norm("head_norm")
        self.mean = layers.GlobalAveragePooling2D(data_format=LAYOUT, name="mean")
        self.classifier = make_classifier(n_classes, torch_uniform(head, next(seeds)), torch_uniform(head, next(seeds)), cosine_scale)

    def build(self, input_shape):
        for layer, before, _ in follow(self._chain(), require_features(self, input_shape)):
            layer.build(before)

    def _chain(self):
        return [self.stem_padding, self.stem_conv, self.stem_norm, *self.blocks, self.head_padding, self.head_depthwise,
                self.head_pointwise, self.head_norm, self.mean, self.classifier]

    def layer_shapes(self, input_shape):
        """(layer, its input shape, its output shape) of every layer, those inside the blocks too, in the order of computation."""
        return inside(follow(self._chain(), input_shape))

    def call(self, inputs, training=None):
        return self.classifier(self.mean(self._feature_map(inputs, training)), training=training)

    def _feature_map(self, inputs, training):
        x = ops.relu(self.stem_norm(self.stem_conv(self.stem_padding(inputs)), training=training))
        for block in self.blocks:
            x = block(x, training=training)
        x = self.head_pointwise(self.head_depthwise(self.head_padding(x)))
        return ops.relu(self.head_norm(x, training=training))

    def frame_embeddings(self, inputs, training=None):
        """The network up to the mean over time.

        Args:
            inputs: features [batch, time, frequency, 1].
            training: whether dropout acts and the norms use batch statistics.

        Returns:
            [batch, time, channels of the head]; the logits are the classifier of its mean over time.
        """
        return ops.mean(self._feature_map(inputs, training), axis=2)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.n_classes)

    def get_config(self):
        return {**super().get_config(), "n_classes": self.n_classes, "n_features": self.n_features, "tau": self.tau,
                "ssn_rule": self.ssn_rule, "padding": self.padding, "dropout": self.dropout_rate, "seed": self.seed,
                "lookahead_stages": self.lookahead_stages, "cosine_scale": self.cosine_scale}


def build(model, features, n_classes, seed=None):
    """The BCResNet that a ModelConfig and a FeatureConfig describe, not yet built for an input shape."""
    return BCResNet(n_classes, features.n_features, tau=model.tau, ssn_rule=model.ssn_groups, padding=model.padding,
                    dropout=model.dropout, seed=seed, lookahead_stages=model.lookahead_stages,
                    cosine_scale=classifier_scale(model), name="bc_resnet")
