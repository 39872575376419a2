import json
import os

import numpy as np
import pytest
import soundfile
from absl import flags

from kws_tf import predict, runtime
from kws_tf.errors import ConfigError


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the program in this process: returns exit status and lines of output."""
    def call(*arguments):
        values = flags.FlagValues()
        predict.define(values)
        rest = values(["predict", *map(str, arguments)])
        monkeypatch.setattr(predict, "FLAGS", values)
        status = predict.main(rest)
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return call


def test_one_line_per_file(run, exported, tone_clips, tmp_path):
    for index in range(3):
        soundfile.write(tmp_path / f"{index}.wav", tone_clips[0][index], 16000)
    status, lines = run("--model", exported / "float32" / "model.tflite", *(tmp_path / f"{index}.wav" for index in range(3)))
    model = runtime.load_model(exported / "float32")
    assert status == 0 and len(lines) == 3
    for index, line in enumerate(lines):
        expected = model.predict(tone_clips[0][index])
        assert line == {"file": str(tmp_path / f"{index}.wav"), "label": expected.label, "score": round(expected.score, 4),
                        "scores": {label: round(score, 4) for label, score in expected.scores.items()}, "duration_seconds": 0.5}


def test_a_longer_recording_says_where_it_was_cut(run, exported, tone_clips, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.concatenate([np.zeros(12000, np.int16), tone_clips[0][0]]), 16000)
    status, (line,) = run("--model", exported / "features", tmp_path / "long.wav")
    assert status == 0
    assert line["duration_seconds"] == 1.25 and line["window_seconds"] == 0.5 and 0.5 < line["window_start_seconds"] <= 0.75


def test_a_bad_file_does_not_stop_the_others(run, exported, tone_clips, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "samples.raw").write_bytes(bytes(3200))
    soundfile.write(tmp_path / "good.wav", tone_clips[0][0], 16000)
    names = ("text.wav", "missing.wav", "samples.raw", "good.wav")
    status, lines = run("--model", exported / "float32", *(tmp_path / name for name in names))
    assert status == 1
    assert [sorted(line)[:2] for line in lines] == [["error", "file"]] * 3 + [["duration_seconds", "file"]]
    assert "text.wav: not a recording that can be decoded" in lines[0]["error"]
    assert "missing.wav: cannot be opened" in lines[1]["error"]


def test_a_name_that_is_no_text_does_not_stop_the_others(run, exported, tone_clips, tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav")
    soundfile.write(tmp_path / "good.wav", tone_clips[0][0], 16000)
    status, lines = run("--model", exported / "float32", name, tmp_path / "good.wav")
    assert status == 1 and lines[0]["file"] == name and "error" in lines[0] and "label" in lines[1]


@pytest.mark.parametrize("arguments, message", [
    ([], "--model is missing"),
    (["--model", "x"], "no recordings: name the files after the flags"),
])
def test_missing_arguments(run, arguments, message):
    with pytest.raises(ConfigError, match=message):
        run(*arguments)


def test_a_recording_that_memory_cannot_hold_does_not_stop_the_others(exported, monkeypatch):
    model = runtime.load_model(exported / "float32")

    def predict_long(path):
        raise MemoryError

    monkeypatch.setattr(model, "predict", predict_long)
    line = predict.describe(model, "hours.wav")
    assert line["file"] == "hours.wav" and "too long for the memory" in line["error"]
