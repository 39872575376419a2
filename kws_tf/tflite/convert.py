"""One trained network -> the bytes of a TFLite file; writes nothing."""

import numpy as np
import tensorflow as tf

from kws_tf.errors import ConversionError
from kws_tf.tflite.freeze import convert_float32, freeze

DTYPES = ("float32", "int8")


def convert_classifier(model, calibration, dtype="int8", input_shape=None):
    """A network from features to logits as a TFLite file.

    Args:
        model: built keras.Model, features [batch, time, frequency, 1] -> logits [batch, classes].
        calibration: float32 [clips, time, frequency, 1], features of training clips; sets the ranges of int8 tensors.
        dtype: "int8" (every tensor integer, inputs and outputs too) or "float32".
        input_shape: (time, frequency, 1); by default that of the calibration clips.

    Returns:
        bytes.

    Raises:
        ConversionError: no calibration clips, or features that are not finite or of another shape.
    """
    if dtype not in DTYPES:
        raise ConversionError(f"dtype must be one of {', '.join(DTYPES)}; received {dtype!r}.")
    shape = tuple(input_shape or calibration.shape[1:])
    if dtype == "float32":
        return convert_float32(model, shape)
    calibration = np.asarray(calibration, np.float32)
    if calibration.ndim != 4 or not len(calibration) or calibration.shape[1:] != shape or not np.isfinite(calibration).all():
        raise ConversionError(f"calibration: expected finite float32 [clips, {', '.join(map(str, shape))}], at least one clip; "
                              f"received shape {list(calibration.shape)}.")
    converter = tf.lite.TFLiteConverter.from_concrete_functions([freeze(model, shape)])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([clip[None]] for clip in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()
