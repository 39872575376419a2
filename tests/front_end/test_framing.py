import dataclasses

import numpy as np
import pytest

from kws_tf.config import FeatureConfig
from kws_tf.errors import ConversionError
from kws_tf.front_end import framing
from kws_tf.front_end.numpy_graph import NumpyGraph

GEOMETRIES = [(480, 160, 16), (480, 320, 16), (480, 480, 32), (400, 160, 16), (640, 320, 32), (480, 100, 16), (400, 101, 8), (480, 700, 16)]


@pytest.mark.parametrize(("window", "hop", "columns"), GEOMETRIES)
@pytest.mark.parametrize("extra", [0, 1, 161, 3000])
def test_frames_are_the_windows_of_the_clip(window, hop, columns, extra):
    features = FeatureConfig(window_samples=window, hop_samples=hop, fft_size=1024)
    n_samples = window + extra
    pcm = np.random.default_rng(2).integers(-32768, 32768, n_samples).astype(np.int16)
    graph = NumpyGraph()
    frames = framing.frame(graph, graph.input(pcm[None], framing.PCM_SCALE), features, columns)
    n_frames = features.n_frames(n_samples)
    assert frames.shape == (n_frames, window // columns, 1, columns)
    expected = np.stack([pcm[t * hop:t * hop + window] for t in range(n_frames)])
    np.testing.assert_array_equal(frames.value.reshape(n_frames, window), expected)


def test_the_usual_geometry_needs_five_operators():
    graph = NumpyGraph(keep=True)
    framing.frame(graph, graph.input(np.zeros((1, 16000), np.int16), framing.PCM_SCALE), FeatureConfig(), 16)
    operators = [name.split("/")[1].rstrip("_23") for name in graph.results]
    assert operators == ["reshape", "strided_slice", "strided_slice", "strided_slice", "concatenation"]


def test_a_clip_shorter_than_a_window_is_refused():
    graph = NumpyGraph()
    pcm = graph.input(np.zeros((1, 479), np.int16), framing.PCM_SCALE)
    with pytest.raises(ConversionError, match="479 samples is shorter than one window of 480"):
        framing.frame(graph, pcm, dataclasses.replace(FeatureConfig(), window_samples=480), 16)
