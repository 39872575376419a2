"""The program as its users run it: whole processes on a small data set of tones."""

import csv
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import soundfile

from kws_tf import train as train_program
from kws_tf.config import FEATURE_PRESETS

ROOT = pathlib.Path(__file__).parents[1]
TONES_HZ = {"high": 3500, "low": 400, "middle": 1200}
CLIPS = {"training": 24, "validation": 8, "testing": 8}
SECONDS = 0.3
# A network that is traced and converted in a moment; BC-ResNet in the same loop is in tests/training/test_loop.py.
RECIPE = ["--clip_duration", str(SECONDS), "--model=sparknet", "--channels=4", "--batch_size=12", "--threads=1",
          "--epochs=20", "--warmup_epochs=1", "--lr=0.02", "--spec_prob=0.5", "--frequency_mask_rows=6", "--audio_backend=soundfile",
          "--seed=5"]


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    root = tmp_path_factory.mktemp("tones")
    generator = np.random.default_rng(0)
    for split, n_clips in CLIPS.items():
        for name, pitch in TONES_HZ.items():
            (root / split / name).mkdir(parents=True)
            for number in range(n_clips):
                length = int(16000 * generator.uniform(0.25, 0.4))
                tone = np.sin(2 * np.pi * pitch * generator.uniform(0.9, 1.1) * np.arange(length) / 16000)
                pcm = 0.1 * tone + 0.02 * generator.standard_normal(length)
                soundfile.write(root / split / name / f"{number}.wav", pcm, 16000)
    return root


def command(*arguments):
    return [sys.executable, "-m", "kws_tf.train", *map(str, arguments)]


def start(folder, *arguments):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(command("--run_dir", folder, *arguments), cwd=ROOT, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process):
    output, errors = process.communicate(timeout=900)
    return process.returncode, output, errors


def train(folder, *arguments):
    return finish(start(folder, *arguments))


def history(folder):
    try:
        with open(folder / "history.csv", newline="", encoding="utf-8") as file:
            return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []


