"""The program on the run folder of the small network."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import soundfile
from absl import flags

from kws_tf import convert
from kws_tf import manifest as manifests
from kws_tf.config import DataConfig, ModelConfig
from kws_tf.errors import ConfigError, DatasetError, KwsError, TrainingError
from kws_tf.runtime import load_model
from kws_tf.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def run_dir(small_network, tone_clips, tone_dataset, tmp_path_factory):
    """Run folder and data set of the small network, as its training would have left them."""
    root = tmp_path_factory.mktemp("data")
    for index, (pcm, label) in enumerate(zip(*tone_clips, strict=True)):
        folder = root / "training" / small_network.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{index}.wav", pcm, 16000)
    shutil.copytree(tone_dataset / "testing", root / "testing")
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "tones")
    data = DataConfig(data_root=str(root), clip_duration=0.5, cache_dir=str(tmp_path_factory.mktemp("cache")), audio_backend="soundfile")
    folder.start(dataclasses.replace(small_network.config, data=data), small_network.classes)
    small_network.model.save_weights(folder.best_weights_file)
    row = {"epoch": 1, "val_accuracy": 0.5, "val_balanced_accuracy": 0.4, "val_loss": 1.5}
    folder.write_history([row, {**row, "epoch": 2, "val_accuracy": 0.75}, {**row, "epoch": 3, "val_accuracy": 0.75}])
    return folder.path


@pytest.fixture
def run(monkeypatch, capsys, convert_once):
    """Runs the program in this process: returns its output."""
    def call(*arguments):
        values = flags.FlagValues()
        convert.define(values)
        rest = values(["convert", *map(str, arguments)])
        monkeypatch.setattr(convert, "FLAGS", values)
        assert not convert.main(rest)
        return capsys.readouterr().out
    return call


@pytest.fixture
def copy(run_dir, tmp_path):
    """A copy of the run folder that may be damaged."""
    return shutil.copytree(run_dir, tmp_path / "run")


@pytest.mark.slow
def test_one_file_from_pcm_to_logits_with_its_figures(run, run_dir, tone_clips, tmp_path):
    output = run("--run_dir", run_dir, "--evaluate", "testing", "--calibration_clips", 24)
    folder = run_dir / "export" / "pi"
    assert f"written: {folder / 'model.tflite'}, {folder / 'report.md'}" in output and "points against float32" in output
    manifest = manifests.read(folder)
    assert (manifest.profile, manifest.input_kind, manifest.inputs[0].dtype) == ("pi", "pcm", "int16")
    assert manifest.metrics["epoch"] == 2 and manifest.metrics["validation_accuracy"] == 0.75
    figures = manifest.metrics["testing"]
    assert figures["clips"] == 18 and figures["accuracy"] > 0.9 and abs(figures["accuracy"] - figures["float32_accuracy"]) <= 1 / 18 + 1e-9
    report = (folder / "report.md").read_text()
    assert "## Error of every layer" in report and "## Accuracy" in report and f"{100 * figures['accuracy']:.2f} %" in report
    # the trained weights are in it: random ones would not know the tones
    model = load_model(folder)
    right = [model.predict(clip).label == model.labels[label] for clip, label in zip(*tone_clips, strict=True)]
    assert np.mean(right) > 0.9
    # pi and tflm are the same bytes, and the calibration is drawn again alike
    run("--run_dir", run_dir, "--profile", "tflm", "--output", tmp_path / "tflm", "--calibration_clips", 24)
    assert (tmp_path / "tflm" / "model.tflite").read_bytes() == (folder / "model.tflite").read_bytes()
    assert manifests.read(tmp_path / "tflm").profile == "tflm"


def test_a_wake_word_for_esphome(run, wake_word, tmp_path):
    for index, (pcm, label) in enumerate(zip(wake_word.pcm, wake_word.labels, strict=True)):
        path = tmp_path / "clips" / "training" / wake_word.classes[label] / f"{index}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, pcm, 16000)
    folder = RunFolder(tmp_path / "run")
    data = DataConfig(data_root=str(tmp_path / "clips"), clip_duration=0.5, cache_dir=str(tmp_path / "cache"), audio_backend="soundfile")
    folder.start(dataclasses.replace(wake_word.config, data=data), wake_word.classes)
    wake_word.model.save_weights(folder.best_weights_file)
    run("--run_dir", folder.path, "--profile", "esphome", "--phrase", "A High Tone", "--author", "A. U. Thor", "--languages", "en,de",
        "--calibration_clips", 24)
    export = folder.path / "export" / "esphome"
    manifest, device = manifests.read(export), json.loads((export / "esphome.json").read_text())
    assert manifest.wake_word == manifests.WakeWord("high", "A High Tone", "A. U. Thor", ("en", "de"))
    assert (manifest.profile, manifest.labels, manifest.streaming.hop_frames) == ("esphome", ("_unknown_", "high"), 3)
    assert (device["wake_word"], device["author"], device["trained_languages"]) == ("A High Tone", "A. U. Thor", ["en", "de"])
    with pytest.raises(KwsError, match="--keyword=low must be one of the classes _unknown_, high"):
        run("--run_dir", folder.path, "--profile", "esphome", "--keyword", "low", "--output", tmp_path / "other")


def test_esphome_wants_the_features_of_its_devices_and_one_word(run, run_dir, tmp_path):
    with pytest.raises(KwsError, match="the classes have 3 words: high, low, middle. Choose one with --keyword"):
        run("--run_dir", run_dir, "--profile", "esphome", "--output", tmp_path / "out", "--calibration_clips", 4)
    with pytest.raises(KwsError, match="trained on logmel, and the devices compute features of their own. Train with --features=micro"):
        run("--run_dir", run_dir, "--profile", "esphome", "--keyword", "low", "--output", tmp_path / "out", "--calibration_clips", 4)
    assert not (tmp_path / "out").exists()


def other_network(folder):
    config = RunFolder(folder).config()
    RunFolder(folder).write_config(dataclasses.replace(config, model=ModelConfig(tau=1.0)))


def other_kind(folder):
    config = RunFolder(folder).config()
    RunFolder(folder).write_config(dataclasses.replace(config, model=ModelConfig(model="ds_cnn")))


def cut_weights(folder):
    path = folder / "best.weights.h5"
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(("damage", "message"), [
    (lambda folder: (folder / "best.weights.h5").unlink(), "there are no best weights.*--resume"),
    (other_network, "not the weights of the network in config.json"),
    (other_kind, "not the weights of the network in config.json"),
    (cut_weights, "not the weights of the network in config.json"),
    (lambda folder: (folder / "config.json").unlink(), r"no run folder \(config.json is missing\)"),
    (lambda folder: (folder / "config.json").write_text("{"), "cannot be read as a run's configuration"),
    (lambda folder: (folder / "labels.txt").unlink(), "classes of the run cannot be read"),
    (lambda folder: (folder / "labels.txt").write_text("one\n"), "1 class, too few"),
    (lambda folder: (folder / "labels.txt").write_text("a\nb\nc\nd\n"), "not the weights of the network in config.json"),
])
def test_a_run_without_its_weights_is_an_error_and_nothing_is_written(run, copy, tmp_path, damage, message):
    damage(copy)
    with pytest.raises(TrainingError, match=message):
        run("--run_dir", copy, "--profile", "float32", "--output", tmp_path / "out" / "deep")
    assert not (tmp_path / "out").exists() and not (copy / "export" / "float32").exists()


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ([], ConfigError, "--run_dir is missing"),
    (["--run_dir", "nowhere"], TrainingError, "nowhere: no run folder"),
    (["--run_dir", "nowhere", "more"], ConfigError, "unexpected argument 'more'"),
    (["--run_dir", "nowhere", "--streaming", "external", "--evaluate", "testing"], ConfigError, "--evaluate scores clip files"),
    (["--run_dir", "nowhere", "--hop_frames", "2"], ConfigError, "--hop_frames belongs to --streaming"),
    (["--run_dir", "nowhere", "--compact"], ConfigError, "--compact is a form of integer streaming files"),
    (["--run_dir", "nowhere", "--compact", "--streaming=internal", "--profile=float32"], ConfigError, "--compact is a form of integer"),
    (["--run_dir", "nowhere", "--profile", "esphome", "--streaming", "external"], ConfigError, "--profile=esphome keeps its state inside"),
    (["--run_dir", "nowhere", "--profile", "esphome", "--evaluate", "testing"], ConfigError, "--evaluate scores clip files"),
    (["--run_dir", "nowhere", "--phrase", "hey"], ConfigError, "--phrase belongs to --profile=esphome; received --profile=pi"),
    (["--run_dir", "nowhere", "--accelerator", "ethos-u55-32"], ConfigError, "--accelerator belongs to --profile=ethos-u; received"),
    (["--run_dir", "nowhere", "--profile", "ethos-u", "--vela", "nowhere/vela"], KwsError, "nowhere/vela was not found"),
])
def test_wrong_arguments(run, arguments, error, message):
    with pytest.raises(error, match=message):
        run(*arguments)


def test_data_that_is_gone_is_told(run, run_dir, tmp_path):
    with pytest.raises(DatasetError, match="nowhere"):
        run("--run_dir", run_dir, "--data_root", tmp_path / "nowhere", "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_breaks_a_rule_is_never_written(run, run_dir, tmp_path, monkeypatch):
    from kws_tf.tflite import profiles

    small = dataclasses.replace(profiles.PROFILES["float32"], largest_bytes=100)
    monkeypatch.setitem(profiles.PROFILES, "float32", small)
    with pytest.raises(KwsError, match="1 finding by the rules of profile float32"):
        run("--run_dir", run_dir, "--profile", "float32", "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists() and list(tmp_path.iterdir()) == []
