"""The networks: MODELS names them, build() makes one. A new network is one file and one line here."""

from kws_tf.errors import ConfigError
from kws_tf.models import bc_resnet

MODELS = {"bc_resnet": bc_resnet.build}


def build(model, features, n_classes, n_frames, seed=None):
    """Makes a network with its weights drawn.

    Args:
        model: ModelConfig. features: FeatureConfig, which gives the rows of the input.
        n_classes: outputs.
        n_frames: frames per clip; None for any number.
        seed: of initial weights and dropout; None takes Keras's own (keras.utils.set_random_seed).

    Returns:
        keras.Model, features [batch, time, frequency, 1] -> logits [batch, classes].

    Raises:
        ConfigError: an unknown name, or settings that contradict each other.
    """
    if model.model not in MODELS:
        raise ConfigError(f"model: unknown network {model.model!r}; known are {', '.join(MODELS)}. Set --model.")
    network = MODELS[model.model](model, features, n_classes, seed)
    network.build((None, n_frames, features.n_features, 1))
    return network
