"""Pre-roll: audio ahead of the clips, so that a network learns and is tested as it runs in a stream, where its state is never zero."""

import numpy as np
from keras import ops

from kws_tf.errors import ConfigError
from kws_tf.layers import TemporalPadding

# Share of the clips of a batch that follow on other clips; the rest follows on silence, which the augmentation fills with noise.
SPEECH_SHARE = 0.5


class PreRoll:
    """Draws what was to be heard before each clip of a batch.

    A clip follows on the ends of other clips of its batch (words, and whatever else the data set has), or on silence, as a clip alone
    does. Augmentation acts on both together, so that background noise goes on through the seam.

    Args:
        frames: feature frames of earlier audio. hop_samples: samples per frame.
        speech_share: share of clips that follow on other clips; the others on digital silence.

    Example:
        >>> PreRoll(116, 160)(pcm, np.random.default_rng(1)).shape                 # pcm int16 [100, 16000]
        (100, 18560)
    """

    def __init__(self, frames, hop_samples, speech_share=SPEECH_SHARE):
        self.frames = frames
        self.n_samples = frames * hop_samples
        self.speech_share = speech_share

    def __call__(self, pcm, generator):
        """Args:
            pcm: int16 [batch, samples]. generator: numpy Generator.

        Returns:
            int16 [batch, frames * hop_samples].
        """
        batch, samples = pcm.shape
        n_clips = -(-self.n_samples // samples)
        # From 1 to batch - 1 places further on: another clip.
        steps = generator.integers(1, max(batch, 2), (n_clips, batch))
        earlier = np.concatenate([pcm[(np.arange(batch) + step) % batch] for step in steps], axis=1)[:, -self.n_samples:]
        # A clip alone would follow on itself.
        share = self.speech_share if batch > 1 else 0.0
        return np.where(generator.random((batch, 1)) < share, earlier, np.int16(0))


def logits_of_last_frames(backbone, features, n_frames, training=False):
    """The logits of a network whose mean over time covers the last frames alone.

    Args:
        backbone: a network of kws_tf.models: frame_embeddings() and classifier.
        features: [batch, time, frequency, 1]. n_frames: feature frames that count.
        training: see frame_embeddings.

    Returns:
        [batch, classes].
    """
    embeddings = backbone.frame_embeddings(features, training=training)
    stride = -(-features.shape[1] // embeddings.shape[1])
    counted = -(-n_frames // stride)
    return backbone.classifier(ops.mean(embeddings[:, -counted:], axis=1), training=training)


def require_whole_strides(frames, backbone, n_frames, n_features):
    """Refuses a pre-roll after which the outputs for a clip would not lie where they lie without it.

    Args:
        frames: of the pre-roll. backbone: a network of kws_tf.models. n_frames, n_features: of a clip.

    Raises:
        ConfigError: no multiple of the frames per output of the network.
    """
    stride = -(-n_frames // backbone.frame_embeddings(ops.zeros((1, n_frames, n_features, 1))).shape[1])
    if frames % stride:
        raise ConfigError(f"train: pre_roll_frames must be a multiple of {stride}, the frames per output of {backbone.name}; received "
                          f"{frames}. Use --pre_roll_frames={frames + stride - frames % stride}.")


def context_frames(backbone, n_frames, n_features):
    """Feature frames before a frame that reach its output: 116 for BC-ResNet, 70 for SparkNet.

    Args:
        backbone: a network of kws_tf.models. n_frames, n_features: of a clip.
    """
    shapes = backbone.layer_shapes((1, n_frames, n_features, 1))
    return sum(layer.state_frames * -(-n_frames // before[1]) for layer, before, _ in shapes if isinstance(layer, TemporalPadding))
