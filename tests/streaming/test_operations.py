"""The list of operations computes what the network computes, and shows what is inside of layers."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kws_tf.errors import ConversionError
from kws_tf.streaming.operations import operations


def run(network, x):
    values = {id(network.input): x}
    for call in network.calls:
        values.update(zip(map(id, call.outputs), call.run([values[id(tensor)] for tensor in call.inputs]), strict=True))
    return np.asarray(values[id(network.output)])


@pytest.mark.parametrize("settings, n_calls", [({"tau": 0.625}, 163), ({"model": "sparknet"}, 35)])
def test_networks_of_the_package(settings, n_calls, network, recording):
    model, x = network(**settings), recording(n_frames=20)
    found = operations(model, (20, 40, 1))
    assert len(found.calls) == n_calls
    np.testing.assert_array_equal(run(found, x), model(x))
    assert found.calls[0].path == {"bc_resnet": "stem_padding", "sparknet": "Reshape"}[model.name]


class Gain(layers.Layer):
    """A layer with a weight and no layers inside: one operation."""

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(1,), initializer="ones")

    def call(self, inputs):
        return inputs * ops.exp(self.gain)


class Scaled(Gain):
    """The same with a layer inside: its weight would be read once and for all."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(3, name="dense")

    def call(self, inputs):
        return super().call(self.dense(inputs))


class Direct(Scaled):
    """The weight itself is an operand: it stays the weight."""

    def call(self, inputs):
        return self.dense(inputs) * self.gain


class Pair(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.a, self.b = layers.Dense(3, name="a"), layers.ReLU(name="b")

    def call(self, inputs):
        return self.b(self.a(inputs))


class Model(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.parts = {"one": [Gain(name="gain")], "two": (Pair(name="pair"),)}

    def call(self, inputs):
        x = self.parts["one"][0](inputs)
        return ops.mean(ops.concatenate([self.parts["two"][0](x), x], axis=-1), axis=(1, 2))


def test_layers_in_layers_and_functions_between_them():
    model, x = Model(), np.ones((2, 5, 4, 1), np.float32)
    model(x)
    found = operations(model, (5, 4, 1))
    assert [call.path for call in found.calls] == ["gain", "pair/a", "pair/b", "Concatenate", "Mean"]
    np.testing.assert_allclose(run(found, x), model(x))
    model.parts["one"][0].gain.assign([2.0])
    np.testing.assert_allclose(run(found, x), model(x))


def test_a_weight_that_would_be_frozen_keeps_its_layer_whole():
    model = keras.Sequential([keras.Input((5, 4, 1)), Scaled(name="scaled")])
    _, call = operations(model, (5, 4, 1)).calls
    assert call.path == "scaled" and "computes with weights of its own outside of its layers" in call.note


def test_a_weight_as_operand_is_shared():
    layer, x = Direct(name="direct"), np.ones((2, 5, 4, 1), np.float32)
    model = keras.Sequential([keras.Input((5, 4, 1)), layer])
    found = operations(model, (5, 4, 1))
    assert [call.path for call in found.calls][1:] == ["direct/dense", "direct/Multiply"]
    before = run(found, x)
    layer.gain.assign([3.0])
    np.testing.assert_allclose(run(found, x), 3 * before)


def test_one_output_is_expected():
    inputs = keras.Input((5, 4, 1))
    model = keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(3)(inputs)], name="twins")
    with pytest.raises(ConversionError, match="twins: expected one output, the logits; received 2"):
        operations(model, (5, 4, 1))
