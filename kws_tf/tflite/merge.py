"""One graph from PCM to scores: the integer front end followed by an int8 classifier."""

import numpy as np

from kws_tf.errors import ConversionError
from kws_tf.front_end import IntegerFeatures, build_clip_front_end, framing
from kws_tf.front_end.fixed_point import quantise_int8
from kws_tf.front_end.logarithm import LOG_SCALE
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.front_end import INPUT_NAME
from kws_tf.tflite.graph import TfliteGraph

INT8_MIN = -128


def merge(features, n_samples, classifier):
    """Puts the front end of a clip before a classifier.

    The last tensor of the front end and the input of the classifier are the same features in different steps, so one QUANTIZE joins
    them. The maximum with the log floor is left out where the int8 input saturates at the floor or above it: no value changes.

    Args:
        features: FeatureConfig that the classifier was trained with. n_samples: length of the clip.
        classifier: flatbuffer.Graph or bytes of a TFLite file: int8 features [1, frames, n_features, 1] -> anything. Not changed.

    Returns:
        flatbuffer.Graph: int16 PCM [1, n_samples] -> what the classifier gives.

    Raises:
        ConversionError: a classifier with another input, or parameters that the integer front end cannot hold.

    Example:
        content = flatbuffer.write(merge(features, 16000, convert_classifier(model, calibration)))
    """
    classifier = flatbuffer.read(classifier) if isinstance(classifier, bytes) else classifier
    spec = _checked_input(features, n_samples, classifier)
    graph = TfliteGraph()
    pcm = graph.input(INPUT_NAME, (1, n_samples), framing.PCM_SCALE)
    output = build_clip_front_end(graph, pcm, features, floor=not saturates_at_floor(features, spec))
    output = graph.quantise(output, spec.scale, spec.zero_point)
    joined = classifier.inputs[0]
    graph.nodes[-1].outputs = [joined]
    return flatbuffer.Graph([*graph.nodes, *classifier.nodes], [pcm.value], list(classifier.outputs))


def saturates_at_floor(features, spec):
    """Whether every log-mel value at or below the log floor becomes -128 at this int8 input anyway."""
    floor = round(np.log(features.log_floor) / LOG_SCALE)
    return features.kind == "logmel" and quantise_int8(np.array([floor]), LOG_SCALE, spec.scale, spec.zero_point).item() == INT8_MIN


def classifier_input(features, pcm, spec):
    """What the merged graph feeds its classifier with, by the numpy twin.

    Args:
        features: FeatureConfig. pcm: int16 [samples] or [clips, samples]. spec: TensorSpec of the classifier's input.

    Returns:
        int8 [frames, n_features] or [clips, frames, n_features].
    """
    front_end = IntegerFeatures(features)
    return quantise_int8(front_end(pcm), front_end.scale, spec.scale, spec.zero_point)


def _checked_input(features, n_samples, classifier):
    if len(classifier.inputs) != 1:
        raise ConversionError(f"merge: the classifier has {len(classifier.inputs)} inputs; expected one.")
    spec = classifier.inputs[0].spec
    expected = (1, features.n_frames(n_samples), features.n_features, 1)
    if spec.dtype != "int8" or spec.scale == 0 or spec.shape != expected:
        raise ConversionError(
            f"merge: expected a classifier with quantised int8 input {list(expected)} ({features.kind} of {n_samples} samples); "
            f"its input {spec.name!r} is {spec.dtype} {list(spec.shape)}. Train and convert it with the same features and clip length.")
    return spec
