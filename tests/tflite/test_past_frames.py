import numpy as np
import pytest

from kws_tf.tflite.executor import Execution
from kws_tf.tflite.nodes import SATURATING
from kws_tf.tflite.past_frames import row_scales, split_past
from tests.tflite.conftest import float_blocks


def values_of(graph, clips):
    run = Execution(graph, clips)
    *_, last = (run.advance(node) for node in graph.nodes)
    return last.numpy()


@pytest.fixture
def clips():
    return np.random.default_rng(0).normal(size=(6, 40, 3, 2)).astype(np.float32)


def test_earlier_frames_and_the_present_one_add_up_to_the_same(clips):
    graph = float_blocks((1, 4))
    expected = values_of(float_blocks((1, 4)), clips / 3)
    split_past(graph, clips)                                                # smaller clips do not saturate
    np.testing.assert_allclose(values_of(graph, clips / 3), expected, atol=1e-4)
    assert np.ptp(expected) > 1
    saturating = [node for node in graph.nodes if getattr(node.options, "fusedActivationFunction", None) == SATURATING]
    assert len(saturating) == 2
    for mean in saturating:
        past = next(node for node in graph.nodes if node.inputs[0] is graph.only_consumer(mean.output).output)
        assert past.inputs[1].data[:, :-1].any() and not past.inputs[1].data[:, -1].any()


def test_the_means_of_all_blocks_use_their_bits(clips):
    graph = float_blocks((2, 2))
    split_past(graph, clips)
    run = Execution(graph, clips)
    for node in graph.nodes:
        values = run.advance(node).numpy()
        if getattr(node.options, "fusedActivationFunction", None) == SATURATING:
            assert np.all(np.abs(values).max(axis=(0, 1, 2)) == pytest.approx(1, abs=0.3)) and np.mean(np.abs(values) == 1) < 0.02


def test_padding_that_looks_ahead_stays(clips):
    graph = float_blocks((2,))
    pad = next(node for node in graph.nodes if node.operator == "PAD")
    pad.inputs[1].data[1] = 2, 2
    before = [node.operator for node in graph.nodes]
    split_past(graph, clips)
    assert [node.operator for node in graph.nodes] == before and not row_scales(graph)


def test_means_and_sums_over_the_same_rows_have_one_scale(clips):
    graph = float_blocks((2,))
    assert not row_scales(graph)
    split_past(graph, clips)
    for node in graph.nodes:
        if node.output.name == "block0/z":                                  # as swish_lines leaves it
            node.options.depthMultiplier, node.options.fusedActivationFunction = 2, SATURATING
            node.inputs[1].data = np.repeat(node.inputs[1].data, 2, 3)
    largest = row_scales(graph)
    named = {node.output.name: largest[id(node)] for node in graph.nodes if id(node) in largest}
    assert set(named) == {"block0/mean", "block0/z", "block0/y/flat"}
    assert named["block0/mean"] == named["block0/z"]
