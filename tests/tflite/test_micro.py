import numpy as np
import pytest

from kws_tf.errors import ConversionError
from kws_tf.tflite import flatbuffer, micro
from kws_tf.tflite.graph import TfliteGraph

pytestmark = pytest.mark.skipif(bool(micro.unavailable()), reason=micro.unavailable())


def absolute_value(n):
    graph = TfliteGraph()
    x = graph.input("x", (1, n), 1.0)
    return flatbuffer.write(graph.finish([x], [graph.absolute(x)]))


def test_it_runs_a_graph():
    assert micro.MicroInterpreter(absolute_value(3))(np.array([[-5, 0, 7]], np.int16)).tolist() == [[5, 0, 7]]


def test_the_working_memory_grows_by_the_activations():
    small, large = (micro.MicroInterpreter(absolute_value(n)).used_bytes() for n in (1000, 5000))
    assert large - small == pytest.approx(2 * 2 * 4000, abs=64)


def test_a_model_that_does_not_fit_is_refused():
    with pytest.raises(ConversionError, match="TFLite Micro refuses the model"):
        micro.MicroInterpreter(absolute_value(100_000), arena_bytes=20_000)


def test_input_of_another_type_is_refused():
    with pytest.raises((ConversionError, ValueError)):
        micro.MicroInterpreter(absolute_value(3))(np.zeros((1, 3), np.float32))
