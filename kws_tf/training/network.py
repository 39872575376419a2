"""The network as it is trained: 16-bit PCM in, logits out, with augmentation, features and backbone in one compiled graph."""

import keras
from keras import ops

from kws_tf.errors import ConfigError


class TrainingNetwork(keras.Model):
    """int16 PCM -> waveform augmentation -> features -> SpecAugment -> backbone -> logits.

    Augmentation acts in training alone. All its draws come from one SeedGenerator and those of the dropout layers, whose states
    kws_tf.training.randomness sets at the start of every epoch.

    Args:
        features: layer, float PCM [batch, samples] -> [batch, time, frequency, 1].
        backbone: built keras.Model, features -> logits [batch, classes].
        waveform_augment, spec_augment: objects with draw and apply (kws_tf.augment), or None.
        forward: training forward of the backbone on the same variables, (features, training) -> logits; None for the backbone itself.
        seed: of the draws before the first reset.

    Input:
        (pcm int16 [batch, samples], labels int32 [batch]); the labels steer the augmentation of the silence class and nothing else.

    Output shape:
        [batch, classes], logits.
    """

    def __init__(self, features, backbone, *, waveform_augment=None, spec_augment=None, forward=None, seed=0):
        super().__init__(name="training_network")
        self.features = features
        self.backbone = backbone
        self.seed_generator = keras.random.SeedGenerator(seed, name="augmentation")
        self._waveform_augment = waveform_augment
        self._spec_augment = spec_augment
        self._forward = forward or backbone
        self.built = True

    def call(self, inputs, training=False):
        pcm, labels = inputs
        pcm = ops.cast(pcm, "float32") / 32768.0
        if training and self._waveform_augment is not None:
            draws = self._waveform_augment.draw(pcm.shape[0], labels, self.seed_generator)
            pcm = self._waveform_augment.apply(pcm, draws)
        features = self.features(pcm)
        if training and self._spec_augment is not None:
            features = self._spec_augment.apply(features, self._spec_augment.draw(features.shape[0], self.seed_generator))
        return self._forward(features, training=True) if training else self.backbone(features, training=False)


def has_gpu():
    """Whether the Keras backend computes on a GPU."""
    if keras.backend.backend() == "torch":
        return "cuda" in str(ops.convert_to_tensor(0.0).device)
    return bool(keras.distribution.list_devices("gpu"))


def choose_layout(layout, backbone):
    """The layout that training uses.

    Args:
        layout: "auto", "channels_last" or "batch_innermost".
        backbone: built keras.Model.

    Returns:
        "channels_last" or "batch_innermost"; "auto" takes the latter on a CPU wherever the backbone supports it.

    Raises:
        ConfigError: "batch_innermost" for a backbone that has no such form.
    """
    from kws_tf.models import batch_innermost

    supported = batch_innermost.supports(backbone)
    if layout == "batch_innermost" and not supported:
        raise ConfigError(f"training: layout batch_innermost is not available for {backbone.name}; use --layout=channels_last.")
    if layout == "auto":
        return "batch_innermost" if supported and not has_gpu() else "channels_last"
    return layout


def training_forward(layout, backbone):
    """The callable (features, training) -> logits of a chosen layout, on the variables of the backbone."""
    from kws_tf.models import batch_innermost

    return batch_innermost.batch_innermost(backbone) if layout == "batch_innermost" else backbone
