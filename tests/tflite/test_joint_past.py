import numpy as np
import pytest

from kws_tf.tflite.joint_past import NAME, ROW_SCALE, join_past
from kws_tf.tflite.step_graph import step_graph


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
        assert step.states[0].name == NAME and step.states[0].before.shape == (1, 8, 1, 2 * joined)


def test_joining_saves_three_nodes_per_block(block_network):
    graph, _ = block_network
    apart, joined = step_graph(graph, 1), join_past(step_graph(graph, 1))
    # mean, CONCATENATION and STRIDED_SLICE of a line and its convolution, against six nodes for all
    assert len(apart.graph.nodes) - len(joined.graph.nodes) == 4 * 4 - 6


def test_rows_have_one_scale_and_the_zero_point_of_a_relu(block_network):
    graph, _ = block_network
    joints = [node for node in graph.nodes if node.operator == "CONCATENATION"]
    earlier = [node.inputs[1] for node in joints if node.inputs[1].name.endswith("/past")]
    assert len(earlier) == 4
    assert {(tensor.spec.scale, tensor.spec.zero_point) for tensor in earlier} == {(float(np.float32(ROW_SCALE)), -128)}
