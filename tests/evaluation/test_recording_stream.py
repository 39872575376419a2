"""Every score of the stream of evaluation is that of the stream that users run."""

import logging

import numpy as np
import pytest

from kws_tf.evaluation import recording_stream
from kws_tf.evaluation.recording_stream import FeatureSteps, RecordingStream
from kws_tf.front_end import gain
from kws_tf.manifest import TensorSpec
from kws_tf.runtime import Stream
from kws_tf.runtime.interpreter import KERNELS, available

INTERPRETERS = [name for name in available() if name != "tensorflow"]


@pytest.fixture(scope="module")
def pcm(tone_clips):
    """Tones, noise of full scale, silence and faint noise; no whole number of steps."""
    noise = np.random.default_rng(3).integers(-32768, 32768, 3000)
    return np.concatenate([tone_clips[0][0], noise, np.zeros(2000), noise // 8192, tone_clips[0][1][:777]]).astype(np.int16)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("fixture", ["small_stream", "micro_stream"])
def test_the_logits_are_those_of_the_file(fixture, interpreter, kernels, request, pcm):
    path = request.getfixturevalue(fixture)
    expected = Stream(path, interpreter=interpreter, kernels=kernels).logits(pcm)
    stream = RecordingStream(path, interpreter=interpreter, kernels=kernels)
    assert stream.manifest.input_kind == "features" and stream.labels == ("high", "low", "middle")
    for chunk in (len(pcm), 1234):
        stream.reset()
        found = np.concatenate([stream.logits(pcm[start:start + chunk]) for start in range(0, len(pcm), chunk)])
        np.testing.assert_array_equal(found, expected)
    assert len(expected) >= 90 and len(np.unique(expected, axis=0)) > 20


def test_frames_and_flush_are_those_of_the_file(small_stream, pcm):
    streams = Stream(small_stream), RecordingStream(small_stream)
    frames, others = (stream.process(pcm) + stream.flush() for stream in streams)
    assert [frame.end_samples for frame in frames] == [frame.end_samples for frame in others]
    np.testing.assert_array_equal([frame.scores for frame in frames], [frame.scores for frame in others])
    assert len(frames) == len(pcm) // 160


def test_a_network_that_looks_ahead(tone_clips, tmp_path, pcm):
    import dataclasses

    from kws_tf import models
    from kws_tf.config import ModelConfig, RunConfig
    from kws_tf.tflite import export_streaming

    config = RunConfig(data=dataclasses.replace(RunConfig().data, clip_duration=0.5),
                       model=ModelConfig(model="sparknet", channels=4, padding="symmetric"))
    model = models.build(config.model, config.features, 3, 48, seed=2)
    export_streaming(model, config, ("a", "b", "c"), tone_clips[0][:8], tmp_path / "pi", state="external", hop_frames=3)
    stream = RecordingStream(tmp_path / "pi")
    assert stream.manifest.input_kind == "features"
    np.testing.assert_array_equal(stream.logits(pcm), Stream(tmp_path / "pi").logits(pcm))


def test_another_front_end_in_the_file_is_played_as_it_is(small_stream, pcm, monkeypatch, caplog):
    expected = Stream(small_stream).logits(pcm)
    monkeypatch.setattr(gain, "DOUBLINGS", 7)
    with caplog.at_level(logging.WARNING, "absl"):
        stream = RecordingStream(small_stream)
    assert "model.tflite: its front end is not that of this version of kws_tf" in caplog.text
    assert stream.manifest.input_kind == "pcm"
    np.testing.assert_array_equal(stream.logits(pcm), expected)


def test_a_single_feature_that_differs_is_noticed(small_stream, monkeypatch):
    class OffByOne(FeatureSteps):
        def __call__(self, pcm):
            steps = super().__call__(pcm)
            steps[-20, 3] += 1
            return steps

    monkeypatch.setattr(recording_stream, "FeatureSteps", OffByOne)
    assert RecordingStream(small_stream).manifest.input_kind == "pcm"


def test_a_file_with_features_as_input_is_played_as_it_is(wake_word, pcm):
    stream = RecordingStream(wake_word.folder)
    np.testing.assert_array_equal(stream.logits(pcm), [frame.logits for frame in Stream(wake_word.folder).process(pcm)])


def test_features_do_not_depend_on_how_audio_is_cut(small_config, pcm):
    steps = FeatureSteps(small_config.features, TensorSpec("features", (1, 1, 40, 1), "int8", 0.09, 20))
    whole = steps(pcm[:160 * 30])
    steps.reset()
    parts = [steps(pcm[start:start + 160 * 5]) for start in range(0, 160 * 30, 160 * 5)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole.shape == (30, small_config.features.n_features) and whole.dtype == np.int8
