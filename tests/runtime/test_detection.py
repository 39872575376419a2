import types

import pytest

from kws_tf.config import FeatureConfig
from kws_tf.detector_settings import DetectorPreset, DetectorPresets, DetectorSettings
from kws_tf.errors import ConfigError, ModelFileError
from kws_tf.manifest import Streaming, StreamState, TensorSpec
from kws_tf.runtime import detection

PRESETS = DetectorPresets(("jarvis",), "balanced", (DetectorPreset("balanced", DetectorSettings(200, 100, 7)),
                                                    DetectorPreset("strict", DetectorSettings(240, 240, 9))))


def manifest(presets=None, streaming=True, stride_frames=1):
    state = StreamState("s", (1, 2), "int8", 0.1, 0, "s_in", "s_out")
    outputs = (TensorSpec("s_out", (1, 2), "int8", 0.1), TensorSpec("logits", (1, 3), "int8", 0.2))
    return types.SimpleNamespace(
        model_file="m.tflite", kind="streaming" if streaming else "clip", labels=("_unknown_", "jarvis", "computer"), sample_rate=16000,
        features=FeatureConfig(), detector=presets, outputs=outputs,
        streaming=Streaming(2, 320, "external", 0, 0.0, 98, (state,), stride_frames=stride_frames) if streaming else None)


def test_time_between_scores_and_the_logits():
    assert detection.score_samples(manifest()) == 160 and detection.score_samples(manifest(stride_frames=2)) == 320
    assert detection.logits_spec(manifest()).name == "logits"
    with pytest.raises(ModelFileError, match="m.tflite: a clip model; continuous audio needs a streaming one. Convert"):
        detection.score_samples(manifest(streaming=False))


def test_without_presets_all_words_at_a_probability():
    assert detection.configure(manifest()) == (("jarvis", "computer"), DetectorSettings(204, 153, 10, 100, 0), "")
    assert detection.configure(manifest(stride_frames=2))[1] == DetectorSettings(204, 153, 5, 50, 0)
    with pytest.raises(ConfigError, match="--preset=strict: m.tflite has no presets yet; make them with python -m kws_tf.calibrate"):
        detection.configure(manifest(), "strict")


def test_presets_and_changes():
    assert detection.configure(manifest(PRESETS)) == (("jarvis",), DetectorSettings(200, 100, 7), "balanced")
    assert detection.configure(manifest(PRESETS), "strict", window_scores=None) == (("jarvis",), DetectorSettings(240, 240, 9), "strict")
    keywords, settings, name = detection.configure(manifest(PRESETS), keywords=("computer",), threshold=80, window_scores=3)
    assert (keywords, settings, name) == (("computer",), DetectorSettings(80, 40, 3), "balanced*")
    odd = DetectorPresets(("jarvis",), "a", (DetectorPreset("a", DetectorSettings(43, 31)),))
    assert detection.configure(manifest(odd), threshold=43)[1] == DetectorSettings(43, 31), "the same threshold is no change"
    assert detection.configure(manifest(PRESETS), threshold=80, release=70)[1] == DetectorSettings(80, 70, 7)
    with pytest.raises(ConfigError, match="must be labels of the model, .*: _unknown_, jarvis, computer; received alexa. Set --keywords"):
        detection.configure(manifest(), keywords=("alexa",))
    with pytest.raises(ConfigError, match="each once: .*; received jarvis, jarvis"):
        detection.configure(manifest(PRESETS), keywords=("jarvis", "jarvis"))
    with pytest.raises(ConfigError, match="--preset=loud: this model has balanced, strict"):
        detection.configure(manifest(PRESETS), "loud")
