"""Joining lines changes nodes and states, and no integer."""

import collections
import dataclasses

import numpy as np
import pytest

from kws_tf.config import FeatureConfig
from kws_tf.tflite import flatbuffer, micro
from kws_tf.tflite.joint_lines import join_lines
from kws_tf.tflite.step_graph import step_graph
from kws_tf.tflite.streaming import prepare, streaming_graph

WINDOW = 98


def recording(seed, *batch):
    return np.random.default_rng(seed).normal(-2, 3, (*batch, 72, 40, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def network(uneven_network):
    return prepare(uneven_network(tau=1.0), WINDOW, recording(1, 4), compact=True)


def separate(network, hop):
    """The graph of a step whose lines are not joined, with the section of one whose are; only states differ."""
    step = step_graph(network.graph, hop)
    graph, section = streaming_graph(network, FeatureConfig(), hop, "external")
    own = flatbuffer.Graph(step.graph.nodes, [*step.graph.inputs, *(state.before for state in step.states)],
                           [*step.graph.outputs, *(state.after for state in step.states)])
    like = section.states[0]
    states = tuple(dataclasses.replace(like, name=state.name, shape=state.before.shape, zero_point=state.before.spec.zero_point,
                                       scale=state.before.spec.scale, input=state.before.name, output=state.after.name)
                   for state in step.states)
    return own, dataclasses.replace(section, states=states)


@pytest.mark.parametrize("hop, joined_states", [(1, {"earlier_8", "earlier_16"}), (3, {"earlier_16", "lines"})])
def test_joined_lines_give_the_same_integers(network, hop, joined_states, play):
    """With three frames per step, blocks with dilations 1 and 2 need frames of the step itself: they have lines."""
    joined, section = streaming_graph(network, FeatureConfig(), hop, "external")
    apart, apart_section = separate(network, hop)
    assert len(apart_section.states) == 15
    assert {state.name for state in section.states} == {*joined_states, "stem_padding", "head_padding", "average"}
    x = recording(2)
    expected = play(apart, apart_section, x, raw=True)
    np.testing.assert_array_equal(play(joined, section, x, raw=True), expected)
    assert len(np.unique(expected, axis=0)) > 20


def test_nodes_do_not_grow(network):
    """Six nodes per block, and three inside of the file for every state."""
    counts = {state: collections.Counter(node.operator for node in streaming_graph(network, FeatureConfig(), 1, state)[0].nodes)
              for state in ("external", "internal")}
    assert sum(counts["external"].values()) <= 110 and sum(counts["internal"].values()) <= 126
    assert counts["internal"]["VAR_HANDLE"] == 5 and counts["external"]["STRIDED_SLICE"] == 7
    assert counts["external"]["BATCH_MATMUL"] == 24 + 2 and counts["external"]["LOGISTIC"] == 0
    assert len(separate(network, 1)[0].nodes) > sum(counts["external"].values())


@pytest.mark.skipif(bool(micro.unavailable()), reason=micro.unavailable())
@pytest.mark.parametrize("state", ["internal", "external"])
def test_bc_resnet_1_that_hears_pcm_fits_45_kb(network, state):
    graph, _ = streaming_graph(network, FeatureConfig(), 1, state, "pcm")
    assert micro.MicroInterpreter(flatbuffer.write(graph)).used_bytes() <= 45 * 1024


def test_lines_have_one_scale_and_their_zero_is_zero(network):
    for hop, name, shape in ((1, "earlier_8", (1, 2 * 8 + 2 * 12 + 4 * 16, 1, 8)), (1, "earlier_16", (1, 4 * 20, 1, 16)),
                             (3, "lines", (1, 4, 1, 2 * 8 + 2 * 12))):
        _, section = streaming_graph(network, FeatureConfig(), hop, "internal")
        lines = next(state for state in section.states if state.name == name)
        assert (lines.scale, lines.zero_point, lines.shape) == (1 / 128, 0, shape)


def test_two_lines_stay_apart(uneven_network):
    step = step_graph(prepare(uneven_network(model="ds_cnn", channels=4), WINDOW, recording(1, 2)).graph, 2)
    assert join_lines(step) is step
