import numpy as np
import pytest

from kws_tf.tflite import flatbuffer
from kws_tf.tflite.calibration import calibration_features
from kws_tf.tflite.layer_errors import layer_errors, sqnr_db


@pytest.fixture(scope="module")
def calibration(small_network, tone_clips):
    return calibration_features(small_network.config.features, tone_clips[0], "pcm")


def test_sqnr_of_known_values():
    exact = np.array([1.0, -1.0, 1.0, -1.0], np.float32)
    assert sqnr_db(exact, exact + np.float32(0.1)) == pytest.approx(20, abs=1e-3)
    assert sqnr_db(exact, exact) == float("inf")


def test_every_layer_of_a_good_file_is_close(small_network, calibration, exported):
    content = (exported / "pi" / "model.tflite").read_bytes()
    rows = layer_errors(small_network.model, calibration, content)
    classifier_nodes = len(flatbuffer.read((exported / "features" / "model.tflite").read_bytes()).nodes)
    assert len(rows) > 0.8 * classifier_nodes and rows[-1].name == "logits"
    assert min(row.sqnr_db for row in rows) > 8 and rows[-1].sqnr_db > 20


def test_a_layer_with_wrong_weights_is_the_first_that_is_bad(small_network, calibration, exported):
    graph = flatbuffer.read((exported / "pi" / "model.tflite").read_bytes())
    convolutions = [node for node in graph.nodes if node.operator == "CONV_2D" and node.output.dtype == "int8"]
    spoilt = convolutions[len(convolutions) // 2]
    spoilt.inputs[1].data = np.roll(spoilt.inputs[1].data, 1)
    rows = layer_errors(small_network.model, calibration, flatbuffer.write(graph))
    names = [row.name for row in rows]
    assert spoilt.output.name in names
    before = rows[:names.index(spoilt.output.name)]
    assert min(row.sqnr_db for row in before) > 8 > rows[names.index(spoilt.output.name)].sqnr_db
