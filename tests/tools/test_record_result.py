import dataclasses
import json
import pathlib
import subprocess
import sys

import pytest

from kws_tf.config import FEATURE_PRESETS, AugmentConfig, DataConfig, ModelConfig, RunConfig, TrainConfig
from kws_tf.errors import TrainingError
from kws_tf.evaluation.intervals import wilson_interval
from tools import record_result

ROOT = pathlib.Path(__file__).parents[2]


def record(*arguments):
    return subprocess.run([sys.executable, ROOT / "tools" / "record_result.py", *map(str, arguments)], capture_output=True, text=True,
                          check=False)


@pytest.mark.slow
def test_records_counts_of_the_exported_files_and_no_path(run_dir, data_root, small_network, tmp_path):
    made = record("--run_dir", run_dir, "--output_dir", tmp_path / "results", "--name=tones", "--workers=1")
    assert made.returncode == 0, made.stderr
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
    assert f"tones integer: {100 * values['files']['integer']['accuracy']:.2f} %" in made.stdout
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
    (("--run_dir", "nowhere"), "nowhere: no run folder"),
    (("stray",), "unexpected argument 'stray'"),
])
def test_refuses(arguments, message):
    made = record(*arguments)
    assert made.returncode == 1 and message in made.stderr and "Traceback" not in made.stderr


def test_refuses_data_without_a_testing_split(run_dir, tmp_path):
    made = record("--run_dir", run_dir, "--data_root", tmp_path)
    assert made.returncode == 1 and "no testing split" in made.stderr
