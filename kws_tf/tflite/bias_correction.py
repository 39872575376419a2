"""Rounds the weights of an int8 graph for the inputs they meet, and takes the systematic part of the error out by its biases."""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.executor import Execution, to_grid
from kws_tf.tflite.logistic_gates import is_limited
from kws_tf.tflite.nodes import SATURATING
from kws_tf.tflite.quantise import LARGEST_BIAS, WEIGHTED, prototype_length
from kws_tf.tflite.ranges import parts
from kws_tf.tflite.rounding import refine_weights


def correct_biases(graph, quantised, clips):
    """Shifts the bias of every convolution and matrix product by the mean error of its output on calibration clips.

    Rounding errors of weights and of steady values (silence, padding) do not average out: each channel ends up off by a constant,
    which later layers add up. The layers are corrected in order, each with all earlier ones corrected, on the sums before the
    activation. Before that their weights are rounded so that the rest of the error becomes small (rounding.refine_weights), except
    for prototypes, whose scale must not depend on their values.

    Nagel, van Baalen, Blankevoort, Welling: "Data-free quantization through weight equalization and bias correction", ICCV 2019.

    Args:
        graph: flatbuffer.Graph, float32.
        quantised: its int8 form by quantise, node for node; its biases change in place.
        clips: float32 [clips, ...]; large networks use as many of them as fit into memory.
    """
    clips = parts(graph, clips)[0]
    exact_run, rounded_run = Execution(graph, clips), Execution(quantised, clips)
    for node, twin in zip(graph.nodes, quantised.nodes, strict=True):
        if twin.operator in WEIGHTED:
            if prototype_length(graph, node) is None:
                # a mean and the sums over the same rows have one scale, see past_frames.row_scales
                fixed_scale = twin.options.fusedActivationFunction == SATURATING
                refine_weights(node, twin, rounded_run.value(twin.inputs[0]), fixed_scale)
            exact, rounded = exact_run.before_activation(node), rounded_run.before_activation(twin)
            # what saturates as it should, by an activation, at the limits of a gate or as a hopeless logit, is no error
            free = twin.options.fusedActivationFunction == schema.ActivationFunctionType.NONE and not is_limited(graph, node)
            if free and twin.output is not quantised.outputs[0]:
                rounded = to_grid(rounded, twin.output)
            error = (exact - rounded).numpy().astype(np.float64)
            bias = twin.inputs[2]
            corrected = bias.data + np.rint(error.mean(axis=tuple(range(error.ndim - 1))) / bias.scales)
            bias.data = np.clip(corrected, -LARGEST_BIAS, LARGEST_BIAS).astype(np.int32)
        exact_run.advance(node)
        rounded_run.advance(twin)
