"""The network as it is trained: 16-bit PCM in, logits out, with augmentation, features and backbone in one compiled graph."""

import keras
from keras import ops

from kws_tf.errors import ConfigError
from kws_tf.training.pre_roll import logits_of_last_frames


class TrainingNetwork(keras.Model):
    """int16 PCM -> waveform augmentation -> features -> frequency warp -> SpecAugment -> backbone -> logits.

    Augmentation acts in training alone. All its draws come from one SeedGenerator and those of the dropout layers, whose states
    kws_tf.training.randomness sets at the start of every epoch.

    Args:
        features: layer, float PCM [batch, samples] -> [batch, time, frequency, 1].
        backbone: built keras.Model, features -> logits [batch, classes].
        waveform_augment, frequency_warp, spec_augment: objects with draw and apply (kws_tf.augment), or None.
        pre_roll_augment: in the place of waveform_augment for clips with earlier audio in front, made for that length; or None.
        forward: training forward of the backbone on the same variables, (features, training, last_frames=None) -> logits; None for
            the backbone itself.
        seed: of the draws before the first reset.

    Input:
        (pcm int16 [batch, samples], labels int32 [batch]); the labels steer the augmentation of the silence class and nothing else.
        A third entry is earlier audio, int16 [batch, whole hops]: the network hears it ahead of the clip, and its mean over time covers
        the frames of the clip alone. The weights see a state that is not zero, as in a stream.

    Output shape:
        [batch, classes], logits.
    """

    def __init__(self, features, backbone, *, waveform_augment=None, frequency_warp=None, spec_augment=None, pre_roll_augment=None,
                 forward=None, seed=0):
        super().__init__(name="training_network")
        self.features = features
        self.backbone = backbone
        self.seed_generator = keras.random.SeedGenerator(seed, name="augmentation")
        self._waveform_augment = waveform_augment
        self._frequency_warp = frequency_warp
        self._spec_augment = spec_augment
        self._pre_roll_augment = pre_roll_augment
        self._forward = forward or channels_last(backbone)
        self.built = True

    def set_stage(self, rir_prob, noise_prob, noise_snr_db):
        """Changes the augmentation between two steps, where the configuration has a curriculum; see WaveformAugment.set_stage."""
        for augment in (self._waveform_augment, self._pre_roll_augment):
            if augment is not None:
                augment.set_stage(rir_prob, noise_prob, noise_snr_db)

    def call(self, inputs, training=False):
        pcm, labels, *earlier = inputs
        clip_samples, last_frames = pcm.shape[1], None
        pcm = ops.cast(ops.concatenate([*earlier, pcm], axis=1) if earlier else pcm, "float32") / 32768.0
        augment = self._pre_roll_augment if earlier else self._waveform_augment
        if training and augment is not None:
            pcm = augment.apply(pcm, augment.draw(pcm.shape[0], labels, self.seed_generator))
        features = self.features(pcm)
        if earlier:
            last_frames = self.features.compute_output_shape((None, clip_samples))[1]
        if training and self._frequency_warp is not None:
            features = self._frequency_warp.apply(features, self._frequency_warp.draw(features.shape[0], self.seed_generator))
        if training and self._spec_augment is not None:
            features = self._mask(features, last_frames)
        if training:
            return self._forward(features, training=True, last_frames=last_frames)
        return channels_last(self.backbone)(features, training=False, last_frames=last_frames)

    def _mask(self, features, last_frames):
        """SpecAugment on the frames of the clip."""
        first = 0 if last_frames is None else features.shape[1] - last_frames
        clip = self._spec_augment.apply(features[:, first:], self._spec_augment.draw(features.shape[0], self.seed_generator))
        return ops.concatenate([features[:, :first], clip], axis=1) if first else clip


def channels_last(backbone):
    """The network itself as a function (features, training, last_frames=None) -> logits; last_frames: see logits_of_last_frames."""
    def forward(features, training=False, last_frames=None):
        if last_frames is None:
            return backbone(features, training=training)
        return logits_of_last_frames(backbone, features, last_frames, training)

    return forward


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
    """The callable (features, training, last_frames=None) -> logits of a chosen layout, on the variables of the backbone."""
    from kws_tf.models import batch_innermost

    return batch_innermost.batch_innermost(backbone) if layout == "batch_innermost" else channels_last(backbone)
