import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from kws_tf.evaluation.intervals import wilson_interval
from tools import level_sweep

ROOT = pathlib.Path(__file__).parents[2]


def result(name, n_clips=10):
    rows = [{"level_dbfs": level, "correct": 9 - index, "float_correct": 9, "agree": 8, "accuracy": (9 - index) / n_clips,
             "float_accuracy": 9 / n_clips} for index, level in enumerate(level_sweep.LEVELS_DBFS)]
    return {"name": name, "split": "testing", "clips": n_clips, "model_id": "a", "float_model_id": "b", "levels": rows}


@pytest.mark.parametrize("level", [0, -20, -60])
def test_clips_reach_their_level(level):
    pcm = np.random.default_rng(1).integers(-900, 900, (3, 4000)).astype(np.int16)
    peaks = np.abs(level_sweep.at_level(pcm, level).astype(int)).max(axis=1)
    np.testing.assert_array_equal(peaks, round(32767 * 10 ** (level / 20)))
    assert level_sweep.at_level(np.full((1, 8), -32768, np.int16), 0).min() == -32767


def test_silence_stays_silence():
    assert not level_sweep.at_level(np.zeros((2, 100), np.int16), 0).any()


def test_both_files_are_scored_on_the_same_clips(exported, tone_clips):
    pcm, labels = tone_clips
    loud, quiet = level_sweep.sweep(exported / "pi", exported / "float32", pcm[:12], labels[:12], levels=(-10, -80))
    assert loud["correct"] >= 11 and abs(loud["correct"] - loud["float_correct"]) <= 1 and loud["agree"] >= 11
    assert quiet["accuracy"] == quiet["correct"] / 12 and quiet["correct"] < loud["correct"]


def test_the_whole_program(exported, tone_dataset, tmp_path):
    document, picture, data = tmp_path / "page.md", tmp_path / "sweep.png", tmp_path / "one.json"
    document.write_text("before\n<!-- level_sweep -->\nold\n<!-- /level_sweep -->\nafter\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}

    def run(*arguments):
        return subprocess.run([sys.executable, "tools/level_sweep.py", *map(str, arguments)], cwd=ROOT, env=environment, text=True,
                              capture_output=True, timeout=300, check=False)

    measured = run("--model", exported / "pi", "--float_model", exported / "float32", "--data_root", tone_dataset, "--cache_dir",
                   tmp_path / "cache", "--name", "tones", "--n_clips", 6, "--result", data)
    assert measured.returncode == 0, measured.stderr
    stored = json.loads(data.read_text())
    assert stored["clips"] == 6 and [row["level_dbfs"] for row in stored["levels"]] == list(level_sweep.LEVELS_DBFS)
    published = run("--docs", document, "--picture", picture, data)
    assert published.returncode == 0, published.stderr
    text = document.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text and "tones: integer" in text
    assert picture.read_bytes().startswith(b"\x89PNG")
    wrong = run("--model", exported / "features", "--float_model", exported / "float32", "--data_root", tone_dataset, "--name", "x",
                "--result", tmp_path / "no.json")
    assert wrong.returncode == 1 and "error: --model must take PCM" in wrong.stderr and not (tmp_path / "no.json").exists()


def test_table_has_intervals_and_changes():
    lines = level_sweep.table([result("A"), result("B")])
    assert len(lines) == 2 + len(level_sweep.LEVELS_DBFS) and all(line.count("|") == 10 for line in lines)
    low, high = (100 * end for end in wilson_interval(8, 10))
    assert lines[3].startswith(f"| -10 dBFS | 80.00 % ({low:.1f} to {high:.1f}) | 90.00 % | -10.00 | 80.0 % |")
