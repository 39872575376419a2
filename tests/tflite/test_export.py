import math
import shutil

import numpy as np
import pytest

import kws_tf.manifest as manifests
from kws_tf import tflite
from kws_tf.config import FEATURE_PRESETS, GRAPH_PRESETS, FeatureConfig, RunConfig, from_dict
from kws_tf.errors import ConversionError
from kws_tf.runtime import model_file
from kws_tf.runtime.features import FeatureExtractor
from kws_tf.tflite import operators
from kws_tf.tflite.export import finish, silence_range


@pytest.mark.parametrize(("profile", "source", "dtype"), [
    ("float32", ("features", (1, 48, 20, 1), "float32"), "float32"),
    ("features", ("features", (1, 48, 20, 1), "int8"), "int8"),
    ("pi", ("pcm", (1, 8000), "int16"), "int8"),
])
def test_the_folder_and_its_manifest(exported, small_network, profile, source, dtype):
    folder = exported / profile
    assert sorted(path.name for path in folder.iterdir()) == ["labels.txt", "manifest.json", "model.tflite", "report.md"]
    content, manifest = (folder / "model.tflite").read_bytes(), manifests.read(folder)
    assert (folder / "labels.txt").read_text() == "high\nlow\nmiddle\n" and manifest.labels == ("high", "low", "middle")
    assert (manifest.model_id, manifest.model_bytes) == (manifests.model_id(content), len(content))
    assert (manifest.kind, manifest.profile, manifest.input_kind, manifest.crop) == (
        "clip", profile, "pcm" if source[0] == "pcm" else "features", "energy")
    assert (manifest.sample_rate, manifest.clip_samples, manifest.features) == (16000, 8000, small_network.config.features)
    (found,), (target,) = manifest.inputs, manifest.outputs
    assert (found.name, found.shape, found.dtype) == source
    assert (target.name, target.shape, target.dtype, target.scale > 0) == ("logits", (1, 3), dtype, dtype == "int8")
    assert manifest.operators == operators.count(content) and manifest.macs == sum(entry.macs for entry in manifest.operators)
    assert manifest.parameters == sum(math.prod(weight.shape) for weight in small_network.model.trainable_weights)
    assert from_dict(RunConfig, manifest.run) == small_network.config and manifest.metrics == {"validation_accuracy": 0.5}


def test_same_network_same_bytes(exported, small_network, tmp_path):
    path = tflite.export(small_network.model, small_network.config, small_network.classes, None, tmp_path / "again", profile="float32")
    assert path.read_bytes() == (exported / "float32" / "model.tflite").read_bytes()


@pytest.mark.parametrize("changes, message", [
    ({"profile": "mp3"}, "one of pi, tflm, features, float32, esphome, ethos-u; received 'mp3'. Set --profile"),
    ({"classes": ("a", "b")}, "the network has 3 outputs, but there are 2 classes"),
    ({"profile": "features", "calibration_pcm": None}, r"calibration: expected int16 PCM \[clips, samples\]"),
    ({"profile": "pi", "calibration_pcm": np.zeros((0, 8000), np.int16)}, "at least one clip"),
])
def test_a_failed_export_leaves_nothing(small_network, tone_clips, tmp_path, changes, message):
    values = {"model": small_network.model, "run_config": small_network.config, "classes": small_network.classes,
              "calibration_pcm": tone_clips[0], "output_dir": tmp_path / "export", "profile": "float32", **changes}
    with pytest.raises(ConversionError, match=message):
        tflite.export(**values)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_checked_before_the_long_conversion(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConversionError, match="Choose an empty or new folder"):
        tflite.export(None, None, (), None, tmp_path)


@pytest.mark.parametrize("config", [*GRAPH_PRESETS.values(), FeatureConfig(log_floor=10.0)], ids=str)
def test_silence_range_is_that_of_digital_silence(config):
    silence = FeatureExtractor(config)(np.zeros(config.window_samples, np.int16))
    low, high = silence_range(config)
    assert low == pytest.approx(min(silence.min(), 0), abs=1e-4) and high == pytest.approx(max(silence.max(), 0), abs=1e-4)


def test_the_features_of_esphome_devices_have_the_range_of_devices():
    assert silence_range(FEATURE_PRESETS["micro"]) == (0.0, 26.0)


def test_what_another_profile_wrote_goes_with_it(exported, tmp_path):
    folder = tmp_path / "export"
    shutil.copytree(exported / "features", folder)
    for name in ("esphome.json", "model_vela.tflite", "yours.txt"):
        (folder / name).write_text("x")
    manifest, content = model_file.read(folder)
    finish(folder, content, manifest)
    assert sorted(path.name for path in folder.iterdir()) == ["labels.txt", "manifest.json", "model.tflite", "report.md", "yours.txt"]
