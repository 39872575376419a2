"""Tests of kws_tf.zoo."""

import dataclasses
import json
import shutil

import pytest
from absl import flags

from kws_tf import manifest as manifests
from kws_tf import shipped, zoo
from kws_tf.detector_settings import DetectorPreset, DetectorPresets, DetectorSettings
from kws_tf.errors import ConfigError
from kws_tf.runtime import model_file

MEASURED = {"words": 20, "hits": 19, "false_accepts": 0, "hours": 6.5, "upper_bound_per_hour": 0.4612}


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    def call(*arguments):
        values = flags.FlagValues()
        zoo.define(values)
        monkeypatch.setattr(zoo, "FLAGS", values)
        monkeypatch.setattr(shipped, "folder", lambda name: tmp_path / name)
        assert zoo.main(values(["zoo", *arguments])) is None
        return capsys.readouterr().out
    return call


def test_lists_every_file_with_its_figures(run, exported, tmp_path):
    folder = tmp_path / "models" / "tones" / "clip"
    shutil.copytree(exported / "features", folder)
    manifest = manifests.read(folder)
    presets = (DetectorPreset("balanced", DetectorSettings(), MEASURED), DetectorPreset("strict", DetectorSettings()))
    manifest = dataclasses.replace(manifest, metrics={"testing": {"accuracy": 0.95, "accuracy_interval": [0.9, 0.975], "clips": 200}},
                                   detector=DetectorPresets(("low",), "balanced", presets))
    (folder / manifests.MANIFEST_FILE).write_text(manifests.to_json(manifest))
    (folder.parent / zoo.CARD).write_text("# tones\n")
    text = run()
    assert text.startswith(f"tones: {', '.join(manifest.labels)}   ({folder.parent / zoo.CARD})\n  clip       ")
    assert f"{manifest.model_bytes / 1000:.0f} kB, {manifest.macs / 1e6:.2f} million MACs per clip" in text
    assert "95.0 % of 200 testing clips (95 % interval 90.0 to 97.5)\n" in text
    assert "balanced: 19 of 20 words found, 0 false accepts in 6.50 hours (below 0.461 per hour with 95 % confidence)\n" in text
    assert "strict" not in text
    (line,) = run("--json").splitlines()
    facts = json.loads(line)
    assert (facts["model"], facts["kind"], facts["hop_ms"], facts["presets"]["balanced"]) == ("tones", "clip", None, MEASURED)


def test_says_that_there_is_none(run):
    assert run() == "no model ships with this version\n"


def test_takes_no_arguments(run):
    with pytest.raises(ConfigError, match="unexpected argument 'junk'"):
        run("junk")


def test_what_ships_is_whole_small_and_names_no_folder_of_a_machine():
    root = shipped.folder("models")
    models = model_file.shipped_models()
    assert set(models) == {path.name for path in root.iterdir() if path.is_dir()} and models
    assert sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) < 5_000_000
    for name, files in models.items():
        assert set(files) == {"clip", "streaming"}
        card = (root / name / zoo.CARD).read_text(encoding="utf-8")
        for folder in files.values():
            manifest, content = model_file.read(folder)
            assert manifest.profile == "tflm" and len(content) == manifest.model_bytes and manifest.model_id in card
            assert manifest.data_licence in card and manifest.metrics["testing"]["clips"] >= 100
            assert "/" not in manifest.run["data"]["data_root"]
        assert "## How it was made" in card and "python -m kws_tf.train" in card and "(report.html)" in card
        assert "<audio" not in (root / name / "report.html").read_text(encoding="utf-8")
