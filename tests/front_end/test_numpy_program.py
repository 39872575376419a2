import numpy as np

from kws_tf.config import FeatureConfig
from kws_tf.front_end import build_clip_front_end, framing
from kws_tf.front_end.numpy_graph import NumpyGraph
from kws_tf.front_end.numpy_program import NumpyProgram


def test_a_program_gives_what_the_graph_gives_every_time(speech_like):
    features = FeatureConfig()
    program = NumpyProgram((1, 4000), framing.PCM_SCALE)
    output = build_clip_front_end(program, program.source, features)
    for level in (0, -20, -60):
        pcm = speech_like(4000, 16000, level)[None]
        graph = NumpyGraph()
        expected = build_clip_front_end(graph, graph.input(pcm, framing.PCM_SCALE), features)
        np.testing.assert_array_equal(program(pcm), expected.value)
    assert (output.scale, program.output, program.macs) == (expected.scale, output, graph.macs)


def test_an_input_that_is_read_twice_stays(speech_like):
    program = NumpyProgram((3,), 2.0**-15)
    program.add(program.multiply(program.source, program.source, 2.0**-15), program.source)
    for _ in range(2):
        assert program(np.array([16384, -16384, 0], np.int16)).tolist() == [24576, -8192, 0]
