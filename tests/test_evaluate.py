import json
import shutil

import pytest
import soundfile
from absl import flags

from kws_tf import evaluate
from kws_tf.errors import ConfigError, DatasetError, ModelFileError
from kws_tf.evaluation import annotations
from kws_tf.evaluation.annotations import AnnotatedRecording, Word
from tests.spoken_stream import speak


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
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
    assert sorted(path.name for path in (tmp_path / "out" / "deep").iterdir()) == [
        "confusion_validation.png", "evaluation_validation.json", "report.html"]
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


@pytest.fixture
def long_recordings(tmp_path):
    soundfile.write(tmp_path / "ambient.wav", speak(600, [(1, 100, 140), (2, 400, 450)]), 16000)
    soundfile.write(tmp_path / "words.wav", speak(1500, [(1, 100, 130)]), 16000)
    words = Word(1.0, 1.2, "jarvis", {"snr_db": 3}), Word(8.0, 8.5, "computer", {"snr_db": 33})
    annotations.write(tmp_path / "words.json", [AnnotatedRecording(tmp_path / "words.wav", words, 15.0, 16000)])
    return tmp_path


def test_long_recordings(run, spoken_model, long_recordings):
    output = run("--model", spoken_model, "--ambient", long_recordings / "ambient.wav", "--annotations", long_recordings / "words.json",
                 "--workers", 1, "--output", long_recordings / "out")
    for text in ("No calibrated preset", "2 false accepts in 0.00 hours: 1200 per hour", "(jarvis 1, computer 1)", "1 of 2 words found",
                 "by snr: 0 to 5 dB 0 of 1; 30 dB and more 1 of 1 missed", "area under recall", "times real time"):
        assert text in output, text
    assert sorted(path.name for path in (long_recordings / "out").iterdir()) == ["evaluation_stream.json", "report.html"]
    report = json.loads((long_recordings / "out" / "evaluation_stream.json").read_text())
    assert report["annotated"]["misses"] == 1 and report["detector"]["settings"]["threshold"] == 204
    assert "1 of 2 words found" in (long_recordings / "out" / "report.html").read_text()


def test_detector_flags_and_no_report(run, spoken_model, long_recordings):
    output = run("--model", spoken_model, "--ambient", long_recordings / "ambient.wav", "--keywords", "computer", "--threshold", 0.5,
                 "--window_scores", 40, "--workers", 1, "--noreport")
    assert "mean score of computer over 400 ms reaches 0.502, ends below 0.3" in output and "1 false accept in" in output
    assert not (spoken_model / "report.html").exists() and (spoken_model / "evaluation_stream.json").exists()


@pytest.mark.parametrize("arguments, error, message", [
    (["--ambient", "absent"], DatasetError, "absent: there is no such file or folder of recordings"),
    (["--ambient", ".", "--preset", "strict"], ConfigError, "has no presets yet; make them with python -m kws_tf.calibrate"),
    (["--ambient", ".", "--keywords", "alexa"], ConfigError, "must be labels of the model, .*; received alexa"),
    (["--ambient", ".", "--compare", "x"], ConfigError, "--compare needs --data_root"),
    (["--data_root", ".", "--threshold", 0.9], ConfigError, "--threshold is for the detector in long recordings"),
])
def test_wrong_arguments_for_long_recordings(run, spoken_model, arguments, error, message):
    with pytest.raises(error, match=message):
        run("--model", spoken_model, *arguments)


def test_a_clip_model_cannot_listen(run, exported, long_recordings):
    with pytest.raises(ModelFileError, match="a clip model; continuous audio needs a streaming one. Convert the run again with"):
        run("--model", exported / "features", "--ambient", long_recordings / "ambient.wav", "--output", long_recordings / "out")
