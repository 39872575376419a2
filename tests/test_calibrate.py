import json
import shutil

import numpy as np
import pytest
import soundfile
from absl import flags

from kws_tf import calibrate
from kws_tf import manifest as manifests
from kws_tf.errors import ConfigError
from kws_tf.runtime import device_manifest, model_file
from kws_tf.runtime.detection import configure
from tests.conftest import spoken_tone
from tests.spoken_stream import speak


@pytest.fixture
def run(monkeypatch, capsys, spoken_model, tmp_path):
    (tmp_path / "positives" / "jarvis").mkdir(parents=True)
    for n in (20, 30):
        soundfile.write(tmp_path / "positives" / "jarvis" / f"{n}.wav", speak(100, [(1, 50, 50 + n)]), 16000)
    soundfile.write(tmp_path / "ambient.wav", speak(600, [(1, 100, 103)]), 16000)

    def call(*arguments):
        values = flags.FlagValues()
        calibrate.define(values)
        rest = values(["calibrate", "--keywords", "jarvis", "--workers", "1", *map(str, arguments)])
        monkeypatch.setattr(calibrate, "FLAGS", values)
        assert calibrate.main(rest) is None
        return capsys.readouterr().out
    return call


def test_presets_are_written_and_the_model_is_not_touched(run, spoken_model, tmp_path):
    before = manifests.read(spoken_model)
    output = run("--model", spoken_model, "--ambient", tmp_path / "ambient.wav", "--positives", tmp_path / "positives")
    manifest, content = model_file.read(spoken_model)
    assert manifest.model_id == before.model_id and content == model_file.read(spoken_model)[1]
    assert [preset.name for preset in manifest.detector.presets] == ["sensitive", "balanced", "strict"]
    assert json.loads((spoken_model / "manifest.json").read_text())["detector"]["default"] == "balanced"
    keywords, settings, name = configure(manifest)
    assert (keywords, name) == (("jarvis",), "balanced") and settings == manifest.detector.preset().settings
    for text in ("sensitive", "balanced", "strict", "0 of 2", "best effort: 0.00 hours with 0 false accepts show fewer than",
                 "that needs 5.99 hours without one", "written: "):
        assert text in output, text


def test_without_writing(run, spoken_model, tmp_path):
    output = run("--model", spoken_model, "--ambient", tmp_path / "ambient.wav", "--positives", tmp_path / "positives", "--nowrite",
                 "--windows_ms", "100")
    assert "balanced" in output and "written" not in output and manifests.read(spoken_model).detector is None


@pytest.mark.parametrize("arguments, message", [
    ([], "--model is missing"),
    (["--model", "m"], "--ambient is missing: recordings without the keywords"),
    (["--model", "m", "--ambient", "a"], "--positives is missing: clips of the keywords"),
    (["--model", "m", "--ambient", "a", "--positives", "p", "--windows_ms", "100,x"],
     "--windows_ms=100,x: expected comma-separated numbers"),
    (["--model", "m", "--ambient", "a", "--positives", "p", "--windows_ms", "0"], "--windows_ms: expected positive numbers"),
    (["--model", "m", "x"], "unexpected argument 'x'"),
])
def test_wrong_arguments(run, arguments, message):
    with pytest.raises((ConfigError, flags.IllegalFlagValueError), match=message):
        run(*arguments)


def test_the_manifest_of_esphome_devices_follows(wake_word, tmp_path, monkeypatch, capsys):
    folder, random = shutil.copytree(wake_word.folder, tmp_path / "esphome"), np.random.default_rng(6)
    (tmp_path / "positives" / "high").mkdir(parents=True)
    noise = (random.normal(size=64000) * 40).astype(np.int16)
    for index in range(3):
        clip = np.concatenate([noise[:16000], spoken_tone("high", random), noise[:8000]])
        soundfile.write(tmp_path / "positives" / "high" / f"{index}.wav", clip, 16000)
    soundfile.write(tmp_path / "ambient.wav", noise, 16000)
    values = flags.FlagValues()
    calibrate.define(values)
    values(["calibrate", "--model", str(folder), "--workers", "1", "--ambient", str(tmp_path / "ambient.wav"), "--positives",
            str(tmp_path / "positives"), "--windows_ms", "60"])
    monkeypatch.setattr(calibrate, "FLAGS", values)
    calibrate.main(["calibrate"])
    settings = manifests.read(folder).detector.preset().settings
    device = json.loads((folder / "esphome.json").read_text())["micro"]
    assert (device["probability_cutoff"], device["sliding_window_size"]) == (device_manifest.probability_cutoff(settings.threshold), 2)
    assert f"written: {folder / 'esphome.json'}: cutoff and sliding window of balanced" in capsys.readouterr().out
