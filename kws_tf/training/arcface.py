"""The loss of ArcFace: cross entropy behind an additive angular margin."""

import math

import keras
from keras import ops

from kws_tf.errors import ConfigError

# Below it the sine counts as 0.001: the slope of a square root at 0 is infinite.
SMALLEST_SQUARED_SINE = 1e-6


@keras.saving.register_keras_serializable(package="kws_tf")
class ArcFaceLoss(keras.losses.Loss):
    """Cross entropy of scaled cosines, after the angle to the right prototype has grown by a margin.

        cos(theta) = score / scale
        score'     = scale * cos(theta + margin)              right class, theta + margin below pi
        score'     = scale * (cos(theta) - margin * sin(margin))   right class, beyond: still falling with theta
        score'     = score                                     other classes

    A clip has to be closer to its prototype, by the margin, than it would have to be for the right answer: classes become compact and
    far apart, which is what a prototype from a few clips needs. Scores and accuracy at inference know nothing of the margin.

    Deng, Guo, Xue, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019.

    Args:
        margin: radians, at least 0 and below pi / 2, default 0.5; 0 is the plain cross entropy of the scores.
        scale: of the scores, that of the CosineClassifier, default 30.
        label_smoothing: share of the target that is spread over all classes, default 0.

    Input:
        y_true: one-hot [batch, classes]. y_pred: scores [batch, classes], from -scale to scale.

    Raises:
        ConfigError: margin or scale out of range.

    Example:
        >>> ArcFaceLoss(margin=0.5, scale=30)(one_hot, scores)
    """

    def __init__(self, margin=0.5, scale=30.0, label_smoothing=0.0, name="arcface", **kwargs):
        super().__init__(name=name, **kwargs)
        if not 0 <= margin < math.pi / 2:
            raise ConfigError(f"ArcFaceLoss: margin must be at least 0 and below pi/2; received {margin!r}. Set --arcface_margin.")
        if not scale > 0:
            raise ConfigError(f"ArcFaceLoss: scale must be above 0; received {scale!r}. Set --arcface_scale.")
        self.margin = float(margin)
        self.scale = float(scale)
        self.label_smoothing = float(label_smoothing)

    def call(self, y_true, y_pred):
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        right = y_true > 0.5
        scores = ops.where(right, self.scale * self.with_margin(y_pred / self.scale), y_pred)
        if self.label_smoothing:
            y_true = y_true * (1 - self.label_smoothing) + self.label_smoothing / y_true.shape[-1]
        return ops.categorical_crossentropy(y_true, scores, from_logits=True)

    def with_margin(self, cosine):
        """cos(theta + margin) for cosines of theta, and its continuation where theta + margin is above pi."""
        sine = ops.sqrt(ops.maximum(1.0 - ops.square(cosine), SMALLEST_SQUARED_SINE))
        moved = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        return ops.where(cosine > -math.cos(self.margin), moved, cosine - self.margin * math.sin(self.margin))

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "scale": self.scale, "label_smoothing": self.label_smoothing}
