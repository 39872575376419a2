"""Features of PCM as Keras layers: LogMel, MFCC, and build, which picks by configuration."""

from kws_tf.errors import ConfigError
from kws_tf.features.log_mel import LogMel
from kws_tf.features.mfcc import MFCC

__all__ = ["MFCC", "LogMel", "build"]


def build(features, **kwargs):
    """The layer that a FeatureConfig asks for.

    Args:
        features: FeatureConfig; kind "logmel" gives LogMel, "mfcc" gives MFCC.
        **kwargs: arguments of keras.layers.Layer, such as name.

    Raises:
        ConfigError: kind "micro", which is no layer of a graph: kws_tf.training.micro_features and kws_tf.runtime.features compute it.

    Example:
        layer = build(FEATURE_PRESETS["bc_resnet"])
        layer(pcm)                                   # [batch, 16000] -> [batch, 98, 40, 1]
    """
    if features.kind == "micro":
        raise ConfigError("features of kind 'micro' come from a program of their own (kws_tf.micro_front_end), not from a Keras layer.")
    return {"logmel": LogMel, "mfcc": MFCC}[features.kind](features, **kwargs)
