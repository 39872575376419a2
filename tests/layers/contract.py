"""What every layer of kws_tf.layers must do; each layer's test calls check_layer with its own arguments."""

import keras
import numpy as np
import tensorflow as tf


def check_layer(make, input_shape, output_shape, tmp_path, trainable_weights=0, moving_weights=0):
    """Runs a layer through shapes, configuration round trip, save and load, dtypes, graph mode, streaming and a gradient step.

    Args:
        make: makes a new layer; takes **kwargs of keras.layers.Layer.
        input_shape, output_shape: without the batch.
        tmp_path: folder for the saved model.
        trainable_weights, moving_weights: how many weight tensors of each kind the layer has.
    """
    inputs = np.random.default_rng(0).normal(size=(3, *input_shape)).astype(np.float32)
    layer = make(name="layer_under_test")
    outputs = keras.ops.convert_to_numpy(layer(inputs))

    assert outputs.shape == (3, *output_shape) and outputs.dtype == np.float32
    assert tuple(layer.compute_output_shape((None, *input_shape))) == (None, *output_shape)
    assert len(layer.trainable_weights) == trainable_weights
    assert len(layer.non_trainable_weights) == moving_weights
    assert all(weight.path.startswith("layer_under_test/") for weight in layer.weights)

    _check_unknown_time(make(), input_shape, output_shape)
    _check_config_round_trip(layer, inputs, outputs)
    _check_save_and_load(layer, inputs, outputs, tmp_path)
    _check_bfloat16(make(dtype="mixed_bfloat16"), inputs)
    _check_graph_mode(layer, inputs)
    _check_streaming(layer, inputs, outputs)
    _check_gradient_step(layer, inputs)


def _check_unknown_time(layer, input_shape, output_shape):
    free = keras.Input((None, *input_shape[1:]))
    assert tuple(layer(free).shape) == (None, None, *output_shape[1:])


def _check_config_round_trip(layer, inputs, outputs):
    config = layer.get_config()
    twin = type(layer).from_config(config)
    assert twin.get_config() == config
    twin.build(inputs.shape)
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(twin(inputs), outputs)


def _check_save_and_load(layer, inputs, outputs, tmp_path):
    path = tmp_path / "layer.keras"
    keras.Sequential([keras.Input(inputs.shape[1:]), layer]).save(path)
    loaded = keras.models.load_model(path)
    assert type(loaded.layers[-1]) is type(layer)
    np.testing.assert_array_equal(loaded(inputs), outputs)


def _check_bfloat16(layer, inputs):
    outputs = layer(inputs)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert all(weight.dtype == "float32" for weight in layer.weights)


def _check_graph_mode(layer, inputs):
    np.testing.assert_allclose(tf.function(layer)(inputs), layer(inputs), atol=1e-6)


def _check_streaming(layer, inputs, outputs):
    """Frame by frame, or by step() for a layer that mixes frames, gives what the whole recording does; step() late by the look-ahead."""
    if not hasattr(layer, "step"):
        by_frame = [layer(inputs[:, t:t + 1]) for t in range(inputs.shape[1])]
        np.testing.assert_allclose(np.concatenate(by_frame, axis=1), outputs, atol=1e-5)
        return
    late, extra = layer.lookahead_frames, outputs.shape[1] - inputs.shape[1]
    state = np.zeros((len(inputs), *layer.state_shape(inputs.shape)), np.float32)
    for start, end in ((0, 2), (2, 3), (3, inputs.shape[1])):
        result, state = layer.step(inputs[:, start:end], state)
        known = max(late - start, 0)
        np.testing.assert_allclose(result[:, known:], outputs[:, start + known - late:end - late + extra], atol=1e-5)


def _check_gradient_step(layer, inputs):
    """One step of descent on the mean square output moves every weight and lowers the loss; the input gets a gradient too."""
    inputs = tf.constant(inputs)
    target = np.random.default_rng(1).normal(size=layer(inputs).shape).astype(np.float32)

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        before = tf.reduce_mean((layer(inputs, training=True) - target) ** 2)
    *gradients, input_gradient = tape.gradient(before, [*layer.trainable_variables, inputs])
    assert np.abs(input_gradient).max() > 0 and np.isfinite(input_gradient).all()
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        assert np.abs(gradient).max() > 0 and np.isfinite(gradient).all(), variable.path
        variable.assign_sub(0.01 * gradient)
    after = tf.reduce_mean((layer(inputs, training=True) - target) ** 2)
    assert not layer.trainable_variables or after < before
