import errno
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from kws_tf import manifest as manifests
from kws_tf.config import FeatureConfig
from kws_tf.errors import ConversionError
from kws_tf.manifest import Manifest, TensorSpec
from kws_tf.tflite import export_folder


def files(content, model_file="model.tflite"):
    manifest = Manifest(model_file, manifests.model_id(content), len(content), "clip", "float32", ("a", "b"), 16000, 16000, FeatureConfig(),
                        "features", (TensorSpec("x", (1,), "int8"),), (TensorSpec("y", (2,), "int8"),), (), 0, 0, "0")
    return {model_file: content, "manifest.json": manifests.to_json(manifest).encode()}


def held(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_makes_and_replaces(tmp_path):
    folder = tmp_path / "deep" / "export"
    export_folder.write(folder, files(b"one"), "model.tflite")
    assert held(folder) == files(b"one")
    (folder / "evaluation.json").write_text("kept")
    (folder / "plots").mkdir()
    (folder / "plots" / "a.png").write_bytes(b"p")
    export_folder.write(folder, files(b"two"), "model.tflite")
    assert (folder / "model.tflite").read_bytes() == b"two" and (folder / "evaluation.json").read_text() == "kept"
    assert (folder / "plots" / "a.png").read_bytes() == b"p"
    assert [path.name for path in folder.parent.iterdir()] == ["export"]
    export_folder.write(folder, files(b"three"), "model.tflite", gone={"evaluation.json", "never.json"})
    assert set(held(folder / "plots")) == {"a.png"} and not (folder / "evaluation.json").exists()


def test_relative_and_empty_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("empty")
    export_folder.write("empty", files(b"one"), "model.tflite")
    assert held(tmp_path / "empty") == files(b"one")


def test_refuses_what_is_not_its_own(tmp_path):
    (tmp_path / "thesis.txt").write_text("do not touch")
    with pytest.raises(ConversionError, match="is not empty and holds no readable export.*Choose an empty or new folder"):
        export_folder.write(tmp_path, files(b"one"), "model.tflite")
    with pytest.raises(ConversionError, match="is a file; an export needs a folder"):
        export_folder.write(tmp_path / "thesis.txt", files(b"one"), "model.tflite")
    export_folder.write(tmp_path / "other", files(b"one", "wake.tflite"), "wake.tflite")
    with pytest.raises(ConversionError, match="describes wake.tflite, not model.tflite"):
        export_folder.write(tmp_path / "other", files(b"one"), "model.tflite")
    assert (tmp_path / "thesis.txt").read_text() == "do not touch" and held(tmp_path / "other") == files(b"one", "wake.tflite")


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "export").symlink_to(tmp_path / "disk" / "export", target_is_directory=True)
    for content in (b"one", b"two"):
        export_folder.write(tmp_path / "export", files(content), "model.tflite")
        assert (tmp_path / "export").is_symlink() and held(tmp_path / "disk" / "export") == files(content)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "export"]


def test_a_path_that_no_disk_takes_is_an_error_with_a_reason(tmp_path):
    with pytest.raises(ConversionError, match="cannot be looked at .*File name too long.* Set --output to another path"):
        export_folder.check(tmp_path / ("x" * 300), "model.tflite")


@pytest.mark.parametrize("failing", range(1, 6))
def test_an_error_at_any_step_leaves_the_old_export(tmp_path, monkeypatch, failing):
    folder = tmp_path / "export"
    export_folder.write(folder, files(b"old"), "model.tflite")
    calls, flush = [], os.fsync

    def fails(descriptor):
        calls.append(descriptor)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fails)
    try:
        export_folder.write(folder, files(b"new"), "model.tflite")
    except ConversionError as error:
        assert "No space left on device" in str(error)
    # The fourth flush, of the parent folder, comes after the exchange.
    assert held(folder) == files(b"old" if failing < 4 else b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_without_the_exchange_call_two_renames_do(tmp_path, monkeypatch):
    monkeypatch.setattr(export_folder.ctypes, "CDLL", lambda *args, **kwargs: object())
    folder = tmp_path / "export"
    for content in (b"one", b"two"):
        export_folder.write(folder, files(content), "model.tflite")
        assert held(folder) == files(content)
    rename = os.rename

    def second_fails(source, target):
        if target == folder and source.name.endswith(".tmp"):
            raise OSError(errno.EACCES, "refused")
        rename(source, target)

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(ConversionError, match="refused"):
        export_folder.write(folder, files(b"three"), "model.tflite")
    assert held(folder) == files(b"two") and [path.name for path in tmp_path.iterdir()] == ["export"]


KILLED = """
import importlib.util, json, sys
module, folder, versions = sys.argv[1:]
spec = importlib.util.spec_from_file_location("export_folder", module)   # without the package, which would import TensorFlow
export_folder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(export_folder)
versions = [{name: bytes.fromhex(text) for name, text in version.items()} for version in json.load(open(versions))]
print("ready", flush=True)
while True:
    for version in versions:
        export_folder.write(folder, version, "model.tflite")
"""


def test_a_kill_at_any_moment_leaves_one_whole_export(tmp_path):
    folder, stored = tmp_path / "export", tmp_path / "versions.json"
    versions = [files(b"a" * 200_000), files(b"b" * 300_000)]
    export_folder.write(folder, versions[0], "model.tflite")
    stored.write_text(json.dumps([{name: content.hex() for name, content in version.items()} for version in versions]))
    for delay_ms in (1, 3, 7, 12, 20, 33):
        with subprocess.Popen([sys.executable, "-c", KILLED, export_folder.__file__, folder, stored], stdout=subprocess.PIPE,
                              cwd=pathlib.Path(export_folder.__file__).parents[2]) as process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(delay_ms / 1000)
            process.send_signal(signal.SIGKILL)
        assert held(folder) in versions
