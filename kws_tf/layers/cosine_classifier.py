"""A classifier by angle: how well an embedding agrees in direction with one prototype per class."""

import keras
from keras import ops

from kws_tf.errors import ConfigError

SMALLEST_SQUARE = 1e-12


@keras.saving.register_keras_serializable(package="kws_tf")
class CosineClassifier(keras.layers.Layer):
    """Scaled cosines between an embedding and the prototypes of the classes, the head of ArcFace.

        score[n] = scale * <x, w[n]> / (|x| |w[n]|)

    The lengths of embedding and prototypes do not count. So a class is a direction, and one more class is one more unit vector:
    kws_tf.enroll adds it without training. An embedding of zeros scores 0 for every class. The margin of ArcFace belongs to the loss
    (kws_tf.training.arcface.ArcFaceLoss); this layer is the same in training and at inference.

    In a TFLite file it is L2_NORMALIZATION and FULLY_CONNECTED with scale * w / |w| as constants.

    Deng, Guo, Xue, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019.

    Args:
        n_classes: prototypes.
        scale: largest score, above 0, default 30. Softmax probabilities of cosines alone would stay close to each other.
        kernel_initializer: of the prototypes [embedding, n_classes].

    Input shape:
        [batch, embedding]

    Output shape:
        [batch, n_classes], each from -scale to scale.

    Raises:
        ConfigError: no class, or a scale that is not above 0.

    Example:
        >>> head = CosineClassifier(2, scale=10.0)
        >>> head.build((None, 2)); head.kernel.assign([[3.0, 0.0], [0.0, 1.0]])
        >>> head(ops.array([[6.0, 8.0]]))                                     # [[6, 8]]
    """

    def __init__(self, n_classes, scale=30.0, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        if not isinstance(n_classes, int) or isinstance(n_classes, bool) or n_classes < 1:
            raise ConfigError(f"CosineClassifier: n_classes must be a whole number, at least 1; received {n_classes!r}.")
        if not scale > 0:
            raise ConfigError(f"CosineClassifier: scale must be above 0; received {scale!r}. Set --arcface_scale.")
        self.n_classes = n_classes
        self.scale = float(scale)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.n_classes), name="kernel", initializer=self.kernel_initializer)

    def call(self, inputs):
        return ops.matmul(unit(inputs, axis=-1), self.scale * unit(self.kernel, axis=0))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.n_classes)

    def get_config(self):
        return {**super().get_config(), "n_classes": self.n_classes, "scale": self.scale,
                "kernel_initializer": keras.initializers.serialize(self.kernel_initializer)}


def unit(values, axis):
    """Vectors along an axis, divided by their length; one that is shorter than 1e-6 by that, so that zeros stay zeros."""
    # Written in the form that TensorFlow's converter turns into one L2_NORMALIZATION.
    return values * ops.rsqrt(ops.maximum(ops.sum(ops.square(values), axis=axis, keepdims=True), SMALLEST_SQUARE))