@pytest.fixture(scope="module")
def whole_run(tones, tmp_path_factory):
    """A run from start to export that nothing disturbs: (folder, status, stdout, stderr)."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, *train(folder, "--data_root", tones, *RECIPE)


@pytest.mark.slow
def test_a_run_trains_exports_and_scores_the_exported_files(whole_run):
    folder, status, output, errors = whole_run
    assert status == 0, errors
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "labels.txt", "history.csv", "curves.png", "best.weights.h5", "checkpoints", "export", "evaluation.json",
        "confusion.png"}
    assert (folder / "labels.txt").read_text().split() == sorted(TONES_HZ)
    rows = history(folder)
    assert [int(row["epoch"]) for row in rows] == list(range(1, 21))
    report = json.loads((folder / "evaluation.json").read_text())
    assert (report["split"], report["clips"]) == ("testing", 24)
    assert report["accuracy"] > 0.9 and report["other"]["accuracy"] > 0.9
    continuous = report["continuous"]
    assert continuous["pre_roll_frames"] == 116 and continuous["pre_roll"]["clips"] == 24
    assert abs(continuous["zero_state"]["correct"] - report["other"]["correct"]) <= 1
    for profile in ("float32", "features", "pi"):
        assert (folder / "export" / profile / "model.tflite").stat().st_size > 1000
        metrics = json.loads((folder / "export" / profile / "manifest.json").read_text())["metrics"]
        assert metrics["validation_accuracy"] == max(float(row["val_accuracy"]) for row in rows)
    assert report["model"]["profile"] == "pi" and "TFLite int8, PCM in" in output
    assert "testing" in output and f"{100 * report['accuracy']:.2f} %" in output
    assert "epoch 20/20" in errors


@pytest.mark.slow
def test_a_killed_run_continues_bit_for_bit(whole_run, tones, tmp_path):
    whole = whole_run[0]
    folder = tmp_path / "killed"
    process = start(folder, "--data_root", tones, *RECIPE, "--noexport")
    deadline = time.monotonic() + 200
    while len(history(folder)) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    status, _, errors = finish(process)
    assert status == -signal.SIGKILL, errors
    assert 2 <= len(history(folder)) < 20
    status, _, errors = train(folder, "--resume", "--noexport", "--threads=1")
    assert status == 0, errors
    assert "continuing after epoch" in errors
    assert history(folder) == history(whole)
    for name in ("best.weights.h5", "checkpoints/last.npz"):
        before, after = contents(whole / name), contents(folder / name)
        assert before.keys() == after.keys() and len(before) > 40
        for key, value in before.items():
            np.testing.assert_array_equal(after[key], value, err_msg=key)


@pytest.mark.slow
def test_a_run_starts_from_the_weights_of_another_and_goes_on_without_it(whole_run, tones, run_program, tmp_path, monkeypatch):
    from kws_tf import train as program
    from kws_tf.training import initial_weights

    source, folder, lines = tmp_path / "source", tmp_path / "second", []
    monkeypatch.setattr(initial_weights.logging, "info", lambda text, *values: lines.append(text % values))
    shutil.copytree(whole_run[0], source)
    further = [*RECIPE, "--epochs=2", "--warmup_epochs=0", "--lr=0.005", "--schedule=constant", "--noexport"]
    assert not run_program(program, "--run_dir", folder, "--data_root", tones, "--initial_weights", source, *further)
    assert any("starting from the weights of" in line for line in lines)
    assert json.loads((folder / "config.json").read_text())["train"]["initial_weights"] == str(source)
    # The best epoch of the first run is in the first figure of the second; untrained, three classes give 1.1.
    assert float(history(folder)[0]["val_loss"]) < 0.7 * float(history(whole_run[0])[1]["val_loss"])
    shutil.rmtree(source)
    lines.clear()
    assert not run_program(program, "--run_dir", folder, "--resume", "--epochs=3", "--noexport", "--threads=1")
    assert lines and not any("starting from the weights" in line for line in lines)
    assert len(history(folder)) == 3


def contents(path):
    """Every array of a weights file or checkpoint; the time that epochs took is left out."""
    arrays = {}
    if path.suffix == ".h5":
        import h5py

        with h5py.File(path) as file:
            file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return arrays
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    loop = json.loads(arrays.pop("loop.json").tobytes())
    for row in loop["history"]:
        del row["seconds"]
    return {**arrays, "loop": np.array(json.dumps(loop))}


@pytest.mark.parametrize("arguments, message", [
    (["--resume", "--lr=0.2"], "error: --resume continues a run unchanged, but these settings differ: lr: 0.02 -> 0.2."),
    (["--resume", "--overwrite"], "error: --resume and --overwrite contradict each other"),
    ([], "error: --data_root is missing"),
    (["--overwrite", "--data_root", "x", "--initial_weights", "nowhere"], "error: --initial_weights=nowhere: no run folder"),
    (["--data_root", "x"], "holds a run already. Continue it with --resume"),
    (["--data_root", "x", "clips"], "error: unexpected argument 'clips'"),
    (["--resume", "--threads=-1"], "flag --threads=-1: -1 is not a non-negative integer"),
])
def test_refusals_are_one_line_before_anything_is_loaded(whole_run, arguments, message):
    began = time.monotonic()
    status, output, errors = train(whole_run[0], *arguments)
    assert (status, output) == (1, "")
    assert message in errors and "Traceback" not in errors
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("splits, split", [(("training", "validation", "testing"), "testing"), (("training", "validation"), "validation")])
def test_without_testing_clips_the_figures_say_that_validation_stood_in(tmp_path, monkeypatch, capsys, splits, split):
    from kws_tf import evaluation
    from kws_tf import train as program
    from kws_tf.config import RunConfig
    from kws_tf.training.run_folder import RunFolder

    def evaluate(model, data, split, compare_with):
        figures = {"accuracy": 0.875, "accuracy_interval": [0.5, 0.95], "balanced_accuracy": 0.8, "clips": 8}
        return {**figures, "split": split, "model": {"profile": model.name}, "other": {**figures, "profile": compare_with.name}}

    monkeypatch.setattr(evaluation, "evaluate_model", evaluate)
    steady = {"accuracy": 0.875, "accuracy_interval": [0.5, 0.95], "balanced_accuracy": 0.8, "clips": 8}
    earlier = {"accuracy": 0.625, "accuracy_interval": [0.3, 0.8], "balanced_accuracy": 0.6, "clips": 8}
    monkeypatch.setattr(program, "continuous_figures",
                        lambda trained, clips, config: {"pre_roll_frames": 116, "zero_state": steady, "pre_roll": earlier})
    monkeypatch.setattr(evaluation, "draw_confusion", lambda report, path: None)
    folder = RunFolder(tmp_path)
    for profile in program.PROFILES:
        (folder.export_dir / profile).mkdir(parents=True)
        (folder.export_dir / profile / "model.tflite").write_bytes(b"model")
    report = program.score_exports(None, types.SimpleNamespace(splits=dict.fromkeys(splits)), RunConfig(), folder, "pi")
    row = {"epoch": 3, "val_accuracy": 0.9, "val_balanced_accuracy": 0.85}
    program.print_summary(types.SimpleNamespace(history=[row], best_row=row), RunConfig(), folder, report)
    output = capsys.readouterr().out
    assert "87.50 %" in output and split in output and "62.50 %" in output and "TFLite int8, PCM in" in output
    assert json.loads(folder.evaluation_file.read_text())["continuous"]["pre_roll"]["accuracy"] == 0.625
    note = "scored on validation, which also picked the best epoch"
    assert (note in " ".join(output.split())) == (split == "validation")
    assert (note in json.loads(folder.evaluation_file.read_text())["split_note"]) == (split == "validation")


def test_a_folder_without_clips_is_refused_in_one_line(tmp_path):
    status, _, errors = train(tmp_path / "run", "--data_root", tmp_path / "missing")
    assert status == 1
    assert errors.strip().splitlines()[-1].startswith("error:") and "missing" in errors and "Traceback" not in errors
    assert not (tmp_path / "run").exists()


def test_features_without_an_integer_front_end_are_told_before_the_training(caplog):
    features = dataclasses.replace(FEATURE_PRESETS["bc_resnet"], window_samples=331)
    with caplog.at_level("WARNING"):
        train_program._warn_of_no_pcm_file(features)
    assert "there will be no file with PCM as input" in caplog.text and "Use --window_samples=336" in caplog.text
    caplog.clear()
    train_program._warn_of_no_pcm_file(FEATURE_PRESETS["bc_resnet"])
    assert not caplog.text
