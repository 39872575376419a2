"""The integer front end as a TFLite file of its own: PCM in, features out."""

from kws_tf.front_end import build_clip_front_end, framing
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.graph import TfliteGraph

INPUT_NAME = "pcm"


def front_end_graph(features, n_samples, *, floor=True):
    """The front end of a clip as a graph to which a classifier can be appended.

    Args:
        features: FeatureConfig. n_samples: length of the clip; one window for a front end that runs hop by hop.
        floor: see kws_tf.front_end.build_front_end.

    Returns:
        flatbuffer.Graph from int16 [1, n_samples] to int16 [1, frames, n_features, 1].

    Raises:
        ConversionError: parameters that the integer front end cannot hold, or a clip shorter than one window.
    """
    graph = TfliteGraph()
    pcm = graph.input(INPUT_NAME, (1, n_samples), framing.PCM_SCALE)
    output = build_clip_front_end(graph, pcm, features, floor=floor)
    output.value.name = features.kind
    return graph.finish([pcm], [output])


def front_end_model(features, n_samples):
    """The bytes of a TFLite file with the front end alone, see front_end_graph."""
    return flatbuffer.write(front_end_graph(features, n_samples))
