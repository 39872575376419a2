"""The engine against a stand-in of piper-tts with the same interface; the package and its voices are too large for the tests."""

import dataclasses
import json
import sys
import types

import numpy as np
import pytest

from kws_tf.errors import AudioError, ConfigError, KwsError
from kws_tf.synthesis import engine as engine_module
from kws_tf.synthesis import piper_engine


@dataclasses.dataclass
class SynthesisConfig:
    speaker_id: int | None = None
    length_scale: float | None = None
    noise_scale: float | None = None
    noise_w_scale: float | None = None


class PiperVoice:
    loaded = 0

    @staticmethod
    def load(path):
        PiperVoice.loaded += 1
        return PiperVoice()

    def synthesize(self, text, syn_config=None):
        for sentence in text.split("."):
            if sentence:
                n_samples = round(2205 * len(sentence) * syn_config.length_scale)
                samples = np.full(n_samples, 0.1 * syn_config.speaker_id, np.float32)
                yield types.SimpleNamespace(sample_rate=22050, audio_float_array=samples)


@pytest.fixture
def files(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "piper", types.SimpleNamespace(PiperVoice=PiperVoice, SynthesisConfig=SynthesisConfig))
    for name, n_speakers in (("one.onnx", 1), ("many.onnx", 3)):
        (tmp_path / name).write_bytes(name.encode())
        (tmp_path / f"{name}.json").write_text(json.dumps({"num_speakers": n_speakers, "audio": {"sample_rate": 22050}}))
    piper_engine._load.cache_clear()
    PiperVoice.loaded = 0
    return [str(tmp_path / "one.onnx"), str(tmp_path / "many.onnx")]


def test_every_speaker_of_every_file_speaks(files):
    speaker = engine_module.choose("piper", language="en", voices=files)
    names = [one[0].identifier.rsplit("/", 1)[1] for one in speaker.speakers()]
    assert names == ["one.onnx#0", "many.onnx#0", "many.onnx#1", "many.onnx#2"]
    voice = speaker.draw(speaker.speakers()[3][0], np.random.default_rng(2))
    assert voice["file"] == files[1] and voice["speaker"] == 2 and 0.75 <= voice["length_scale"] <= 1.3
    samples, rate = speaker.speak("ab.c", {**voice, "length_scale": 1.0}, 1)
    assert rate == 22050 and samples.shape == (6615,) and samples.dtype == np.float64 and samples[0] == pytest.approx(0.2)
    quick = speaker.faster({**voice, "length_scale": 1.0})
    assert len(speaker.speak("ab.c", quick, 1)[0]) == pytest.approx(6615 / 1.1, rel=0.01)
    assert speaker.faster({**voice, "length_scale": 0.42}) is None
    assert PiperVoice.loaded == 1, "a voice is loaded once"
    with pytest.raises(AudioError, match="many.onnx has nothing to say for the text '.'"):
        speaker.speak(".", voice, 1)


def test_identity_is_the_content_of_the_voices(files, tmp_path):
    before = engine_module.choose("piper", language="en", voices=files).identity()
    assert json.loads(json.dumps(before))["voices"].keys() == {"one.onnx", "many.onnx"}
    (tmp_path / "one.onnx").write_bytes(b"another")
    assert engine_module.choose("piper", language="en", voices=files).identity() != before


def test_missing_voices_and_package_are_clear_errors(files, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="--engine=piper needs voices: --voice FILE.onnx"):
        engine_module.choose("piper", language="en")
    with pytest.raises(ConfigError, match="there is no such file"):
        engine_module.choose("piper", language="en", voices=[str(tmp_path / "none.onnx")])
    (tmp_path / "bare.onnx").write_bytes(b"")
    with pytest.raises(ConfigError, match="its configuration bare.onnx.json"):
        engine_module.choose("piper", language="en", voices=[str(tmp_path / "bare.onnx")])
    monkeypatch.setitem(sys.modules, "piper", None)
    with pytest.raises(KwsError, match="pip install piper-tts"):
        engine_module.choose("piper", language="en", voices=files)
