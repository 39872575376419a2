import numpy as np
import pytest

from kws_tf.tflite import micro
from kws_tf.tflite.flatbuffer import Graph, write
from kws_tf.tflite.joint_past import join_past
from kws_tf.tflite.row_matmul import multiply_rows
from kws_tf.tflite.step_graph import step_graph
from tests.tflite.test_joint_past import quantised


@pytest.mark.parametrize("interpreter", ["tflite_runtime", "ai_edge_litert"])
@pytest.mark.parametrize("n_frames", [1, 2, 5])
def test_matrix_products_give_the_same_integers(n_frames, interpreter, block_network, step_through):
    pytest.importorskip(interpreter)
    graph, features = block_network
    values = quantised(features[1], graph)
    expected = step_through(step_graph(graph, 1), values, 1, interpreter)
    step = multiply_rows(join_past(step_graph(graph, n_frames)))
    np.testing.assert_array_equal(step_through(step, values, n_frames, interpreter), expected)
    operators = [node.operator for node in step.graph.nodes]
    assert operators.count("BATCH_MATMUL") == 8 + (n_frames < 4)
    assert not any(node.operator == "DEPTHWISE_CONV_2D" and node.options.depthMultiplier > 1 for node in step.graph.nodes)


def test_blocks_follow_each_other_without_turning_rows(block_network):
    graph, _ = block_network
    step = multiply_rows(join_past(step_graph(graph, 1)))
    operators = [node.operator for node in step.graph.nodes]
    # the first rows, the second addend of every block, the rows behind the last block
    assert operators.count("TRANSPOSE") == 1 + 4 + 1 and operators.count("RESHAPE") == 0


@pytest.mark.skipif(bool(micro.unavailable()), reason=micro.unavailable())
def test_matrix_products_need_less_arena(block_network):
    graph, _ = block_network

    def arena(step):
        inputs, outputs = zip(*((state.before, state.after) for state in step.states), strict=True)
        graph = Graph(step.graph.nodes, [*step.graph.inputs, *inputs], [*step.graph.outputs, *outputs])
        return micro.MicroInterpreter(write(graph)).used_bytes()

    joined = join_past(step_graph(graph, 1))
    assert arena(multiply_rows(joined)) < arena(joined) - 800
