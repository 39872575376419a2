"""The demo: its steps in order, its verdict, and once for real on a very small data set."""

import dataclasses
import functools
import json
import pathlib
import types

import pytest

from kws_tf.errors import KwsError
from kws_tf.synthesis import clip_set
from tools import demo

RECIPE = pathlib.Path(demo.PROJECT) / "flags" / "demo.cfg"


@pytest.fixture
def commands(monkeypatch):
    """Replaces the programs: records what is run; scoring writes a report of 95 right answers in 100."""
    commands, status = [], {}

    def fake_run(command, env, check):
        assert env["TF_CPP_MIN_LOG_LEVEL"] and not check
        module, arguments = command[2], command[3:]
        commands.append(module)
        if module == "kws_tf.evaluate":
            output = pathlib.Path(arguments[arguments.index("--output") + 1])
            output.mkdir(exist_ok=True)
            if "--annotations" in arguments:
                (output / "evaluation_stream.json").write_text(json.dumps({
                    "annotated": {"hits": 18, "words": 20, "false_accepts": {"false_accepts": 1}}, "speed": {"audio_seconds": 240}}))
                return types.SimpleNamespace(returncode=0)
            (output / "evaluation_testing.json").write_text(json.dumps({
                "accuracy": 0.95, "accuracy_interval": [0.88, 0.98], "clips": 100, "model": {"file": "model.tflite"}}))
        return types.SimpleNamespace(returncode=status.get(module, 0))

    def fake_make(*_):
        commands.append("clip_set.make")
        return True

    monkeypatch.setattr(demo.program.subprocess, "run", fake_run)
    monkeypatch.setattr(clip_set, "make", fake_make)
    return types.SimpleNamespace(run=commands, status=status)


def test_the_steps_are_in_order_and_the_result_is_printed(commands, tmp_path, capsys):
    assert demo.demonstrate("data", str(tmp_path / "run"), str(RECIPE), 0.9)
    assert commands.run == ["clip_set.make", "kws_tf.train", "kws_tf.evaluate", "kws_tf.convert", "tools.long_audio", "tools.long_audio",
                            "kws_tf.calibrate", "kws_tf.evaluate"]
    output = capsys.readouterr().out
    assert "95.00 % of 100 clips (95 % interval 88.00 to 98.00)" in output and "at least 90 %: reached" in output
    assert "18 of 20 words found, 1 false accept in 4 minutes" in output
    assert f"{tmp_path}/run/curves.png" in output and f"{tmp_path}/run/confusion_testing.png" in output


def test_an_accuracy_below_the_minimum_is_not_a_success(commands, tmp_path, capsys):
    assert not demo.demonstrate("data", str(tmp_path / "run"), str(RECIPE), 0.96)
    assert "NOT REACHED" in capsys.readouterr().out


def test_a_failed_training_ends_the_demo(commands, tmp_path):
    commands.status["kws_tf.train"] = 3
    with pytest.raises(KwsError, match=r"kws_tf\.train failed with status 3"):
        demo.demonstrate("data", str(tmp_path / "run"), str(RECIPE), 0.9)
    assert "kws_tf.evaluate" not in commands.run


def test_no_command_is_an_other_word_and_testing_has_words_that_training_lacks():
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")
    from kws_tf.synthesis import clip_plan
    from kws_tf.synthesis.espeak_engine import EspeakEngine, pronounce

    planned = clip_plan.plan(demo.data_settings(), EspeakEngine("en"))
    words = {split: {clip.pieces[0].text for clip in planned.clips if clip.label == "_unknown_" and clip.file.startswith(split)}
             for split in ("training", "testing")}
    assert len(words["testing"] - words["training"]) >= 10 and len(words["training"]) >= 40
    commands = set(pronounce(["yes", "no", "stop", "go"], "en"))
    assert not commands & set(pronounce(sorted(words["testing"] | words["training"]), "en"))
    assert {"yet", "goat", "snow", "stock"} <= words["training"], "words that sound like a command are in it on purpose"


@pytest.mark.slow
@pytest.mark.usefixtures("train_and_convert_here")
def test_the_chain_runs_on_a_very_small_set(tmp_path, monkeypatch, capfd):
    """One epoch of the smallest network on a few dozen clips: the files are there, and nobody calls the result good."""
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")
    small = dataclasses.replace(demo.data_settings(), positives=(12, 2, 4), unknowns=(16, 3, 6), silences=(8, 2, 3), noise_files=1)
    monkeypatch.setattr(demo, "data_settings", lambda: small)
    monkeypatch.setattr(clip_set, "make", functools.partial(clip_set.make, n_workers=1))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(demo, "MINUTES", 0.3)
    recipe = tmp_path / "recipe.cfg"
    recipe.write_text(RECIPE.read_text() + "\n--epochs=1\n--warmup_epochs=0\n--batch_size=16\n--model=sparknet\n--channels=4\n")
    run_dir = tmp_path / "run"
    assert not demo.demonstrate(str(tmp_path / "set"), str(run_dir), str(recipe), 0.99)
    assert "NOT REACHED" in capfd.readouterr().out
    report = json.loads((run_dir / "evaluation_testing.json").read_text())
    assert report["clips"] == 25 and report["model"]["profile"] == "pi"
    assert report["labels"] == ["_silence_", "_unknown_", "go", "no", "stop", "yes"]
    stream = json.loads((run_dir / "evaluation_stream.json").read_text())
    assert stream["annotated"]["words"] > 0 and stream["model"]["profile"] == "tflm" and stream["speed"]["audio_seconds"] == 18
    for file in ("curves.png", "confusion_testing.png", "report.html", "export/pi/model.tflite", "export/tflm_stream/model.tflite"):
        assert (run_dir / file).stat().st_size > 1000
