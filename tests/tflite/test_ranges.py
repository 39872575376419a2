import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite import ranges
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.ranges import HEADROOM, LARGEST_MARGIN, Histogram, choose_range, logit_range, observe, with_zero


def quantisation_error(values, low, high):
    """Mean squared error of 8 bits over [low, high], done value by value."""
    step = (high - low) / 255
    return np.mean((np.clip(np.round((values - low) / step), 0, 255) * step + low - values) ** 2)


@pytest.mark.parametrize("values", [
    np.random.default_rng(1).normal(size=20000),
    np.random.default_rng(2).exponential(size=20000),
    np.concatenate([np.random.default_rng(3).normal(size=20000), [60.0]]),
], ids=["normal", "one-sided", "outlier"])
def test_the_range_has_less_error_than_the_extremes(values):
    histogram = Histogram.of(values)
    low, high = choose_range(histogram)
    assert low <= 0 <= high and (low, high) != with_zero(histogram)
    best = quantisation_error(values, low, high)
    assert best < quantisation_error(values, *with_zero(histogram))
    shares = (0.2, 0.4, 0.6, 0.8, 1)
    grid = [(share * min(values.min(), 0), other * max(values.max(), 0)) for share in shares for other in shares]
    assert best <= 1.1 * min(quantisation_error(values, *ends) for ends in grid if ends[1] > ends[0])


def test_few_outliers_are_kept_where_they_matter():
    values = np.concatenate([np.zeros(1000), np.full(200, 10.0)])
    assert choose_range(Histogram.of(values)) == (0.0, 10.0)


def test_anchor_frees_the_range_from_zero():
    values = 100 + np.random.default_rng(4).uniform(-1, 1, 5000)
    assert choose_range(Histogram.of(values))[0] == 0.0
    low, high = choose_range(Histogram.of(values), anchor=100.0)
    assert 98.9 < low < 99.1 and 100.9 < high < 101.1


@pytest.mark.parametrize("value, expected", [(0.0, (0.0, 1.0)), (3.0, (0.0, 3.0)), (-2.0, (-2.0, 0.0))])
def test_a_constant(value, expected):
    low, high = choose_range(Histogram.of(np.full(10, value)))
    assert low <= min(value, 0) and high >= max(value, 0) and high > low
    assert with_zero(Histogram.of(np.full(10, value))) == expected


def test_histogram_counts_every_value():
    values = np.random.default_rng(5).normal(size=(7, 11)).astype(np.float32)
    histogram = Histogram.of(values)
    assert histogram.counts.sum() == values.size and (histogram.low, histogram.high) == (values.min(), values.max())
    mean = (histogram.centres * histogram.counts).sum() / values.size
    assert mean == pytest.approx(values.mean(), abs=(histogram.high - histogram.low) / ranges.BINS)


def test_observe_in_parts_equals_observe_at_once(float_graph, small_network, monkeypatch):
    whole = observe(float_graph, small_network.features[:10])
    monkeypatch.setattr(ranges, "CHUNK_ELEMENTS", 3 * max(np.prod(node.output.shape) for node in float_graph.nodes))
    assert [len(part) for part in ranges.parts(float_graph, small_network.features[:10])] == [3, 3, 3, 1]
    parted = observe(float_graph, small_network.features[:10])
    assert whole.keys() == parted.keys() and len(whole) == len(float_graph.nodes) + 1
    for key, histogram in whole.items():
        assert (histogram.low, histogram.high) == pytest.approx((parted[key].low, parted[key].high), abs=1e-4)
        assert abs(histogram.counts - parted[key].counts).sum() <= 0.01 * histogram.counts.sum()
    source = whole[id(float_graph.inputs[0])]
    assert (source.low, source.high) == (small_network.features[:10].min(), small_network.features[:10].max())


def logits_graph():
    """Logits that are the features themselves."""
    x, y = Tensor("x", (1, 3), "float32"), Tensor("y", (1, 3), "float32")
    return Graph([Node("ADD", [x, constant("c", np.zeros(3, np.float32))], [y], schema.AddOptionsT())], [x], [y])


@pytest.mark.parametrize("logits, low, high", [
    ([[20.0, 5.0, -30.0], [10.0, 0.0, -40.0]], 10.0 - LARGEST_MARGIN, 20.0 * HEADROOM),   # 50 behind the winner: saturates
    ([[2.0, -3.0, 0.0], [1.0, 0.0, -1.0]], -3.0, 2.0 * HEADROOM),                          # nothing to gain
    ([[40.0, 35.0, 30.0], [30.0, 28.0, 29.0]], 0.0, 40.0 * HEADROOM),                      # zero stays inside
    ([[-5.0, -9.0, -7.0], [-1.0, -2.0, -3.0]], -9.0, 0.0)])
def test_logits_are_finest_where_classes_are_told_apart(logits, low, high):
    found = logit_range(logits_graph(), np.float32(logits))
    assert found == (pytest.approx(low), pytest.approx(high))
