import json
import os
import shutil
import time

import numpy as np
import pytest

from kws_tf import manifest as manifests
from kws_tf.errors import ModelFileError
from kws_tf.runtime import load_model, model_file


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported / "features", tmp_path / "features")


def test_reads_by_file_and_by_folder(exported):
    folder = exported / "features"
    manifest, content = model_file.read(folder)
    assert (manifest, content) == model_file.read(str(folder / "model.tflite"))
    assert content == (folder / "model.tflite").read_bytes() and len(content) == manifest.model_bytes


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
    with pytest.raises(ModelFileError, match="no such file. --model takes a .tflite file or its export folder"):
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
