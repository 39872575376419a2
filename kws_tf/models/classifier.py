"""The last layer of every network: linear, or cosines for ArcFace."""

import keras
from keras import layers

from kws_tf.layers import CosineClassifier

# Fields of ModelConfig that make_classifier stands for; a network that uses it lists them among its SETTINGS.
ARCFACE_SETTINGS = ("arcface", "arcface_margin", "arcface_scale")


def make_classifier(n_classes, kernel_initializer, bias_initializer="zeros", cosine_scale=0.0):
    """The layer "classifier" of a network: from the mean embedding [batch, embedding] to logits [batch, classes].

    Args:
        n_classes: outputs.
        kernel_initializer, bias_initializer: of the linear layer. Prototypes are drawn from N(0, 1) with the seed of the kernel: a step
            of the optimiser turns short vectors too far, and at the learning rates of the recipes training then ends badly.
        cosine_scale: 0 for a linear layer, else the scale of a CosineClassifier.

    Returns:
        keras.Layer.
    """
    if cosine_scale:
        prototypes = keras.initializers.RandomNormal(stddev=1.0, seed=kernel_initializer.seed)
        return CosineClassifier(n_classes, cosine_scale, prototypes, name="classifier")
    return layers.Dense(n_classes, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer, name="classifier")


def classifier_scale(model):
    """The cosine_scale that a ModelConfig asks for."""
    return float(model.arcface_scale) if model.arcface else 0.0
