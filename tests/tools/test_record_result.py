import dataclasses
import json
import pathlib
import subprocess
import sys

import pytest

from kws_tf.config import FEATURE_PRESETS, AugmentConfig, DataConfig, ModelConfig, RunConfig, TrainConfig
from kws_tf.errors import ConfigError, TrainingError
from kws_tf.evaluation.intervals import wilson_interval
from tools import record_result

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
def test_records_counts_of_the_exported_files_and_no_path(run_program, convert_once, run_dir, data_root, small_network, tmp_path, capsys):
    assert not run_program(record_result, "--run_dir", run_dir, "--output_dir", tmp_path / "results", "--name=tones", "--workers=1")
    text = (tmp_path / "results" / "tones.json").read_text()
    values = json.loads(text)
    assert str(data_root.parent) not in text and values["dataset"] == "tones" and values["config"]["data"]["data_root"] == "tones"
    assert values["classes"] == 3 and values["name"] == "tones" and values["validation"] == {}
    assert values["parameters"] == small_network.model.count_params() - sum(
        weight.shape[0] * (weight.shape[1] if len(weight.shape) > 1 else 1)
        for weight in small_network.model.non_trainable_weights if "moving" in weight.path)
    for name in ("float32", "integer", "streaming"):
        figures = values["files"][name]
        assert figures["clips"] == 18 and figures["accuracy"] == figures["correct"] / 18 > 0.6
        assert figures["accuracy_interval"] == pytest.approx(wilson_interval(figures["correct"], 18))
    assert values["files"]["integer"]["macs"] > values["files"]["float32"]["macs"] > 100_000
    assert values["files"]["integer"]["bytes"] > values["files"]["float32"]["bytes"] > 10_000
    against = values["files"]["integer"]["against_float32"]
    assert list(against) == ["testing"] and against["testing"]["clips"] == 18          # the data has no validation split
    assert values["files"]["integer"]["correct"] - values["files"]["float32"]["correct"] == (
        against["testing"]["fixed"] - against["testing"]["broken"])
    assert values["pre_roll"]["clips"] == 18 and values["pre_roll"]["frames"] == 116
    assert f"tones integer: {100 * values['files']['integer']['accuracy']:.2f} %" in capsys.readouterr().out
    assert not (run_dir / "export").exists()


def test_a_run_of_pytorch_is_recorded_as_it_is(tmp_path):
    config = RunConfig(data=DataConfig(data_root="/secret/words"), train=TrainConfig(epochs=40, seed=3))
    result = {"split": "testing", "n_clips": 20, "correct": 19, "accuracy": 0.95, "interval": [0.76, 0.99], "classes": 3,
              "parameters": 9000, "best_epoch": 7, "validation_accuracy": 0.9, "config": dataclasses.asdict(config)}
    (tmp_path / "result.json").write_text(json.dumps(result))
    values = record_result.record_of_torch("torch_words", tmp_path)
    assert values["implementation"] == "PyTorch" and values["epochs"] == 40 and values["seed"] == 3 and values["parameters"] == 9000
    assert values["command"] == "python tools/torch_baseline.py --data_root=WORDS --epochs=40 --seed=3"
    assert values["files"] == {"float32": {"clips": 20, "correct": 19, "accuracy": 0.95, "accuracy_interval": [0.76, 0.99]}}
    assert "secret" not in json.dumps(values)
    (tmp_path / "result.json").write_text(json.dumps({**result, "split": "validation"}))
    with pytest.raises(TrainingError, match="scored on validation"):
        record_result.record_of_torch("torch_words", tmp_path)


def stream_evaluation(path, points, window=50, **changed):
    detector = {"keywords": ["one"], "settings": {"window_scores": window}, "score_seconds": 0.01}
    values = {"model": {"model_id": "ab12"}, "detector": detector, "ambient": {"files": 1}, "annotated": {"words": 20}, "sweep_hours": 0.5,
              "sweep": [{"threshold": threshold, "hits": hits, "false_accepts": wrong} for threshold, hits, wrong in points], **changed}
    path.write_text(json.dumps(values))
    return path


