"""Means over time against loops in numpy, any number of frames at a time."""

import numpy as np
import pytest

from kws_tf.streaming.average import ExponentialMean, WindowMean
from kws_tf.streaming.memory import Memory


def run(average, values, valid, sizes):
    """The means that an average gives for float [batch, frames, classes], in steps of these sizes."""
    state = {tensor.name: np.zeros((len(values), *tensor.shape), np.float32) for tensor in average.state}
    means, start = [], 0
    for size in sizes:
        piece = slice(start, start + size)
        memory = Memory(state, valid[:, piece], 0)
        means.append(np.asarray(average(values[:, piece], valid[:, piece], memory)))
        state = memory.after
        assert {name: value.shape[1:] for name, value in state.items()} == {tensor.name: tensor.shape for tensor in average.state}
        start += size
    return np.concatenate(means, axis=1)


@pytest.fixture
def values():
    return np.random.default_rng(2).normal(3, 1, (2, 30, 4)).astype(np.float32)


ALL = np.ones((2, 30), np.float32)


def test_small_window_by_hand():
    values = np.array([[[1.0], [3.0], [8.0], [-2.0]]], np.float32)
    assert run(WindowMean(2, (1,)), values, ALL[:1, :4], [1, 1, 2]).ravel().tolist() == [1.0, 2.0, 5.5, 3.0]


@pytest.mark.parametrize("sizes", [[1] * 30, [2, 3] * 6, [30], [7, 23]])
def test_window_mean(values, sizes):
    expected = np.stack([values[:, max(0, t - 8):t + 1].mean(axis=1) for t in range(30)], axis=1)
    np.testing.assert_allclose(run(WindowMean(9, (4,)), values, ALL, sizes), expected, rtol=1e-5)


def test_frames_that_are_not_valid_do_not_count(values):
    valid = ALL.copy()
    valid[:, :5] = 0
    means = run(WindowMean(9, (4,)), values, valid, [4, 4, 22])
    assert not means[:, :5].any()
    np.testing.assert_allclose(means[:, 5:], run(WindowMean(9, (4,)), values[:, 5:], ALL[:, 5:], [25]), rtol=1e-5)


def test_no_drift_after_an_hour():
    """360000 frames of values that a running sum would not survive: the last window is a constant again."""
    average, n = WindowMean(101, (1,)), 12000
    state = {tensor.name: np.zeros((1, *tensor.shape), np.float32) for tensor in average.state}
    for part in range(30):
        values = np.random.default_rng(part).normal(0, 1e4, (1, n, 1)).astype(np.float32)
        values[:, -101:] = 0.1
        memory = Memory(state, np.ones((1, n), np.float32), 0)
        means, state = average(values, np.ones((1, n), np.float32), memory), memory.after
        np.testing.assert_allclose(means[0, -1], 0.1, rtol=1e-6)


@pytest.mark.parametrize("sizes", [[1] * 30, [2, 3] * 6, [30]])
def test_exponential_mean(values, sizes):
    decay = 1 - 2 / 10
    expected, mean, weight = [], 0.0, 0.0
    for t in range(30):
        mean, weight = decay * mean + (1 - decay) * values[:, t], decay * weight + 1 - decay
        expected.append(mean / weight)
    np.testing.assert_allclose(run(ExponentialMean(9, (4,)), values, ALL, sizes), np.stack(expected, axis=1), rtol=1e-5)


def test_exponential_mean_has_the_mean_age_of_the_window():
    """Weights of past frames: their mean age is that of the window, (9 - 1) / 2 frames."""
    impulse = np.zeros((1, 300, 1), np.float32)
    impulse[0, 200] = 1
    weights = run(ExponentialMean(9, (1,)), impulse, np.ones((1, 300), np.float32), [300])[0, 200:, 0]
    np.testing.assert_allclose(weights.sum(), 1, atol=1e-5)
    np.testing.assert_allclose(weights @ np.arange(100), 4, atol=1e-4)


def test_values_of_any_shape(values):
    grid = values.reshape(2, 30, 2, 2)
    for average in (WindowMean, ExponentialMean):
        means = run(average(9, (2, 2)), grid, ALL, [13, 17])
        np.testing.assert_allclose(means, run(average(9, (4,)), values, ALL, [30]).reshape(grid.shape), rtol=1e-5)
