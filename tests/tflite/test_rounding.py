import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite import rounding
from kws_tf.tflite.executor import compute, real
from kws_tf.tflite.flatbuffer import Node, Tensor, constant
from kws_tf.tflite.rounding import as_rows, from_rows, input_covariance, refine_weights, round_weights


def correlated(outputs, taps, seed=0):
    """Covariances of inputs that move together."""
    mixing = np.random.default_rng(seed).normal(size=(outputs, taps, taps)) + 1
    return np.einsum("oij,okj->oik", mixing, mixing)


def error(integers, scales, weights, covariance):
    difference = integers * scales[:, None].astype(np.float64) - weights
    return np.einsum("oi,oij,oj->o", difference, covariance, difference)


def test_the_output_comes_closer_than_by_nearest_integers():
    random = np.random.default_rng(1)
    weights, covariance = random.normal(size=(40, 6)), correlated(40, 6)
    scales = (np.abs(weights).max(1) / 127).astype(np.float32)
    nearest = error(np.rint(weights / scales[:, None]), scales, weights, covariance)
    integers, found = round_weights(weights, covariance, scales)
    assert integers.dtype == np.int8 and np.abs(integers).max() <= 127 and (found >= scales).all()
    assert error(integers, found, weights, covariance).sum() < 0.3 * nearest.sum()


def test_one_scale_for_all_outputs_stays_one():
    weights, covariance = np.random.default_rng(2).normal(size=(5, 4)), correlated(5, 4)
    _, scales = round_weights(weights, covariance, np.full(5, np.abs(weights).max() / 127, np.float32), shared=True)
    assert len(set(scales.tolist())) == 1


def test_an_input_without_weight_stays_without():
    weights, covariance = np.random.default_rng(4).normal(size=(5, 4)), correlated(5, 4)
    weights[:, 2] = 0
    integers, _ = round_weights(weights, covariance, (np.abs(weights).max(1) / 127).astype(np.float32))
    assert not integers[:, 2].any() and integers[:, [0, 1, 3]].any()


def test_a_fixed_scale_stays():
    weights, covariance = np.random.default_rng(2).normal(size=(5, 4)), correlated(5, 4)
    scales = np.full(5, np.abs(weights).max() / 127, np.float32)
    assert np.array_equal(round_weights(weights, covariance, scales, shared=True, steps=(1.0,))[1], scales)


def test_inputs_that_never_vary_keep_their_weights():
    weights = np.random.default_rng(3).normal(size=(3, 4))
    scales = (np.abs(weights).max(1) / 127).astype(np.float32)
    integers, found = round_weights(weights, np.zeros((3, 4, 4)), scales)
    assert np.abs(integers * found[:, None] - weights).max() <= found.max() / 2 * 1.001


def layer(operator, multiplier=1, dilation=1):
    """A float node and its quantised twin: (node, twin)."""
    random = np.random.default_rng(4)
    shape = {"CONV_2D": (4, 3, 2, 3), "DEPTHWISE_CONV_2D": (1, 3, 2, 3 * multiplier), "FULLY_CONNECTED": (4, 90)}[operator]
    weights, options = random.normal(size=shape).astype(np.float32), None
    if operator != "FULLY_CONNECTED":
        options = schema.Conv2DOptionsT() if operator == "CONV_2D" else schema.DepthwiseConv2DOptionsT()
        options.padding, options.strideH, options.strideW, options.fusedActivationFunction = schema.Padding.VALID, 1, 1, 0
        options.dilationHFactor, options.dilationWFactor, options.depthMultiplier = dilation, 1, multiplier
    outputs = shape[3] if operator == "DEPTHWISE_CONV_2D" else shape[0]
    axis = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}.get(operator)
    others = tuple(i for i in range(len(shape)) if i != axis)
    scales = np.atleast_1d(np.abs(weights).max(axis=None if axis is None else others) / 127).astype(np.float32)
    spread = [-1 if i == axis else 1 for i in range(len(shape))] if axis is not None else [1] * len(shape)
    stored = np.rint(weights / scales.reshape(spread)).astype(np.int8)
    zeros = np.zeros(len(scales), np.int64)
    x = Tensor("x", (1, 6, 5, 3), "int8", None, np.float32([0.05]), np.int64([0]))
    y = Tensor("y", (1, 1, 1, outputs), "float32")
    bias = constant("b", np.ones(outputs, np.float32))
    stored_bias = Tensor("b", (outputs,), "int32", np.full(outputs, 200, np.int32), np.float32(0.05) * scales, zeros, 0)
    twin_inputs = [x, Tensor("w", shape, "int8", stored, scales, zeros, axis or 0), stored_bias]
    return Node(operator, [x, constant("w", weights), bias], [y], options), Node(operator, twin_inputs, [y], options)


