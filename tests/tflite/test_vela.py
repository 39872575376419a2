"""The compiler for Ethos-U: a real one where it is installed, and everything that can be wrong with it."""

import dataclasses
import hashlib
import stat

import pytest

from kws_tf import manifest as manifests
from kws_tf import tflite
from kws_tf.errors import ConversionError
from kws_tf.tflite import vela


def is_installed():
    try:
        return bool(vela.find())
    except ConversionError:
        return False


needs_vela = pytest.mark.skipif(not is_installed(), reason="Vela (extra vela) is not installed")


@needs_vela
def test_the_features_file_runs_on_the_accelerator_alone(exported):
    content = (exported / "features" / "model.tflite").read_bytes()
    compiled, estimate = vela.compile_model(content, vela.VelaSettings())
    assert compiled[4:8] == b"TFL3" and estimate.model_id == hashlib.sha256(compiled).hexdigest()
    assert estimate.cpu_operators == {} and estimate.cpu_share == 0 and estimate.operators == sum(vela.operators(content).values())
    assert (estimate.accelerator, estimate.clock_mhz) == ("ethos-u55-128", 500) and "Ethos_U55" in estimate.system
    assert 0.01 < estimate.milliseconds < 20 and estimate.sram_bytes > 1000 and estimate.flash_bytes > 1000
    slower = vela.compile_model(content, vela.VelaSettings("ethos-u55-32"))[1]
    assert slower.milliseconds > estimate.milliseconds and slower.accelerator == "ethos-u55-32"


@needs_vela
def test_the_profile_stores_estimate_and_compiled_file(small_network, tone_clips, exported, tmp_path):
    path = tflite.export(small_network.model, small_network.config, small_network.classes, tone_clips[0], tmp_path / "out",
                         profile="ethos-u", vela=vela.VelaSettings("ethos-u55-256"))
    assert path.read_bytes() == (exported / "pi" / "model.tflite").read_bytes()
    manifest = manifests.read(path.parent)
    assert (manifest.profile, manifest.input_kind, manifest.ethos.accelerator) == ("ethos-u", "pcm", "ethos-u55-256")
    assert 0 < manifest.ethos.cpu_share < 0.1 and "BATCH_MATMUL" in manifest.ethos.cpu_operators
    compiled = (path.parent / manifest.ethos.model_file).read_bytes()
    assert (hashlib.sha256(compiled).hexdigest(), len(compiled)) == (manifest.ethos.model_id, manifest.ethos.model_bytes)
    assert "## Ethos-U" in (path.parent / "report.md").read_text()
    assert manifests.from_json(manifests.to_json(manifest)) == manifest


@needs_vela
def test_the_step_of_a_stream_keeps_its_states_on_the_cpu(small_network, tone_clips, tmp_path):
    path = tflite.export_streaming(small_network.model, small_network.config, small_network.classes, tone_clips[0], tmp_path / "out",
                                   profile="ethos-u", state="internal", hop_frames=2)
    estimate = manifests.read(path.parent).ethos
    assert estimate.cpu_operators["READ_VARIABLE"] == estimate.cpu_operators["ASSIGN_VARIABLE"] > 1 and estimate.cpu_share < 0.3


def program(tmp_path, text):
    path = tmp_path / "vela"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return vela.VelaSettings(program=str(path))


@pytest.mark.parametrize(("text", "message"), [
    ("echo no such operator >&2; exit 3", "Vela refuses the file: no such operator"),
    ("echo 5.2.0", "Vela 5.2.0 wrote no compiled file or no summary"),
    ("exit 0", "Vela of no version wrote no compiled file or no summary"),
    ('echo 5.2.0; [ "$1" = --version ] || { cp "$1" "$3/model_vela.tflite"; : > "$3/x_summary.csv"; }',
     "its summary has another form than expected"),
    ('echo 5.2.0; [ "$1" = --version ] || { cp "$1" "$3/model_vela.tflite"; printf "a,b\\n1,2\\n" > "$3/x_summary.csv"; }',
     "its summary has another form than expected"),
])
def test_a_compiler_that_fails(text, message, exported, tmp_path):
    with pytest.raises(ConversionError, match=message):
        vela.compile_model((exported / "features" / "model.tflite").read_bytes(), program(tmp_path, text))


def test_a_compiler_that_is_not_there(monkeypatch, tmp_path):
    with pytest.raises(ConversionError, match=r"nowhere/vela was not found. Install it with pip install 'kws_tf\[vela\]', or in an env"):
        vela.find("nowhere/vela")
    monkeypatch.setattr(vela.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConversionError, match="profile ethos-u needs Vela, and vela was not found"):
        vela.find()


def test_an_unknown_accelerator():
    with pytest.raises(ConversionError, match="accelerator must be one of ethos-u55-32, .*received 'ethos-u99'. Set --accelerator"):
        vela.VelaSettings("ethos-u99")


def test_shares_of_nothing():
    estimate = manifests.EthosEstimate("5", "a", "b", 1.0, 1.0, 1, 1, 0, {}, "m", "0", 1)
    assert estimate.cpu_share == 0 and dataclasses.replace(estimate, operators=4, cpu_operators={"A": 1}).cpu_share == 0.25
