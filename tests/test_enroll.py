"""The program on a small ArcFace model of tones: a pitch that it has no class for becomes one."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import soundfile
from absl import flags

from kws_tf import enroll, runtime
from kws_tf import manifest as manifests
from kws_tf.errors import ConfigError, ConversionError, DatasetError, ModelFileError
from kws_tf.tflite import enrolment
from kws_tf.tflite.vela import VelaSettings
from tests.conftest import CLASSES, spoken_tone


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the program in this process and returns its output."""
    def call(*arguments):
        values = flags.FlagValues()
        enroll.define(values)
        rest = values(["enroll", *map(str, arguments)])
        monkeypatch.setattr(enroll, "FLAGS", values)
        enroll.main(rest)
        return capsys.readouterr().out
    return call


@pytest.fixture
def said(monkeypatch):
    """Warnings of the program."""
    lines = []
    monkeypatch.setattr(enroll.logging, "warning", lambda text, *values: lines.append(text % values))
    return lines


def tones(name, n, seed):
    random = np.random.default_rng(seed)
    return [spoken_tone(name, random) for _ in range(n)]


def write(folder, clips):
    folder.mkdir(parents=True, exist_ok=True)
    for index, pcm in enumerate(clips):
        soundfile.write(folder / f"{index}.wav", pcm, 16000)
    return folder


@pytest.mark.parametrize("profile", ["pi", "features", "float32"])
def test_a_new_class_is_recognised_and_the_others_stay(run, arcface, tmp_path, profile, said):
    clips = write(tmp_path / "clips", tones("top", 8, seed=5))
    output = run("--model", arcface.folder / profile, "--clips", clips, "--label=top", "--output", tmp_path / "out")
    old, new = (runtime.load_model(folder) for folder in (arcface.folder / profile, tmp_path / "out"))
    assert new.labels == (*CLASSES, "top") and (tmp_path / "out" / "labels.txt").read_text().split() == [*CLASSES, "top"]
    heard = [new.predict(pcm).label for pcm in tones("top", 12, seed=6)]
    assert heard.count("top") >= 11
    others = [pcm for name in CLASSES for pcm in tones(name, 6, seed=7)]
    for pcm in others:
        np.testing.assert_array_equal(new.logits(pcm)[:3], old.logits(pcm))
        assert new.predict(pcm).label == old.predict(pcm).label
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["model_id"] in (tmp_path / "out" / "report.md").read_text()
    (note,) = manifest["enrolled"]
    assert note["label"] == "top" and note["clips"] == 8 and 0.7 < note["agreement"] <= 1
    assert manifest["outputs"][0]["shape"] == [1, 4] and manifest["parameters"] == old.manifest.parameters + 32
    assert manifest["macs"] == old.manifest.macs + 32 and manifest["metrics"] == {}
    assert f"class top from 8 clips: cosine with the prototype {note['agreement']:.2f} on average" in output
    assert sum("disagrees" in line for line in said) <= 2, said


def test_a_class_is_replaced_only_when_asked(run, arcface, tmp_path):
    clips = write(tmp_path / "clips", tones("top", 5, seed=5))
    arguments = ("--model", arcface.folder / "pi", "--clips", clips, "--output", tmp_path / "out")
    with pytest.raises(ConfigError, match="the model has this class already. Add --replace"):
        run(*arguments, "--label=low")
    with pytest.raises(ConfigError, match="no class top; its classes are high, low, middle"):
        run(*arguments, "--label=top", "--replace")
    run(*arguments, "--label=low", "--replace")
    model = runtime.load_model(tmp_path / "out")
    assert model.labels == CLASSES and model.manifest.parameters == runtime.load_model(arcface.folder / "pi").manifest.parameters
    assert [model.predict(pcm).label for pcm in tones("top", 6, seed=8)].count("low") >= 5
    assert [(note.label, note.clips) for note in model.manifest.enrolled] == [("low", 5)]


def test_in_the_place_of_the_old_file_nothing_of_it_is_left(run, arcface, tmp_path, said):
    folder = shutil.copytree(arcface.folder / "pi", tmp_path / "pi")
    estimate = manifests.EthosEstimate("5", "ethos-u55-128", "a, b", 500.0, 0.5, 1, 1, 2, {}, "model_vela.tflite", "0" * 64, 9)
    described = dataclasses.replace(manifests.read(folder), ethos=estimate)
    (folder / "manifest.json").write_text(manifests.to_json(described))
    (folder / "firmware").mkdir()
    run("--model", folder, "--clips", write(tmp_path / "clips", tones("top", 2, seed=5)), "--label=top", "--output", folder)
    assert "pi/firmware is of the model that was here before" in str(said)
    manifest, report = manifests.read(folder), (folder / "report.md").read_text()
    assert manifest.ethos is None and manifest.model_id != described.model_id
    assert manifest.model_id in report and described.model_id not in report and "high, low, middle, top" in report


