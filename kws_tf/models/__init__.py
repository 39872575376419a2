"""The networks: MODELS names them, build() makes one. A new network is one file here and one line in MODELS."""

import dataclasses
import importlib

from kws_tf.errors import ConfigError

# Each is the module of that name in this folder, with build() and with SETTINGS, the fields of ModelConfig that it uses.
MODELS = (
    "bc_resnet",
    "sparknet",
    "ds_cnn",
)


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
        ConfigError: an unknown name, settings that contradict each other, or a setting that the network has no use for.
    """
    if model.model not in MODELS:
        raise ConfigError(f"model: unknown network {model.model!r}; known are {', '.join(MODELS)}. Set --model.")
    module = importlib.import_module(f"{__name__}.{model.model}")
    _refuse_unused(model, module.SETTINGS)
    network = module.build(model, features, n_classes, seed)
    network.build((None, n_frames, features.n_features, 1))
    return network


def _refuse_unused(model, settings):
    unused = [field.name for field in dataclasses.fields(model)
              if field.name not in ("model", *settings) and getattr(model, field.name) != field.default]
    if unused:
        raise ConfigError(f"model: {model.model} has no use for " + ", ".join(f"--{name}={getattr(model, name)}" for name in unused)
                          + f"; its settings are {', '.join(settings)}. Leave the others away, or choose another --model.")
