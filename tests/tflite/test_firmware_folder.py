"""The folder of C++ sources; that they compile and compute the right thing is tested in tests/firmware."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

from kws_tf import manifest as manifests
from kws_tf import shipped
from kws_tf.detector_settings import DetectorPreset, DetectorPresets, DetectorSettings
from kws_tf.errors import ConfigError, ConversionError, ModelFileError
from kws_tf.runtime import model_file
from kws_tf.tflite import export_folder, firmware_folder, micro

SOURCES = shipped.folder("firmware") / "src"
GENERATED = {"kws_model_data.h", "kws_model_data.cc", "kws_model_ops.h", "kws_model_config.h", "kws_labels.h", "kws_golden.h"}


def number(folder, name):
    found = re.search(rf" {name} = ([-\w]+);", (folder / "kws_model_config.h").read_text(encoding="utf-8"))
    return {"true": 1, "false": 0}.get(found.group(1)) if found.group(1) in ("true", "false") else int(found.group(1))


def changed(folder, target, **changes):
    """A copy of an export folder with another manifest."""
    shutil.copytree(folder, target)
    manifest = dataclasses.replace(manifests.read(target), **changes)
    (target / "manifest.json").write_text(manifests.to_json(manifest), encoding="utf-8")
    return target


@pytest.fixture(scope="module")
def folder(micro_stream, tmp_path_factory):
    """A folder without an example."""
    path = tmp_path_factory.mktemp("firmware") / "out"
    firmware_folder.write(micro_stream, path, golden_seconds=0.1)
    return path


def test_everything_that_is_needed_and_nothing_else(folder):
    names = {path.name for path in folder.iterdir()}
    sources = {path.name for path in (SOURCES).iterdir()}
    assert names == GENERATED | sources | {"model.tflite", "manifest.json"} and {"kws_engine.cc", "kws_detector.cc"} <= sources
    assert all((folder / name).read_bytes() == (SOURCES / name).read_bytes() for name in sources)


def test_the_array_is_the_model_and_aligned(folder, micro_stream):
    text = (folder / "kws_model_data.cc").read_text(encoding="utf-8")
    content = bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2})", text))
    manifest, expected = model_file.read(micro_stream)
    assert content == expected and f"alignas(16) const uint8_t kModelData[{len(content)}]" in text and manifest.model_id in text
    assert model_file.read(folder)[1] == content


def test_the_configuration_is_that_of_the_manifest(folder, micro_stream):
    manifest = manifests.read(micro_stream)
    expected = {"kStreaming": 1, "kSampleRate": 16000, "kHopSamples": 320, "kScoresPerHop": 2, "kScoreSamples": 160, "kClasses": 3,
                "kDelaySamples": 0, "kValidInput": -1, "kVariables": len(manifest.streaming.states), "kModelBytes": manifest.model_bytes}
    assert {name: number(folder, name) for name in expected} == expected
    measured, declared = number(folder, "kArenaBytesMeasured"), number(folder, "kArenaBytes")
    assert measured == manifest.arena.n_bytes and declared % 16 == 0 and 1.25 * measured - 1 <= declared < 1.25 * measured + 16
    assert [line.strip() for line in (folder / "kws_labels.h").read_text(encoding="utf-8").splitlines() if '"' in line] == [
        '"high", "low", "middle",']


def test_presets_of_the_manifest_and_other_keywords(micro_stream, tmp_path):
    presets = DetectorPresets(("low",), "b", (DetectorPreset("a", DetectorSettings(200, 150, 7, 90, 3)),
                                              DetectorPreset("b", DetectorSettings(100, 80, 12, 50))))
    source = changed(micro_stream, tmp_path / "model", detector=presets)
    device, _ = firmware_folder.write(source, tmp_path / "out", golden_seconds=0.1, keywords=["middle", "low"])
    text = (tmp_path / "out" / "kws_model_config.h").read_text(encoding="utf-8")
    assert "{200, 150, 7, 90, 3}, {100, 80, 12, 50, 0}," in text and '"a", "b",' in text and "kKeywordClasses[2] = {\n    2, 1,\n};" in text
    assert (number(tmp_path / "out", "kDefaultPreset"), number(tmp_path / "out", "kLongestWindowScores")) == (1, 12)
    assert device.presets.keywords == ("middle", "low") and manifests.read(tmp_path / "out").detector == presets


def test_a_clip_file_gets_hops_of_its_own(exported, tmp_path):
    device, _ = firmware_folder.write(exported / "pi", tmp_path / "out", clip_hop_seconds=0.1)
    assert (device.hop_samples, device.score_samples, device.hop_scores) == (1600, 1600, 1)
    assert (number(tmp_path / "out", "kStreaming"), number(tmp_path / "out", "kVariables")) == (0, 0)
    assert dataclasses.astuple(device.presets.preset().settings) == (204, 153, 1, 10, 0)


def test_the_self_test_of_a_network_that_looks_ahead_hears_its_scores(micro_stream, tmp_path, monkeypatch):
    section = manifests.read(micro_stream).streaming
    late = changed(micro_stream, tmp_path / "late", streaming=dataclasses.replace(section, delay_frames=30))
    lengths = []
    make = firmware_folder.golden_audio.make
    monkeypatch.setattr(firmware_folder.golden_audio, "make", lambda *all_, **more: (lengths.append(len(all_[3])), make(*all_, **more))[1])
    for path in (micro_stream, late):
        firmware_folder.write(path, tmp_path / f"{path.name}_out", golden_seconds=0.1)
    assert lengths == [1600, 1600 + 30 * 160]


@pytest.mark.parametrize("board, code, main", [("host", "", "main.cc"), ("arduino", "", "out.ino"), ("esp32s3", "main", "main/main.cc"),
                                               ("pico", "", "main.cc"), ("stm32", "", "kws_app.cc")])
def test_projects_of_every_board(micro_stream, tmp_path, board, code, main):
    firmware_folder.write(micro_stream, tmp_path / "out", board=board, golden_seconds=0.1)
    suffix = ".cpp" if board == "arduino" else ".cc"
    assert (tmp_path / "out" / main).is_file() and (tmp_path / "out" / code / f"kws_engine{suffix}").is_file()
    assert (tmp_path / "out" / code / f"kws_model_data{suffix}").is_file() and (tmp_path / "out" / "manifest.json").is_file()
    assert not list((tmp_path / "out").rglob("*.cc" if board == "arduino" else "*.cpp"))


def test_a_second_call_keeps_what_is_yours(micro_stream, tmp_path):
    output = tmp_path / "out"
    firmware_folder.write(micro_stream, output, board="esp32s3", golden_seconds=0.1)
    (output / "main" / "main.cc").write_text("mine")
    (output / "main" / "more.cc").write_text("mine too")
    (output / "build").mkdir()
    (output / "build" / "cache").write_text("x")
    (output / "main" / "kws_engine.cc").write_text("old")
    _, kept = firmware_folder.write(micro_stream, output, board="esp32s3", golden_seconds=0.1)
    assert "main/main.cc" in kept and "main/kws_engine.cc" not in kept
    assert [(output / name).read_text() for name in ("main/main.cc", "main/more.cc", "build/cache")] == ["mine", "mine too", "x"]
    assert (output / "main" / "kws_engine.cc").read_bytes() == (SOURCES / "kws_engine.cc").read_bytes()
    with pytest.raises(ConfigError, match="holds a project for --board=esp32s3; choose another --output for --board=pico"):
        firmware_folder.write(micro_stream, output, board="pico", golden_seconds=0.1)


def test_the_arena_is_measured_where_the_manifest_has_none(micro_stream, tmp_path, monkeypatch):
    source = changed(micro_stream, tmp_path / "model", arena=None)
    if not micro.unavailable():
        device, _ = firmware_folder.write(source, tmp_path / "out", golden_seconds=0.1)
        assert device.manifest.arena == manifests.read(micro_stream).arena == manifests.read(tmp_path / "out").arena
    monkeypatch.setattr(micro, "unavailable", lambda: "not here")
    with pytest.raises(ConversionError, match="the manifest has no arena, and it cannot be measured: not here"):
        firmware_folder.write(source, tmp_path / "none", golden_seconds=0.1)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name, message", [("features", "takes features and has no state"), ("float32", "takes features and has no state")])
def test_a_file_for_other_machines_is_refused(exported, tmp_path, name, message):
    with pytest.raises(ConversionError, match=message):
        firmware_folder.write(exported / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_external_state_is_refused(small_stream, tmp_path):
    with pytest.raises(ConversionError, match="external state; a microcontroller needs PCM in and, if it streams, internal state"):
        firmware_folder.write(small_stream, tmp_path / "out")


def test_a_damaged_file_is_never_looked_at(micro_stream, tmp_path):
    source = shutil.copytree(micro_stream, tmp_path / "model")
    content = bytearray((source / "model.tflite").read_bytes())
    content[5000] ^= 1
    (source / "model.tflite").write_bytes(content)
    with pytest.raises(ModelFileError, match="SHA-256"):
        firmware_folder.write(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options, message", [({"keywords": ["alexa"]}, "keywords must be labels"),
                                              ({"board": "toaster"}, "board must be one of host, arduino, .*; received 'toaster'"),
                                              ({"golden_seconds": 0.0}, "0 samples; at least one hop"),
                                              ({"golden_pcm": np.zeros(100, np.int16)}, "at least one hop")])
def test_wrong_options(micro_stream, tmp_path, options, message):
    with pytest.raises((ConfigError, ConversionError), match=message):
        firmware_folder.write(micro_stream, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_clip_hop_longer_than_the_clip_is_refused(exported, tmp_path):
    with pytest.raises(ConfigError, match="--clip_hop_seconds must be above 0 and at most the 0.5 s of a clip; received 0.6"):
        firmware_folder.write(exported / "pi", tmp_path / "out", clip_hop_seconds=0.6)


def test_a_manifest_cannot_write_code(micro_stream, tmp_path):
    manifest = manifests.read(micro_stream)
    source = changed(micro_stream, tmp_path / "model", kws_tf_version="1\n#error",
                     arena=dataclasses.replace(manifest.arena, tflm_version="2\n#error"))
    firmware_folder.write(source, tmp_path / "out", golden_seconds=0.1)
    lines = [line for path in (tmp_path / "out").glob("kws_*.h") for line in path.read_text(encoding="utf-8").splitlines()]
    assert any("1 #error" in line for line in lines) and any("2 #error" in line for line in lines)
    assert not any(line.startswith("#error") for line in lines)


def test_a_folder_of_something_else_is_left_alone(micro_stream, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(ConversionError, match="holds no readable export"):
        firmware_folder.write(micro_stream, tmp_path / "out", golden_seconds=0.1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_failure_leaves_the_old_folder(folder, micro_stream, tmp_path, monkeypatch):
    output = shutil.copytree(folder, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in output.iterdir()}

    def full(path, content):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(export_folder, "_write_flushed", full)
    with pytest.raises(ConversionError, match="No space left"):
        firmware_folder.write(micro_stream, output, golden_seconds=0.1)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before and list(tmp_path.iterdir()) == [output]


def test_the_manifest_in_the_folder_is_json(folder):
    assert json.loads((folder / "manifest.json").read_text())["profile"] == "tflm"
