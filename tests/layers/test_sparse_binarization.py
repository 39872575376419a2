import math

import keras
import numpy as np
import pytest

from kws_tf.errors import ConfigError
from kws_tf.layers import SparseBinarization
from tests.layers.contract import check_layer

MU = np.array([-0.99, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 0.99], np.float32)


def phi(x):
    """Standard normal distribution."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


@pytest.mark.parametrize("gate", ["soft", "hard"])
def test_contract(gate, tmp_path):
    check_layer(lambda **kwargs: SparseBinarization(gate, seed=1, **kwargs), (5, 1, 3), (5, 1, 3), tmp_path)


@pytest.mark.parametrize("gate, expected", [
    ("soft", [0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1]),
    ("hard", [0, 0, 0, 0, 0, 1, 1, 1, 1]),
])
def test_gates_at_inference(gate, expected):
    np.testing.assert_allclose(SparseBinarization(gate)(np.arctanh(MU)), expected, atol=2e-7)


def test_far_inputs_are_exactly_closed_and_open():
    assert np.array(SparseBinarization()(np.array([-50.0, 50.0], np.float32))).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("gate", ["soft", "hard"])
def test_noisy_gates_in_training_have_the_stated_distribution(gate):
    layer = SparseBinarization(gate, noise=0.5, seed=1)
    gates = np.array(layer(np.tile(np.arctanh(MU), (40000, 1)), training=True))
    assert gates.min() == 0 and gates.max() == 1
    np.testing.assert_allclose((gates == 0).mean(axis=0), [phi((-0.5 - mu) / 0.5) for mu in MU], atol=0.01)
    np.testing.assert_allclose((gates == 1).mean(axis=0), [phi((mu - 0.5) / 0.5) for mu in MU], atol=0.01)
    middle = gates[:, 4][(gates[:, 4] > 0) & (gates[:, 4] < 1)]
    assert abs(np.median(middle) - 0.5) < 0.01


def test_noise_is_drawn_anew_and_follows_the_seed():
    x = np.zeros((4, 50), np.float32)
    first, same, other = SparseBinarization(seed=1), SparseBinarization(seed=1), SparseBinarization(seed=2)
    draws = [np.array(first(x, training=True)) for _ in range(2)]
    assert (draws[0] != draws[1]).any() and len(np.unique(draws[0])) > 100
    np.testing.assert_array_equal(same(x, training=True), draws[0])
    assert (np.array(other(x, training=True)) != draws[0]).any()


@pytest.mark.parametrize("noise, penalty", [(0.5, 0.01), (0.25, 2.0)])
def test_penalty_is_the_mean_probability_of_an_open_gate(noise, penalty):
    layer = SparseBinarization(noise=noise, penalty=penalty, seed=1)
    layer(np.tile(np.arctanh(MU), (2, 3, 1)), training=True)
    assert [float(loss) for loss in layer.losses] == pytest.approx([penalty * np.mean([phi((mu + 0.5) / noise) for mu in MU])], rel=1e-5)


def test_no_penalty_and_no_metric_at_inference():
    layer = SparseBinarization(seed=1)
    layer(np.arctanh(MU))
    assert layer.losses == [] and float(layer.sparsity.count) == 0


@pytest.mark.parametrize("gate, sparsity", [("soft", 3 / 9), ("hard", 5 / 9)])
def test_sparsity_is_the_share_of_closed_gates_without_noise(gate, sparsity):
    layer = SparseBinarization(gate, seed=1)
    closed = np.arctanh(MU) - 1e-3
    for _ in range(2):
        layer(closed, training=True)
    assert float(layer.sparsity.result()) == pytest.approx(sparsity)
    layer(closed + 9, training=True)
    assert float(layer.sparsity.result()) == pytest.approx(sparsity * 2 / 3)


def test_the_metric_reaches_the_log_and_the_penalty_the_loss_of_a_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((9,)), SparseBinarization(penalty=100.0, seed=1, name="gates"),
                              keras.layers.Dense(1, name="dense")])
    model.compile("sgd", "mse", jit_compile=False)
    logs = model.train_on_batch(np.arctanh(MU - 1e-3)[None], np.zeros((1, 1), np.float32), return_dict=True)
    assert logs["sparsity"] == pytest.approx(3 / 9)
    assert logs["loss"] > 100 * np.mean([phi((mu + 0.499) / 0.5) for mu in MU]) > 50


def test_the_penalty_closes_gates():
    x, shares = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32), []
    for penalty in (0.0, 20.0):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(20, name="hidden"),
                                  SparseBinarization(penalty=penalty, seed=1, name="gates"), keras.layers.Dense(1, name="output")])
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
        logs = [model.train_on_batch(x, x[:, :1], return_dict=True) for _ in range(40)]
        shares.append(logs[-1]["sparsity"])
    assert shares[0] < 0.4 and shares[1] > 0.65


@pytest.mark.parametrize("arguments, message", [
    ({"gate": "firm"}, "gate must be one of 'soft', 'hard'; received 'firm'"),
    ({"noise": 0.0}, "noise must be above 0; received 0.0"),
    ({"noise": math.nan}, "noise must be above 0; received nan"),
    ({"penalty": -0.01}, "penalty must be at least 0; received -0.01"),
])
def test_refuses(arguments, message):
    with pytest.raises(ConfigError, match=message):
        SparseBinarization(**arguments)
