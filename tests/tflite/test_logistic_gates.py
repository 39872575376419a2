"""SparkNet's gates without TANH and MINIMUM: the same function, and one node."""

import numpy as np
import pytest

from kws_tf.config import FEATURE_PRESETS
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.executor import Execution
from kws_tf.tflite.frame_scores import score_every_frame
from kws_tf.tflite.freeze import convert_float32
from kws_tf.tflite.logistic_gates import drop_saturations, gate_ranges, gates_to_logistic
from kws_tf.tflite.quantise import affine
from kws_tf.tflite.simplify import simplify


@pytest.fixture
def graph(uneven_network):
    network = uneven_network(FEATURE_PRESETS["micro"], 24, model="sparknet", channels=6)
    graph = flatbuffer.read(convert_float32(network, (24, 40, 1)))
    simplify(graph)
    score_every_frame(graph, 24)
    return graph


def outputs(graph, clips):
    run = Execution(graph, clips)
    *_, last = (run.advance(node) for node in graph.nodes)
    return last.numpy()


def test_the_float_network_is_the_same(graph):
    clips = np.random.default_rng(1).uniform(0, 26, (5, 24, 40, 1)).astype(np.float32)
    before = outputs(graph, clips)
    gates_to_logistic(graph)
    operators = [node.operator for node in graph.nodes]
    assert "TANH" not in operators and operators.count("LOGISTIC") == operators.count("MAXIMUM") == operators.count("MINIMUM") == 1
    np.testing.assert_allclose(outputs(graph, clips), before, atol=2e-5)
    assert np.std(before) > 0.05


def test_the_limits_are_the_ends_of_the_integers(graph):
    gates_to_logistic(graph)
    (low, high), = gate_ranges(graph).values()
    scale, zero_point = affine(low, high)
    assert zero_point == -1 and scale * (127 - zero_point) == pytest.approx(high) == pytest.approx(np.log(3))
    for integer, gate in ((127, 1.0), (-128, 0.0)):                      # LOGISTIC rounds to steps of 1/256
        logistic = round(256 / (1 + np.exp(-scale * (integer - zero_point)))) / 256
        assert 2 * logistic - 0.5 == gate


def test_only_limits_at_the_ends_are_dropped(graph):
    gates_to_logistic(graph)
    for node in graph.nodes:
        node.output.dtype = "int8"
    limits = {node.operator: node for node in graph.nodes if node.operator in ("MINIMUM", "MAXIMUM")}
    limits["MINIMUM"].inputs[1].data = np.array(127, np.int8)
    limits["MAXIMUM"].inputs[1].data = np.array(-127, np.int8)
    drop_saturations(graph)
    assert [node.operator for node in graph.nodes if node.operator in limits] == ["MAXIMUM"]
    assert limits["MAXIMUM"].inputs[0].name.startswith("gate_conv") or graph.producer(limits["MAXIMUM"].inputs[0]).operator == "CONV_2D"


def test_other_networks_are_left_alone(uneven_network):
    network = uneven_network(FEATURE_PRESETS["micro"], 24, model="ds_cnn", channels=4)
    graph = flatbuffer.read(convert_float32(network, (24, 40, 1)))
    before = list(graph.nodes)
    gates_to_logistic(graph)
    assert all(one is other for one, other in zip(before, graph.nodes, strict=True)) and gate_ranges(graph) == {}