def test_a_stream_is_recorded_by_its_best_window_and_threshold(tmp_path):
    config = RunConfig(data=DataConfig(data_root="/secret/words"), train=TrainConfig(seed=3))
    long = stream_evaluation(tmp_path / "a.json", [(10, 20, 9), (100, 15, 3), (200, 9, 0)])
    short = stream_evaluation(tmp_path / "b.json", [(50, 18, 12), (120, 16, 1), (250, 2, 0)], window=20)
    values = record_result.record_of_stream("word", config, [long, short], "first", 2)
    found = {allowed: (best["hits"], best["false_accepts"], best["threshold"], best["window_seconds"])
             for allowed, best in values["best"].items()}
    assert found == {"0": (9, 0, 200, 0.5), "1": (16, 1, 120, 0.2), "3": (16, 1, 120, 0.2), "10": (20, 9, 10, 0.5)}
    assert values["curve"] == [[0, 9], [1, 16], [9, 20]]
    assert (values["words"], values["hours"], values["place"], values["title"]) == (20, 0.5, 2, "first")
    assert values["command"] == "python -m kws_tf.train --data_root=WORDS --seed=3" and "secret" not in json.dumps(values)


@pytest.mark.parametrize("changed, message", [
    ({"model": {"model_id": "cd34"}}, "another file or other audio than .*a.json"), ({"sweep_hours": 0.6}, "other audio"),
    ({"ambient": None}, "no words or no ambient"), ({"annotated": None}, "no words or no ambient")])
def test_streams_that_do_not_belong_together_are_refused(tmp_path, changed, message):
    paths = [stream_evaluation(tmp_path / "a.json", [(1, 1, 0)]), stream_evaluation(tmp_path / "b.json", [(1, 1, 0)], **changed)]
    with pytest.raises(ConfigError, match=message):
        record_result.record_of_stream("word", RunConfig(), paths, "", 1)


def test_the_command_names_every_setting_that_is_not_the_default():
    config = RunConfig(
        data=DataConfig(data_root="/secret/place/words", cache_dir="/secret/cache"),
        features=dataclasses.replace(FEATURE_PRESETS["sparknet"], log_floor=1e-4),
        augment=AugmentConfig(noise_dir="/secret/noise", rir_dir="/secret/rooms", noise_amplitude=(0.0, 0.2), peak_normalize=True),
        model=ModelConfig(model="sparknet", channels=8), train=TrainConfig(epochs=40, seed=3, initial_weights="/secret/runs/first"))
    assert record_result.command(config) == (
        "python -m kws_tf.train --data_root=WORDS --features=sparknet --log_floor=0.0001 --noise_dir=NOISE --noise_amplitude=0,0.2 "
        "--rir_dir=ROOMS --peak_normalize --model=sparknet --channels=8 --epochs=40 --seed=3 --initial_weights=FIRST")
    assert "secret" not in str(record_result.without_folders(config))
    assert record_result.command(RunConfig()) == "python -m kws_tf.train"


@pytest.mark.parametrize("arguments, message", [
    ((), "--run_dir is missing"),
    (("stray",), "unexpected argument 'stray'"),
])
def test_refuses(arguments, message):
    made = subprocess.run([sys.executable, ROOT / "tools" / "record_result.py", *arguments], capture_output=True, text=True, check=False)
    assert made.returncode == 1 and message in made.stderr and "Traceback" not in made.stderr


def test_refuses_a_folder_without_a_run_and_data_without_a_testing_split(run_program, run_dir, tmp_path):
    with pytest.raises(TrainingError, match="nowhere: no run folder"):
        run_program(record_result, "--run_dir", "nowhere")
    with pytest.raises(TrainingError, match="no testing split"):
        run_program(record_result, "--run_dir", run_dir, "--data_root", tmp_path)
