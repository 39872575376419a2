import keras
import numpy as np
import pytest

from kws_tf.errors import TrainingError
from kws_tf.training import checkpoint
from kws_tf.training.optimizer import CoupledSGD


def network(units=3):
    keras.utils.set_random_seed(units)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(units, name="dense"),
                              keras.layers.BatchNormalization(name="norm")], name="network")
    model.compile(CoupledSGD(), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def step(model):
    generator = np.random.default_rng(0)
    model.train_on_batch(generator.standard_normal((8, 4)), generator.standard_normal((8, model.layers[-2].units)))


def with_byte(data, place, byte):
    return data[:place] + bytes([byte]) + data[place + 1:]


def everything(model):
    return [np.asarray(variable).copy() for variable in (*model.weights, *model.optimizer.variables)]


def test_restores_weights_statistics_and_optimiser(tmp_path):
    first, second = network(), network()
    step(first)
    first.optimizer.learning_rate = 0.025
    checkpoint.save(tmp_path / "last.npz", first, {"epoch": 3, "best": 0.1 + 0.2})
    assert checkpoint.restore(tmp_path / "last.npz", second) == {"epoch": 3, "best": 0.1 + 0.2}
    for expected, got in zip(everything(first), everything(second), strict=True):
        np.testing.assert_array_equal(got, expected)
    step(first)
    step(second)
    for expected, got in zip(everything(first), everything(second), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_another_network_is_refused_and_left_alone(tmp_path):
    checkpoint.save(tmp_path / "last.npz", network(3), {})
    other = network(5)
    before = everything(other)
    with pytest.raises(TrainingError, match="belongs to another network"):
        checkpoint.restore(tmp_path / "last.npz", other)
    for expected, got in zip(before, everything(other), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:len(data) // 2], lambda data: b"text",
                                    lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
                                    # In the last entry of the zip directory: encrypted, another compression, of a later version.
                                    *(lambda data, place=place, byte=byte: with_byte(data, data.rindex(b"PK\1\2") + place, byte)
                                      for place, byte in ((8, 1), (10, 99), (6, 255)))])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "last.npz"
    checkpoint.save(path, network(), {})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TrainingError, match="last.npz: not a readable checkpoint"):
        checkpoint.restore(path, network())
