import dataclasses
import json

import pytest

from kws_tf import manifest as manifests
from kws_tf.config import FeatureConfig
from kws_tf.detector_settings import DetectorPreset, DetectorPresets, DetectorSettings
from kws_tf.errors import ModelFileError
from kws_tf.manifest import Arena, Cost, HostTime, Manifest, OperatorCount, PartCost, Streaming, StreamState, TensorSpec


def example(**changes):
    values = {
        "model_file": "model.tflite", "model_id": manifests.model_id(b"model"), "model_bytes": 5, "kind": "clip", "profile": "features",
        "labels": ("no", "ja", "_silence_"), "sample_rate": 16000, "clip_samples": 16000,
        "features": FeatureConfig(n_mels=80, low_hz=60.5, log_floor=1e-7), "input_kind": "features",
        "inputs": (TensorSpec("features", (1, 98, 80, 1), "int8", 0.1, -3),), "outputs": (TensorSpec("logits", (1, 3), "int8", 0.25, 7),),
        "operators": (OperatorCount("CONV_2D", 3, 18, 1000), OperatorCount("ADD", 2, 4)), "macs": 1000, "parameters": 77,
        "kws_tf_version": "0.1.0", "metrics": {"accuracy": 0.97, "by_class": [1, None]}, "run": {"train": {"seed": 3}},
        **changes,
    }
    return Manifest(**values)


def altered(**changes):
    values = json.loads(manifests.to_json(example()))
    values.update(changes)
    return json.dumps(values)


def without(name):
    values = json.loads(manifests.to_json(example()))
    del values[name]
    return json.dumps(values)


def detector(keywords=("ja",), default="strict", release=1):
    preset = {"name": "strict", "settings": {"threshold": 100, "release": release}}
    return {"keywords": list(keywords), "default": default, "presets": [preset]}


def streaming(**changes):
    states = (StreamState("stem", (1, 4, 20, 1), "int8", 0.5, 1, "stem", "stem/next"), StreamState("ring", (1, 97, 1, 3), "int8", 0.25, 7,
                                                                                                 "ring", "ring/next"))
    return Streaming(**{"hop_frames": 2, "hop_samples": 320, "state": "external", "delay_frames": 8, "delay_ms": 80.0, "window_frames": 98,
                        "states": states, "valid": "valid", **changes})


def test_json_round_trip_keeps_every_field():
    cost = Cost((PartCost("front_end", 30, 900, 40000, 30000), PartCost("classifier", 9, 100, 5000, 4000)),
                host_times=(HostTime("tflite_runtime 2.14.0", "reference", 1.5),), host="x86_64, 2 processors")
    preset = DetectorPreset("strict", DetectorSettings(threshold=250, release=9, warmup_scores=3), {"misses": 2, "interval": [0.1, 0.2]})
    detector = DetectorPresets(("ja",), "strict", (preset,))
    full = example(kind="streaming", streaming=streaming(), arena=Arena(23000, "0.dev2026"), cost=cost,
                   detector=detector, data_licence="CC BY 4.0", crop="centre")
    again = manifests.from_json(manifests.to_json(full))
    assert again == full
    assert isinstance(again.labels, tuple) and isinstance(again.inputs[0].shape, tuple)
    assert isinstance(again.arena, Arena) and again.cost.nodes == 39
    assert {field.name for field in dataclasses.fields(Manifest)} == set(json.loads(manifests.to_json(full)))
    assert manifests.from_json(manifests.to_json(example())).cost is None


