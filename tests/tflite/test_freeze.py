import keras
import numpy as np
import pytest
import tensorflow as tf

from kws_tf.errors import ConversionError
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.freeze import convert_float32, freeze


def test_the_graph_has_no_variables_and_one_clip(small_network):
    frozen = freeze(small_network.model, small_network.features.shape[1:])
    assert not frozen.variables and frozen.inputs[0].shape == (1, *small_network.features.shape[1:])
    expected = small_network.model(small_network.features[:1], training=False)
    (found,) = frozen(tf.constant(small_network.features[:1]))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_same_network_is_converted_to_the_same_bytes(small_network, float_content):
    """What the fixture convert_once takes for granted."""
    assert convert_float32(small_network.model, small_network.features.shape[1:]) == float_content


def test_batch_normalisation_is_folded_and_no_shape_is_computed(float_content):
    operators = {node.operator for node in flatbuffer.read(float_content).nodes}
    assert not operators & {"SHAPE", "STRIDED_SLICE", "PACK", "RSQRT", "SUB", "TRANSPOSE", "FILL", "CAST"}


def test_an_unbuilt_network_is_refused():
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ConversionError, match="has no weights yet"):
        freeze(model, (4, 3, 1))


def test_an_operator_that_tflite_lacks_is_a_conversion_error():
    inputs = keras.Input((4, 3, 1))
    model = keras.Model(inputs, keras.layers.Lambda(tf.math.digamma, output_shape=(4, 3, 1))(inputs), name="odd")
    with pytest.raises(ConversionError, match="odd: TFLite conversion failed: .*Digamma"):
        convert_float32(model, (4, 3, 1))


def test_another_backend_is_refused(monkeypatch, small_network):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ConversionError, match="needs the TensorFlow backend of Keras; KERAS_BACKEND is 'jax'"):
        freeze(small_network.model, (4, 3, 1))
