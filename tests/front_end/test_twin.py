import numpy as np
import pytest

from kws_tf.config import FEATURE_PRESETS, FeatureConfig
from kws_tf.errors import AudioError
from kws_tf.front_end import IntegerFeatures, build_clip_front_end, framing, twin
from kws_tf.front_end.numpy_graph import NumpyGraph


@pytest.mark.parametrize("preset", ["bc_resnet", "mlperf_tiny"])
def test_clips_are_independent_of_each_other(preset, speech_like):
    front_end = IntegerFeatures(FEATURE_PRESETS[preset])
    clips = np.stack([speech_like(8000, 16000, level, seed) for seed, level in enumerate((0, -20, -60))])
    together = front_end(clips)
    assert together.dtype == np.int16 and together.shape == (3, front_end.features.n_frames(8000), front_end.features.n_features)
    for clip, result in zip(clips, together, strict=True):
        np.testing.assert_array_equal(front_end(clip), result)


def test_one_window_at_a_time_gives_the_frames_of_the_clip(speech_like):
    features = FeatureConfig()
    front_end = IntegerFeatures(features)
    pcm = speech_like(4000, 16000, -20)
    hops = [front_end(pcm[start:start + 480]) for start in range(0, 4000 - 479, 160)]
    np.testing.assert_array_equal(front_end(pcm), np.concatenate(hops))


def test_it_is_the_graph_of_the_whole_clip(speech_like):
    features = FEATURE_PRESETS["sparknet"]
    front_end = IntegerFeatures(features)
    pcm = speech_like(5000, 16000, -10)
    graph = NumpyGraph()
    result = build_clip_front_end(graph, graph.input(pcm[None], framing.PCM_SCALE), features)
    assert result.scale == front_end.scale
    np.testing.assert_array_equal(result.value[0, :, :, 0], front_end(pcm))


@pytest.mark.parametrize("pcm", [np.zeros(479, np.int16), np.zeros(16000, np.float32), np.zeros((2, 3, 480), np.int16)])
def test_other_input_is_refused(pcm):
    with pytest.raises(AudioError, match="must be int16"):
        IntegerFeatures(FeatureConfig())(pcm)


def test_long_audio_is_the_same_for_any_block(speech_like, monkeypatch):
    pcm = speech_like(160 * 200 + 320, 16000, -20)
    whole = IntegerFeatures(FeatureConfig())(pcm)
    assert whole.shape == (200, 40)
    monkeypatch.setattr(twin, "BLOCK_WINDOWS", (1, 7))
    np.testing.assert_array_equal(IntegerFeatures(FeatureConfig())(pcm), whole)
