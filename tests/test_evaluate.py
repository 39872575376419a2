import json
import shutil

import pytest
from absl import flags

from kws_tf import evaluate
from kws_tf.errors import ConfigError


@pytest.fixture
def run(monkeypatch, capsys, tone_dataset, tmp_path):
    """Runs the program in this process: returns its output."""
    def call(*arguments):
        values = flags.FlagValues()
        evaluate.define(values)
        rest = values(["evaluate", "--cache_dir", str(tmp_path / "cache"), *map(str, arguments)])
        monkeypatch.setattr(evaluate, "FLAGS", values)
        assert evaluate.main(rest) is None
        return capsys.readouterr().out
    return call


def test_prints_and_writes_beside_the_model(run, exported, tone_dataset, tmp_path):
    model = shutil.copytree(exported / "features", tmp_path / "features")
    output = run("--model", model, "--data_root", tone_dataset, "--compare", exported / "float32")
    report = json.loads((model / "evaluation_testing.json").read_text())
    low, high = (100 * end for end in report["accuracy_interval"])
    assert f"accuracy {100 * report['accuracy']:.2f} %, 95 % interval {low:.2f} to {high:.2f} %, {report['correct']} of 18 clips" in output
    assert all(name in output for name in ("high", "low", "middle", "precision %", "recall %", "F1 %"))
    assert "answers differ" in output and "float32/model.tflite" in output
    assert (model / "confusion_testing.png").read_bytes().startswith(b"\x89PNG")


def test_output_folder_and_split(run, exported, tone_dataset, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(tone_dataset / "testing", root / "validation")
    before = sorted((exported / "float32").iterdir())
    run("--model", exported / "float32", "--data_root", root, "--split", "validation", "--output", tmp_path / "out" / "deep")
    assert sorted(path.name for path in (tmp_path / "out" / "deep").iterdir()) == ["confusion_validation.png", "evaluation_validation.json"]
    assert sorted((exported / "float32").iterdir()) == before


@pytest.mark.parametrize("arguments, message", [
    (["--data_root", "x"], "--model is missing"),
    (["--model", "x"], "--data_root is missing: the folder with testing/<class>/"),
    (["--model", "x", "--data_root", "y", "z"], "unexpected argument 'z'"),
])
def test_missing_arguments(run, arguments, message):
    with pytest.raises(ConfigError, match=message):
        run(*arguments)


def test_an_output_that_cannot_be_made_is_told_before_scoring(run, exported, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--output=.*file: this folder cannot be made"):
        run("--model", exported / "features", "--data_root", "nowhere", "--output", tmp_path / "file")


def test_most_frequent_confusions_are_ordered_and_leave_the_diagonal_out():
    report = {"labels": ["a", "b", "c"], "confusion": [[50, 1, 0], [7, 40, 0], [0, 2, 30]]}
    assert evaluate.most_frequent_confusions(report) == [("b", "a", 7), ("c", "b", 2), ("a", "b", 1)]
