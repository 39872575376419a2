"""The integer front end: int16 PCM -> int16 log-mel or MFCC, the same integers on every runtime. numpy alone.

    framing      clip -> overlapping frames
    gain         each frame times the power of two that fills 16 bits
    dft          spectrum, as two products with constant matrices
    spectrum     magnitude (longest of a few projections) or power (squares at three scales)
    mel_bands    mel filterbank, each band in a unit of its own
    logarithm    natural logarithm as a sum of saturating lines, and the gain taken off again
    cosine       MFCC

Each stage is a function on graph.Graph, the set of integer operators that all runtimes agree on. kws_tf.tflite.graph.TfliteGraph
writes them into a flatbuffer; numpy_graph.NumpyGraph computes them, and numpy_program.NumpyProgram computes them often. docs/frontend.md
has the derivations and figures.
"""

from kws_tf.front_end.build import build_clip_front_end, build_front_end
from kws_tf.front_end.twin import IntegerFeatures

__all__ = ["IntegerFeatures", "build_clip_front_end", "build_front_end"]
