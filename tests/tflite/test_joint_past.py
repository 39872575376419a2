import numpy as np
import pytest

from kws_tf.tflite import joint_past
from kws_tf.tflite.convert import quantise_calibrated
from kws_tf.tflite.joint_past import NAME, ROW_SCALE, join_past, share_row_scale
from kws_tf.tflite.step_graph import step_graph
from tests.tflite.conftest import float_blocks


def quantised(features, graph):
    spec = graph.inputs[0].spec
    return np.clip(np.rint(features / spec.scale) + spec.zero_point, -128, 127).astype(np.int8)


@pytest.mark.parametrize("n_frames, joined", [(1, 4), (2, 3), (4, 0), (5, 0)])
def test_joined_blocks_give_the_same_integers(n_frames, joined, block_network, step_through):
    """Blocks whose dilation is below the frames of a step need frames of the step itself; one or two are not worth joining."""
    graph, features = block_network
    values = quantised(features[0], graph)
    expected = step_through(step_graph(graph, 1), values, 1)
    assert len(np.unique(expected, axis=0)) > 20
    step = join_past(step_graph(graph, n_frames))
    np.testing.assert_array_equal(step_through(step, values, n_frames), expected)
    assert len(step.states) == 4 - joined + bool(joined)
    assert sum(node.operator == "SPLIT_V" for node in step.graph.nodes) == bool(joined)
    if joined:
        assert step.states[0].name == f"{NAME}_8" and step.states[0].before.shape == (1, 2 * joined, 1, 8)


def test_joining_saves_four_nodes_per_block(block_network):
    graph, _ = block_network
    apart, joined = step_graph(graph, 1), join_past(step_graph(graph, 1))
    # mean, CONCATENATION and STRIDED_SLICE of a line and its convolution, against nine nodes for all; row_matmul takes two of them away
    assert len(apart.graph.nodes) - len(joined.graph.nodes) == 4 * 4 - 9


def test_blocks_with_the_longest_line_have_a_state_of_their_own(step_through, monkeypatch):
    """It begins where they do, so that no more than one of the states is in memory."""
    features = np.random.default_rng(6).normal(size=(8, 40, 3, 2)).astype(np.float32)
    graph = quantise_calibrated(float_blocks((1, 1, 2, 4, 4, 4)), features, compact=True)
    share_row_scale(graph)
    values = quantised(features[0], graph)
    assert len(join_past(step_graph(graph, 1)).states) == 1                 # so few channels are not worth it
    monkeypatch.setattr(joint_past, "LEAST_SAVED", 0)
    step = join_past(step_graph(graph, 1))
    assert {state.name: state.before.shape for state in step.states} == {f"{NAME}_4": (1, 6, 1, 4), f"{NAME}_8": (1, 6, 1, 8)}
    long, short = step.states
    nodes = step.graph.nodes
    assert nodes.index(step.graph.producer(short.after)) < nodes.index(step.graph.consumers(long.before)[0])
    np.testing.assert_array_equal(step_through(step, values, 1), step_through(step_graph(graph, 1), values, 1))


def test_rows_have_one_scale_and_the_zero_point_of_a_relu(block_network):
    graph, _ = block_network
    joints = [node for node in graph.nodes if node.operator == "CONCATENATION"]
    earlier = [node.inputs[1] for node in joints if node.inputs[1].name.endswith("/past")]
    assert len(earlier) == 4
    assert {(tensor.spec.scale, tensor.spec.zero_point) for tensor in earlier} == {(float(np.float32(ROW_SCALE)), -128)}


def test_weights_of_earlier_frames_have_one_scale_that_spans_them(block_network):
    graph, _ = block_network
    pasts = [node for node in graph.nodes if node.output.name.endswith("/past")]
    scales = {float(scale) for node in pasts for scale in node.inputs[1].scales}
    assert len(pasts) == 4 and len(scales) == 1
    assert max(np.abs(node.inputs[1].data).max() for node in pasts) == 127
