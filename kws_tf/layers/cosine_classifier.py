"""A classifier by angle: how well an embedding agrees in direction with one prototype per class."""

import keras
from keras import ops

from kws_tf.errors import ConfigError

SMALLEST_SQUARE = 1e-12


@keras.saving.register_keras_serializable(package="kws_tf")
class CosineClassifier(keras.layers.Layer):
    """Scaled cosines between an embedding and the prototypes of the classes, the head of ArcFace.

        z = (x - mean) / sqrt(variance + epsilon)
        score[n] = scale * <z, w[n]> / (|z| |w[n]|)

    The lengths of embedding and prototypes do not count. So a class is a direction, and one more class is one more unit vector:
    kws_tf.enroll adds it without training. The margin of ArcFace belongs to the loss (kws_tf.training.arcface.ArcFaceLoss).

    Mean and variance of every value are those of the batch in training, and moving ones at inference, as in BatchNormalization without
    scale and offset. ArcFace has such a norm behind its last linear layer; our embeddings come from ReLU or gates and are never
    negative. Without the norm all clips point nearly the same way, the prototypes learn to stand on the far side, and the mean
    direction of a few clips is no prototype.

    In a TFLite file it is a product with a diagonal matrix (z), L2_NORMALIZATION, and a product with scale * w / |w|: FULLY_CONNECTED in
    float32, CONV_2D of one tap in int8.

    Deng, Guo, Xue, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019.

    Args:
        n_classes: prototypes.
        scale: largest score, above 0, default 30. Softmax probabilities of cosines alone would stay close to each other.
        kernel_initializer: of the prototypes [embedding, n_classes].
        momentum: share of the old value in a moving statistic, default 0.9.
        epsilon: added to the variance, default 1e-3; a value that is the same for every clip then counts little.

    Input shape:
        [batch, embedding]

    Output shape:
        [batch, n_classes], each from -scale to scale.

    Raises:
        ConfigError: no class, or a scale that is not above 0.

    Example:
        >>> head = CosineClassifier(2, scale=10.0)
        >>> head.build((None, 2)); head.kernel.assign([[3.0, 0.0], [0.0, 1.0]])    # mean 0, variance 1
        >>> head(ops.array([[6.0, 8.0]]))                                     # [[6, 8]]
    """

    def __init__(self, n_classes, scale=30.0, kernel_initializer="glorot_uniform", momentum=0.9, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(n_classes, int) or isinstance(n_classes, bool) or n_classes < 1:
            raise ConfigError(f"CosineClassifier: n_classes must be a whole number, at least 1; received {n_classes!r}.")
        if not scale > 0:
            raise ConfigError(f"CosineClassifier: scale must be above 0; received {scale!r}. Set --arcface_scale.")
        self.n_classes = n_classes
        self.scale = float(scale)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.n_classes), name="kernel", initializer=self.kernel_initializer)
        for name, initial in (("moving_mean", "zeros"), ("moving_variance", "ones")):
            # Without autocast: in mixed precision statistics of 16 bits would stop to follow.
            setattr(self, name, self.add_weight(shape=(input_shape[-1],), name=name, initializer=initial, trainable=False, autocast=False))

    def call(self, inputs, training=None):
        return ops.matmul(unit(self.standardised(inputs, training), axis=-1), self.scale * unit(self.kernel, axis=0))

    def standardised(self, inputs, training=None):
        """z of the class: [batch, embedding]. In training the moving statistics follow."""
        if training and self.trainable:
            precise = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
            mean, variance = ops.moments(precise, axes=tuple(range(len(inputs.shape) - 1)))
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + ops.cast(ops.stop_gradient(batch), moving.dtype) * (1.0 - self.momentum))
            return (inputs - ops.cast(mean, inputs.dtype)) * ops.cast(ops.rsqrt(variance + self.epsilon), inputs.dtype)
        gain = ops.rsqrt(self.moving_variance + self.epsilon)
        # One product with a 32-bit bias: in integers a product and a sum of constants of 8 bits would round twice as much.
        matrix, offset = ops.diag(gain), -self.moving_mean * gain
        return ops.matmul(inputs, ops.cast(matrix, inputs.dtype)) + ops.cast(offset, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.n_classes)

    def get_config(self):
        return {**super().get_config(), "n_classes": self.n_classes, "scale": self.scale,
                "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
                "momentum": self.momentum, "epsilon": self.epsilon}


def unit(values, axis):
    """Vectors along an axis, divided by their length; one that is shorter than 1e-6 by that, so that zeros stay zeros."""
    # Written in the form that TensorFlow's converter turns into one L2_NORMALIZATION.
    return values * ops.rsqrt(ops.maximum(ops.sum(ops.square(values), axis=axis, keepdims=True), SMALLEST_SQUARE))
