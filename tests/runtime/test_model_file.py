import json
import os
import shutil
import time

import numpy as np
import pytest

from kws_tf import manifest as manifests
from kws_tf import shipped
from kws_tf.errors import ModelFileError
from kws_tf.runtime import Stream, load_model, model_file


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported / "features", tmp_path / "features")


def test_reads_by_file_and_by_folder(exported):
    folder = exported / "features"
    manifest, content = model_file.read(folder)
    assert (manifest, content) == model_file.read(str(folder / "model.tflite"))
    assert content == (folder / "model.tflite").read_bytes() and len(content) == manifest.model_bytes


@pytest.fixture
def zoo(exported, small_stream, tmp_path, monkeypatch):
    """A folder of shipped models: both with a clip file, one with a streaming file too."""
    for place, folder in (("one/clip", exported / "features"), ("two/clip", exported / "features"), ("two/streaming", small_stream)):
        shutil.copytree(folder, tmp_path / "models" / place)
    monkeypatch.setattr(shipped, "folder", lambda name: tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


def test_a_shipped_model_is_found_by_name(zoo):
    assert load_model("two").manifest.kind == "clip" and Stream("two").manifest.kind == "streaming"
    assert model_file.find("one/clip") == (zoo / "one" / "clip", None)
    assert {name: sorted(files) for name, files in model_file.shipped_models().items()} == {"one": ["clip"], "two": ["clip", "streaming"]}
    (zoo.parent / "two").mkdir()
    with pytest.raises(ModelFileError, match="two/manifest.json: no manifest"):
        load_model("two")


@pytest.mark.parametrize("name, message", [
    ("two", "two: the shipped model two has two/clip and two/streaming; name one of them"),
    ("one/tflm", "one/tflm: the shipped model one has one/clip; name one of them"),
    ("three", r"three: there is no such file. --model takes .* the name of a shipped model \(one, two\)\."),
    ("one/../two/clip", "the shipped model one has one/clip; name one of them"),
])
def test_a_name_that_is_none_or_stands_for_two_files_is_refused(zoo, name, message):
    with pytest.raises(ModelFileError, match=message):
        model_file.find(name)


def test_every_truncated_file_is_refused(copy):
    content = (copy / "model.tflite").read_bytes()
    for length in np.random.default_rng(1).integers(0, len(content), 100):
        (copy / "model.tflite").write_bytes(content[:length])
        with pytest.raises(ModelFileError, match=f"{length} bytes, but the manifest says {len(content)}: truncated or replaced"):
            load_model(copy)


def test_every_flipped_bit_is_refused(copy):
    content = (copy / "model.tflite").read_bytes()
    for position in np.random.default_rng(2).integers(0, 8 * len(content), 100):
        flipped = bytearray(content)
        flipped[position // 8] ^= 1 << (position % 8)
        (copy / "model.tflite").write_bytes(flipped)
        with pytest.raises(ModelFileError, match="SHA-256 .* the file was altered after the export"):
            load_model(copy)


def test_an_appended_file_is_refused_without_reading_it(copy):
    with open(copy / "model.tflite", "ab") as file:
        file.truncate(1 << 40)  # sparse: reading it would take minutes
    begun = time.monotonic()
    with pytest.raises(ModelFileError, match="truncated or replaced"):
        load_model(copy)
    assert time.monotonic() - begun < 1


def test_a_text_file_with_a_matching_manifest_is_refused(copy):
    content = b"this is a text file, not a model"
    (copy / "model.tflite").write_bytes(content)
    values = json.loads((copy / "manifest.json").read_text())
    values |= {"model_bytes": len(content), "model_id": manifests.model_id(content)}
    (copy / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(ModelFileError, match="not a TFLite file"):
        load_model(copy)


def test_missing_things(copy, tmp_path):
    with pytest.raises(ModelFileError, match="no such file. --model takes a .tflite file, its export folder, or the name"):
        load_model(tmp_path / "nothing.tflite")
    with pytest.raises(ModelFileError, match="no manifest beside the model"):
        load_model(tmp_path)
    (copy / "model.tflite").unlink()
    with pytest.raises(ModelFileError, match="the manifest names this file, but it is not there"):
        load_model(copy)


def test_a_file_that_the_manifest_does_not_describe(copy):
    shutil.copy(copy / "model.tflite", copy / "other.tflite")
    with pytest.raises(ModelFileError, match="describes model.tflite, not other.tflite"):
        load_model(copy / "other.tflite")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(copy):
    (copy / "model.tflite").unlink()
    os.mkfifo(copy / "model.tflite")
    with pytest.raises(ModelFileError, match="no regular file"):
        load_model(copy / "model.tflite")
    with pytest.raises(ModelFileError, match="it is not there"):
        load_model(copy)