def test_model_id_is_sha256():
    assert manifests.model_id(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("text, message", [
    ("", "not a JSON text"),
    ("{", "not a JSON text"),
    ("[" * 100_000, "not a JSON text"),
    ("[1, 2]", "a JSON object is expected; received list"),
    (altered(schema_version=2), "schema_version must be 1; received 2. Use the kws_tf version that made the model"),
    (without("schema_version"), "schema_version must be 1; received None"),
    (without("labels"), "lacks labels"),
    (altered(surprise=1), "unknown field surprise"),
    (altered(model_bytes="5"), "manifest.model_bytes must be int; received '5'"),
    (altered(model_bytes=True), "manifest.model_bytes must be int"),
    (altered(model_bytes=0), "must be positive"),
    (altered(clip_samples=-1), "must be positive"),
    (altered(labels=["a", "a", "b"]), "labels must be at least two different names"),
    (altered(labels="abc"), "manifest.labels must be a list"),
    (altered(labels=["a", 1, "b"]), r"manifest.labels\[1\] must be str"),
    (altered(kind="song"), "kind must be one of clip, streaming; received 'song'"),
    (altered(input_kind="mp3"), "input_kind must be one of features, pcm"),
    (altered(crop="random"), "crop must be one of energy, start, centre, end"),
    (altered(model_id="12ab"), "model_id must be a SHA-256"),
    (altered(model_file="../other.tflite"), "model_file must be a plain file name; received '../other.tflite'"),
    (altered(model_file=""), "model_file must be a plain file name"),
    (altered(sample_rate=8000), "sample_rate 8000 and the features' 16000 differ"),
    (altered(inputs=[]), "inputs and outputs be listed"),
    (altered(inputs=[{"name": "x", "shape": [1, "2"], "dtype": "int8"}]), r"inputs\[0\].shape\[1\] must be int"),
    (altered(inputs=[{"name": "x", "dtype": "int8"}]), r"inputs\[0\] lacks shape"),
    (altered(outputs=[{"name": "x", "shape": [1], "dtype": "int8", "scale": float("nan")}]), r"outputs\[0\].scale must be float"),
    (altered(features={}), "features lacks kind"),
    (altered(features={**json.loads(manifests.to_json(example()))["features"], "n_mels": -4}), "features.*n_mels must be at least 1"),
    (altered(features={**json.loads(manifests.to_json(example()))["features"], "n_mels": "x"}), "manifest.features.n_mels must be int"),
    (altered(features={**json.loads(manifests.to_json(example()))["features"], "hop_samples": 160.5}), "features.hop_samples must be int"),
    (altered(features={**json.loads(manifests.to_json(example()))["features"], "fft_size": 1 << 40}), "fft_size must be at most"),
    (altered(arena={"n_bytes": 1}), "arena lacks tflm_version"),
    (altered(cost={"parts": [{"name": "front_end"}]}), r"cost.parts\[0\] lacks nodes, macs, n_bytes, constant_bytes"),
    (altered(metrics=[]), "manifest.metrics must be dict"),
    (altered(detector=detector(keywords=["maybe"])), "detector: maybe must be one of the labels no, ja, _silence_"),
    (altered(detector=detector(default="loud")), "presets must have different names and hold the default 'loud'"),
    (altered(detector=detector(release=200)), r"presets\[0\].settings: detector: release must be a whole number from 1 to 100"),
    (altered(detector={"threshold": 3}), "detector has the unknown field threshold"),
])
def test_a_wrong_manifest_is_refused_by_name(text, message):
    with pytest.raises(ModelFileError, match=message):
        manifests.from_json(text)


def test_read_names_the_file(tmp_path):
    with pytest.raises(ModelFileError, match=r"manifest\.json: no manifest beside the model"):
        manifests.read(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(manifests.to_json(example()), encoding="utf-8")
    assert manifests.read(tmp_path) == example()
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelFileError, match=r"manifest\.json: cannot be read"):
        manifests.read(tmp_path)
    path.write_text(altered(kind="x"), encoding="utf-8")
    with pytest.raises(ModelFileError, match=r"manifest\.json: manifest: kind must be"):
        manifests.read(tmp_path)


def test_a_huge_manifest_is_not_read(tmp_path):
    with open(tmp_path / "manifest.json", "wb") as file:
        file.truncate(manifests.LARGEST_MANIFEST_BYTES + 1)
    with pytest.raises(ModelFileError, match="too many for a manifest"):
        manifests.read(tmp_path)


@pytest.mark.parametrize("changes, message", [
    ({"state": "hidden"}, "state must be one of internal, external; received 'hidden'"),
    ({"hop_frames": 0}, "hop_frames must be at least 1"),
    ({"hop_frames": 3, "stride_frames": 2}, "hop_frames 3 must be a multiple of stride_frames 2"),
    ({"state": "internal"}, "internal state stem has input 'stem'"),
    ({"states": (StreamState("a", (1, 2), "int8", 0.5, 1),)}, "external state a has input ''"),
    ({"states": (StreamState("a", (1,), "int8", input="a", output="b"),) * 2}, "two states have one name"),
])
def test_a_streaming_section_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(ModelFileError, match=message):
        streaming(**changes)


def test_kind_and_section_belong_together():
    assert streaming().hop_scores == 2
    with pytest.raises(ModelFileError, match="kind 'streaming' needs section streaming"):
        example(kind="streaming")
    with pytest.raises(ModelFileError, match="kind 'clip' has no section streaming"):
        example(streaming=streaming())
