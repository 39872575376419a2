import numpy as np

from kws_tf.tflite.bias_correction import correct_biases
from kws_tf.tflite.executor import Execution
from kws_tf.tflite.integer_form import integer_form
from kws_tf.tflite.quantise import WEIGHTED, quantise
from kws_tf.tflite.ranges import choose_range, observe
from kws_tf.tflite.simplify import simplify


def mean_errors(graph, quantised, clips):
    """Largest mean error of a channel, in steps, of every linear convolution's output."""
    exact, rounded = Execution(graph, clips), Execution(quantised, clips)
    found = []
    for node, twin in zip(graph.nodes, quantised.nodes, strict=True):
        error = (rounded.advance(twin) - exact.advance(node)).numpy()
        if twin.operator in WEIGHTED and not twin.options.fusedActivationFunction:
            found.append(np.abs(error.mean(axis=tuple(range(error.ndim - 1)))).max() / twin.output.scales[0])
    return np.array(found)


def test_mean_errors_vanish_and_the_logits_come_closer(float_graph, small_network):
    clips = small_network.features
    simplify(float_graph)
    integer_form(float_graph, clips)
    ranges = {key: choose_range(histogram) for key, histogram in observe(float_graph, clips).items()}
    quantised = quantise(float_graph, ranges)
    before = mean_errors(float_graph, quantised, clips)
    correct_biases(float_graph, quantised, clips)
    after = mean_errors(float_graph, quantised, clips)
    # What is left is the rounding of the corrected output itself, a fraction of a step.
    assert after.max() < 1 and after.max() < before.max() / 3 and after.mean() < before.mean() / 3
    for node in quantised.nodes:
        if node.operator in WEIGHTED:
            source, weights, bias = node.inputs
            assert (weights.data.dtype, bias.data.dtype) == (np.int8, np.int32) and weights.data.min() >= -127
            np.testing.assert_array_equal(bias.scales, (source.scales[0] * weights.scales).astype(np.float32))
