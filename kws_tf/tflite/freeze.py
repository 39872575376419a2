"""Keras network -> float32 TFLite file: trace for one clip, freeze the variables, convert."""

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from kws_tf.errors import ConversionError

INPUT_NAME = "features"
OUTPUT_NAME = "logits"


def freeze(model, input_shape):
    """The inference graph of a network with its weights as constants.

    The batch is 1 and every dimension static: without that the converter adds SHAPE, STRIDED_SLICE and PACK operators.

    Args:
        model: built keras.Model, features [batch, time, frequency, 1] -> logits [batch, classes], on the TensorFlow backend.
        input_shape: (time, frequency, 1).

    Returns:
        Concrete function without variables.

    Raises:
        ConversionError: Keras runs on another backend, or the model is not built.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConversionError(f"TFLite export needs the TensorFlow backend of Keras; KERAS_BACKEND is {keras.backend.backend()!r}.")
    if not model.built:
        raise ConversionError(f"{model.name}: has no weights yet; build it, or load the weights of a run, before the export.")
    signature = tf.TensorSpec((1, *input_shape), tf.float32, name=INPUT_NAME)
    traced = tf.function(lambda features: {OUTPUT_NAME: model(features, training=False)}, input_signature=[signature])
    return convert_variables_to_constants_v2(traced.get_concrete_function())


def convert_float32(model, input_shape):
    """The network as a float32 TFLite file; BatchNormalization is folded into the convolutions.

    Args:
        model: see freeze. input_shape: (time, frequency, 1).

    Returns:
        bytes.

    Raises:
        ConversionError: see freeze; or the graph needs operators that TFLite does not have.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([freeze(model, input_shape)], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        return converter.convert()
    except Exception as error:
        # The converter raises ConverterError or a plain exception with several hundred lines of MLIR; the first ones tell.
        raise ConversionError(f"{model.name}: TFLite conversion failed: {' '.join(str(error).split())[:500]}") from error
