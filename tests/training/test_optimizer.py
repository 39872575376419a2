import keras
import numpy as np
import pytest

from kws_tf.training.optimizer import CoupledSGD

RATES = [0.0, 0.02, 0.1, 0.1, 0.05]


def draws(seed, shapes):
    generator = np.random.default_rng(seed)
    return [[generator.standard_normal(shape).astype(np.float32) for shape in shapes] for _ in RATES]


def ours(start, gradients):
    variables = [keras.Variable(value) for value in start]
    optimizer = CoupledSGD(0.1, momentum=0.9, decay=1e-3)
    for rate, step in zip(RATES, gradients, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in step], variables)
    return [np.asarray(variable) for variable in variables]


def test_two_steps_by_hand():
    variable = keras.Variable(np.array([1.0], np.float32))
    optimizer = CoupledSGD(0.1, momentum=0.5, decay=0.2)
    optimizer.apply([keras.ops.convert_to_tensor([0.3])], [variable])
    assert np.asarray(variable) == pytest.approx([1 - 0.1 * (0.3 + 0.2)])
    optimizer.learning_rate = 1.0
    optimizer.apply([keras.ops.convert_to_tensor([0.0])], [variable])
    # The velocity holds gradients, so the new rate acts on all of it: 0.5 * 0.5 + 0.2 * 0.95.
    assert np.asarray(variable) == pytest.approx([0.95 - 0.44])


def test_equals_the_formula_in_numpy():
    shapes = [(3, 4), (5,)]
    start, gradients = draws(1, shapes)[0], draws(2, shapes)
    weights = [value.astype(np.float64) for value in start]
    velocities = [np.zeros(shape) for shape in shapes]
    for rate, step in zip(RATES, gradients, strict=True):
        velocities = [0.9 * v + g + 1e-3 * w for v, g, w in zip(velocities, step, weights, strict=True)]
        weights = [w - rate * v for w, v in zip(weights, velocities, strict=True)]
    for got, expected in zip(ours(start, gradients), weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


def test_equals_torch():
    torch = pytest.importorskip("torch", reason="needs the extra `parity`")
    shapes = [(3, 4), (5,)]
    start, gradients = draws(3, shapes)[0], draws(4, shapes)
    parameters = [torch.nn.Parameter(torch.tensor(value)) for value in start]
    optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-3)
    for rate, step in zip(RATES, gradients, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = torch.tensor(gradient)
        optimizer.step()
    for got, expected in zip(ours(start, gradients), parameters, strict=True):
        np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-6, atol=1e-7)


def test_normalisation_scales_and_biases_decay_too():
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    before = [np.asarray(v) + 0.5 for v in model.trainable_variables]
    for variable, value in zip(model.trainable_variables, before, strict=True):
        variable.assign(value)
    optimizer = CoupledSGD(1.0, momentum=0.0, decay=0.25)
    optimizer.apply([keras.ops.zeros_like(v) for v in model.trainable_variables], model.trainable_variables)
    assert len(before) == 4
    for variable, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_allclose(np.asarray(variable), 0.75 * value, rtol=1e-6)


def test_config_round_trip():
    optimizer = CoupledSGD(0.05, momentum=0.8, decay=1e-4)
    copy = CoupledSGD.from_config(optimizer.get_config())
    assert (copy.momentum, copy.decay, float(copy.learning_rate)) == (0.8, 1e-4, pytest.approx(0.05))
