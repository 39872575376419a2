"""The features that training works on: a Keras layer in the graph, or the front end of ESPHome devices beside it."""

import keras
import numpy as np

from kws_tf import features, micro_front_end, worker_pool
from kws_tf.errors import ConfigError

# Less than this is done before another process has heard of it.
FEWEST_SAMPLES_PER_WORKER = 16000


def feature_layer(config):
    """The layer from float PCM to the features of a FeatureConfig."""
    return MicroFeatures(config, name="features") if config.kind == "micro" else features.build(config, name="features")


class MicroFeatures(keras.layers.Layer):
    """Features of kind "micro": kws_tf.micro_front_end for every clip, from a reset on, in the middle of the training graph.

    Augmentation comes before it in every step, as for the other features. The front end is integer C++ code of one clip at a time, so
    the graph hands its batch to worker processes and waits. Where earlier audio comes ahead of a clip (pre-roll), it has heard that
    audio, as on a device; without, it begins with the clip, as after a reset.

    Args:
        features: FeatureConfig of kind "micro".
        n_workers: processes; 0 for one per processor.
        **kwargs: arguments of keras.layers.Layer.

    Input shape:
        [batch, samples], float PCM in [-1, 1): int16 / 32768.

    Output shape:
        [batch, time, 40, 1]

    Raises:
        ConfigError: Keras does not run on TensorFlow, or pymicro-features is not installed.
    """

    def __init__(self, features, n_workers=0, **kwargs):
        super().__init__(dtype="float32", trainable=False, **kwargs)
        if keras.backend.backend() != "tensorflow":
            raise ConfigError(f"features of kind 'micro' are trained with TensorFlow; Keras runs on {keras.backend.backend()} here. "
                              "Set KERAS_BACKEND=tensorflow.")
        micro_front_end.MicroFrontEnd()
        self.features = features
        self._n_workers = n_workers or worker_pool.processors()
        self._pool = None

    def call(self, pcm):
        import tensorflow as tf

        found = tf.numpy_function(self._compute, [pcm], tf.float32, stateful=False)
        found.set_shape((pcm.shape[0], self.features.n_frames(pcm.shape[1]), self.features.n_features))
        return found[..., None]

    def _compute(self, pcm):
        pcm = np.clip(np.rint(pcm * np.float32(32768)), -32768, 32767).astype(np.int16)
        n_parts = min(self._n_workers, len(pcm), pcm.size // FEWEST_SAMPLES_PER_WORKER)
        if n_parts < 2:
            return micro_front_end.clip_features(pcm)
        if self._pool is None:
            self._pool = worker_pool.open_pool(self._n_workers)
        return np.concatenate(list(self._pool.map(micro_front_end.clip_features, np.array_split(pcm, n_parts))))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.features.n_frames(input_shape[1]), self.features.n_features, 1)