def inputs(clips=30):
    """Values with strong correlations between rows and channels."""
    random = np.random.default_rng(5)
    return (random.normal(size=(clips, 6, 5, 3)) + 2 * random.normal(size=(clips, 1, 1, 1))).astype(np.float32)


@pytest.mark.parametrize("operator, multiplier, dilation", [
    ("CONV_2D", 1, 1), ("CONV_2D", 1, 2), ("DEPTHWISE_CONV_2D", 1, 1), ("DEPTHWISE_CONV_2D", 2, 2), ("FULLY_CONNECTED", 1, 1)])
def test_covariance_is_that_of_the_output(operator, multiplier, dilation):
    node, _ = layer(operator, multiplier, dilation)
    x = inputs()
    covariance = input_covariance(node, x)
    rows = as_rows(node, node.inputs[1].data).astype(np.float64)
    found = np.einsum("oi,oij,oj->o", rows, covariance, rows)
    outputs = np.array(compute(node, {id(node.inputs[0]): x})).reshape(-1, len(rows))
    np.testing.assert_allclose(found, outputs.var(0), rtol=1e-3)
    np.testing.assert_array_equal(from_rows(node, rows, node.inputs[1].shape), node.inputs[1].data)


def test_weights_that_integers_meet_are_left_alone(monkeypatch):
    """Those of a mean over time: their covariances are the slowest of all."""
    node, twin = layer("DEPTHWISE_CONV_2D")
    node.inputs[1].data, twin.inputs[1].data = np.full((1, 3, 2, 3), np.float32(1 / 6)), np.full((1, 3, 2, 3), 127, np.int8)
    twin.inputs[1].scales = np.full(3, 1 / 6 / 127, np.float32)
    scales, bias = twin.inputs[1].scales.copy(), twin.inputs[2].data.copy()
    monkeypatch.setattr(rounding, "input_covariance", lambda *arguments: pytest.fail("not needed"))
    refine_weights(node, twin, inputs())
    assert np.all(twin.inputs[1].data == 127) and np.array_equal(twin.inputs[1].scales, scales)
    assert np.array_equal(twin.inputs[2].data, bias)
    node.inputs[1].data[0, 0, 0, 0] *= 1.001
    with pytest.raises(pytest.fail.Exception, match="not needed"):
        refine_weights(node, twin, inputs())


@pytest.mark.parametrize("operator", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_a_layer_gets_closer_and_keeps_its_bias(operator):
    node, twin = layer(operator)
    x = inputs()
    exact = np.array(compute(node, {id(node.inputs[0]): x}))
    real_bias = real(twin.inputs[2])

    def distance():
        return (np.array(compute(twin, {id(twin.inputs[0]): x})) - exact).reshape(-1, exact.shape[-1]).std(0)

    before = distance()
    refine_weights(node, twin, x)
    assert (distance() ** 2).sum() < 0.85 * (before**2).sum()
    np.testing.assert_allclose(real(twin.inputs[2]), real_bias, atol=twin.inputs[2].scales.max())
    assert len(twin.inputs[1].scales) == len(twin.inputs[2].scales)