def test_a_model_for_an_ethos_u_is_compiled_for_the_same_one(run, arcface, tmp_path, monkeypatch):
    folder = shutil.copytree(arcface.folder / "pi", tmp_path / "pi")
    estimate = manifests.EthosEstimate("5", "ethos-u65-256", "a, b", 500.0, 0.5, 1, 1, 2, {}, "model_vela.tflite", "0" * 64, 9)
    described = dataclasses.replace(manifests.read(folder), ethos=estimate)
    (folder / "manifest.json").write_text(manifests.to_json(described))
    settings = []
    monkeypatch.setattr(enrolment, "finish", lambda *all_, vela: settings.append(vela))
    clips = write(tmp_path / "clips", tones("top", 2, seed=5))
    run("--model", folder, "--clips", clips, "--label=top", "--output", tmp_path / "out", "--vela=/opt/vela")
    run("--model", arcface.folder / "pi", "--clips", clips, "--label=top", "--output", tmp_path / "out")
    assert settings == [VelaSettings("ethos-u65-256", "/opt/vela"), None]


def test_several_classes_one_after_the_other(run, arcface, tmp_path):
    write(tmp_path / "clips", tones("top", 4, seed=5))
    run("--model", arcface.folder / "pi", "--clips", tmp_path / "clips", "--label=one", "--output", tmp_path / "out")
    run("--model", tmp_path / "out", "--clips", tmp_path / "clips", "--label=two", "--output", tmp_path / "out")
    run("--model", tmp_path / "out", "--clips", tmp_path / "clips", "--label=one", "--replace", "--output", tmp_path / "out")
    manifest = runtime.load_model(tmp_path / "out").manifest
    assert manifest.labels == (*CLASSES, "one", "two") and sorted(note.label for note in manifest.enrolled) == ["one", "two"]


def test_clips_that_disagree_are_named_with_figures(run, arcface, tmp_path, said):
    clips = write(tmp_path / "clips", [*tones("top", 5, seed=5), *tones("low", 1, seed=5)])
    run("--model", arcface.folder / "pi", "--clips", clips, "--label=top", "--output", tmp_path / "out")
    assert any(line.startswith("5.wav: closer to class low (cosine 0.") for line in said)
    assert not any(line.startswith("0.wav") for line in said)


def test_one_clip_alone_is_a_warning(run, arcface, tmp_path, said):
    run("--model", arcface.folder / "pi", "--clips", write(tmp_path / "clips", tones("top", 1, seed=5)), "--label=top",
        "--output", tmp_path / "out")
    assert len(said) == 1 and "one clip alone" in said[0]


def test_clips_without_sound_or_that_cannot_be_read_are_refused(run, arcface, tmp_path):
    arguments = ("--model", arcface.folder / "pi", "--label=top", "--output", tmp_path / "out", "--clips")
    with pytest.raises(DatasetError, match="there is no such folder"):
        run(*arguments, tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no clips in this folder"):
        run(*arguments, tmp_path / "empty")
    quiet = np.random.default_rng(1).integers(-3, 4, 8000).astype(np.int16)
    with pytest.raises(DatasetError, match=r"almost no sound \(below -60 dB\) in 1 of 3 clips[\s\S]*2.wav: -8\d dB"):
        run(*arguments, write(tmp_path / "quiet", [*tones("top", 2, seed=1), quiet]))
    bad = write(tmp_path / "bad", tones("top", 2, seed=1))
    (bad / "text.wav").write_text("no sound")
    with pytest.raises(DatasetError, match=r"1 file cannot be used[\s\S]*text.wav: not a recording"):
        run(*arguments, bad)
    assert not (tmp_path / "out").exists()


def test_refuses_models_without_prototypes_and_folders_of_others(run, arcface, exported, tmp_path):
    clips = write(tmp_path / "clips", tones("top", 2, seed=1))
    with pytest.raises(ModelFileError, match="pi: not an ArcFace model: .*Train with --arcface"):
        run("--model", exported / "pi", "--clips", clips, "--label=top", "--output", tmp_path / "out")
    with pytest.raises(ConversionError, match="is not empty and holds no readable export"):
        run("--model", arcface.folder / "pi", "--clips", clips, "--label=top", "--output", clips)


@pytest.mark.parametrize("missing", ["model", "clips", "label", "output"])
def test_missing_flags(run, missing):
    given = [f"--{name}=x" for name in ("model", "clips", "label", "output") if name != missing]
    with pytest.raises(ConfigError, match=f"--{missing} is missing"):
        run(*given)


@pytest.mark.parametrize("label", [" top", "to\np"])
def test_labels_that_no_file_of_lines_can_hold(run, label):
    with pytest.raises(ConfigError, match="must be one line, without spaces at its ends"):
        run("--model=x", "--clips=x", "--output=x", f"--label={label}")
