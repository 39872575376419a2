"""The integer front end ahead of a step: PCM in, hop by hop."""

import dataclasses

import numpy as np

from kws_tf.errors import ConversionError
from kws_tf.front_end.framing import PCM_SCALE
from kws_tf.tflite.flatbuffer import Graph, Tensor
from kws_tf.tflite.front_end import INPUT_NAME
from kws_tf.tflite.graph import VERSIONS
from kws_tf.tflite.merge import merge
from kws_tf.tflite.nodes import concatenation, strided_slice
from kws_tf.tflite.step_graph import State

TAIL = "pcm_tail"


def hear_pcm(step, features, hop_frames):
    """Puts the integer front end before the step of an int8 network.

    n frames need n hops of new samples and the window - hop samples before them, which are one more state. It is zeros at the start:
    the first frames of a recording also see that many samples of digital silence before it.

    Args:
        step: step_graph.StepGraph of an int8 network. features: FeatureConfig. hop_frames: frames of the step.

    Returns:
        StepGraph that takes int16 PCM [1, hop_frames * hop_samples].

    Raises:
        ConversionError: a float32 network, or parameters that the integer front end cannot hold.
    """
    if step.graph.inputs[0].dtype != "int8":
        raise ConversionError("PCM goes into int8 networks only; a float32 file takes features. Use --profile=float32 without PCM.")
    n_hop, n_tail = hop_frames * features.hop_samples, max(0, features.window_samples - features.hop_samples)
    joined = merge(features, n_tail + n_hop, Graph(step.graph.nodes, step.graph.inputs, step.graph.outputs))
    if not n_tail:
        return dataclasses.replace(step, graph=joined)
    samples, hop, before, after = joined.inputs[0], _pcm(INPUT_NAME, n_hop), _pcm(TAIL, n_tail), _pcm(f"{TAIL}/next", n_tail)
    samples.name = f"{TAIL}/window"
    nodes = [concatenation([before, hop], samples, 1, VERSIONS["CONCATENATION"]),
             strided_slice(samples, after, (0, n_hop), (1, n_hop + n_tail), version=VERSIONS["STRIDED_SLICE"])]
    graph = Graph([*nodes, *joined.nodes], [hop], joined.outputs)
    return dataclasses.replace(step, graph=graph, states=(State(TAIL, before, after), *step.states))


def _pcm(name, n_samples):
    return Tensor(name, (1, n_samples), "int16", None, np.array([PCM_SCALE], np.float32), np.zeros(1, np.int64))
