"""The last layer of every network: linear, or cosines for ArcFace."""

from keras import layers

from kws_tf.layers import CosineClassifier

# Fields of ModelConfig that make_classifier stands for; a network that uses it lists them among its SETTINGS.
ARCFACE_SETTINGS = ("arcface", "arcface_margin", "arcface_scale")


def make_classifier(n_classes, kernel_initializer, bias_initializer="zeros", cosine_scale=0.0):
    """The layer "classifier" of a network: from the mean embedding [batch, embedding] to logits [batch, classes].

    Args:
        n_classes: outputs.
        kernel_initializer, bias_initializer: of the linear layer; that of cosines has the same kernel and no bias.
        cosine_scale: 0 for a linear layer, else the scale of a CosineClassifier.

    Returns:
        keras.Layer.
    """
    if cosine_scale:
        return CosineClassifier(n_classes, cosine_scale, kernel_initializer, name="classifier")
    return layers.Dense(n_classes, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer, name="classifier")


def classifier_scale(model):
    """The cosine_scale that a ModelConfig asks for."""
    return float(model.arcface_scale) if model.arcface else 0.0
