import json
import pathlib

import numpy as np
import pytest
import soundfile
from absl import flags

torch = pytest.importorskip("torch", reason="needs torch: pip install 'kws_tf[parity]'")

from kws_tf import features  # noqa: E402
from kws_tf.config import FEATURE_PRESETS, AugmentConfig, DataConfig, FeatureConfig, ModelConfig, RunConfig, TrainConfig  # noqa: E402
from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.flags import run_config  # noqa: E402
from tools import torch_baseline  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("n_mels", [40, 80])
def test_log_mel_is_that_of_the_keras_layer(n_mels):
    config = FeatureConfig(n_mels=n_mels)
    pcm = np.random.default_rng(0).normal(0, 0.1, (2, 4000)).astype(np.float32)
    pcm[1, 1000:] = 0
    ours = np.array(features.build(config)(pcm))
    theirs = torch_baseline.LogMel(config)(torch.from_numpy(pcm)).numpy().transpose(0, 3, 2, 1)
    np.testing.assert_allclose(theirs, ours, atol=2e-3)


def test_augmentation_shifts_and_adds_noise_within_its_bounds():
    clean = np.full((200, 100), 0.5, np.float32)
    pcm, noise = clean.copy(), [np.full(300, 1.0, np.float32)]
    settings = AugmentConfig(noise_dir="x", noise_prob=0.5, noise_amplitude=(0.0, 0.1), silence_amplitude=(0.3, 0.4))
    silent = np.arange(200) < 20
    torch_baseline.augment(pcm, silent, settings, noise, 10, np.random.default_rng(0))
    changed = (pcm != clean).any(axis=1)
    assert changed[:20].all() and 60 < changed[20:].sum() < 120
    assert (pcm[:20].max(axis=1) >= 0.8).all() and pcm[20:].max() <= 0.6
    gap = (pcm[changed] < 0.45).sum(axis=1)
    assert gap.max() == 10 and gap.min() >= 0
    short = clean.copy()
    torch_baseline.augment(short, silent, settings, [np.full(30, 1.0, np.float32)], 10, np.random.default_rng(0))
    assert (short[:20].max(axis=1) >= 0.8).all(), "a recording that is shorter than a clip is repeated"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Flags for a data set of two tones and two epochs."""
    root = tmp_path_factory.mktemp("tones")
    random = np.random.default_rng(0)
    for split, n_clips in {"training": 16, "validation": 6, "testing": 6}.items():
        for name, pitch in {"high": 3000, "low": 500}.items():
            (root / "data" / split / name).mkdir(parents=True)
            for number in range(n_clips):
                tone = 0.1 * np.sin(2 * np.pi * pitch * random.uniform(0.9, 1.1) * np.arange(4800) / 16000)
                soundfile.write(root / "data" / split / name / f"{number}.wav", tone + 0.01 * random.standard_normal(4800), 16000)
    (root / "noise").mkdir()
    soundfile.write(root / "noise" / "hiss.wav", 0.1 * random.standard_normal(16000), 16000)
    return [f"--data_root={root / 'data'}", f"--noise_dir={root / 'noise'}", f"--cache_dir={root / 'cache'}", "--clip_duration=0.3",
            "--audio_backend=soundfile", "--tau=0.25", "--batch_size=8", "--epochs=2", "--warmup_epochs=0.5", "--lr=0.05",
            "--shift_ms=20"]


@pytest.mark.slow
def test_an_interrupted_run_continues_to_the_same_result(run_program, recipe, tmp_path, monkeypatch):
    whole, stopped, lines, epochs = tmp_path / "whole", tmp_path / "stopped", [], []
    assert not run_program(torch_baseline, *recipe, f"--run_dir={whole}")
    train_epoch = torch_baseline.train_epoch

    def interrupted_in_the_second(*arguments):
        epochs.append(1)
        if len(epochs) == 2:
            raise KeyboardInterrupt
        return train_epoch(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch_baseline, "train_epoch", interrupted_in_the_second)
        run_program(torch_baseline, *recipe, f"--run_dir={stopped}")
    assert not (stopped / "result.json").exists()
    monkeypatch.setattr(torch_baseline.logging, "info", lambda text, *values: lines.append(text % values))
    assert not run_program(torch_baseline, *recipe, f"--run_dir={stopped}")
    assert any("continuing after epoch 1" in line for line in lines)

    def losses(folder):
        return [line.split(",")[1:3] for line in (folder / "history.csv").read_text().splitlines()]

    assert losses(stopped) == losses(whole) and len(losses(whole)) == 3
    result = json.loads((whole / "result.json").read_text())
    assert json.loads((stopped / "result.json").read_text()) | {"config": 0} == result | {"config": 0}
    assert result["split"] == "testing" and result["n_clips"] == 12
    assert result["interval"][0] <= result["accuracy"] <= result["interval"][1]


def refused(**parts):
    config = RunConfig(**{"augment": AugmentConfig(noise_dir="noise"), **parts})
    try:
        torch_baseline.require_paper_recipe(config)
    except ConfigError as error:
        return str(error).split("not these settings: ")[1]
    return ""


@pytest.mark.parametrize("parts, names", [
    ({"augment": AugmentConfig(noise_dir="noise", gain_prob=0.5), "model": ModelConfig(ssn_groups="0")}, "--gain_prob, --ssn_groups."),
    ({"augment": AugmentConfig(noise_dir="noise", tape_prob=0.5, warp_prob=0.1, white_noise_prob=0.1, rir_dir="rooms", mic_prob=0.1,
                               curriculum="[]", peak_normalize=True)},
     "--tape_prob, --warp_prob, --white_noise_prob, --rir_dir, --mic_prob, --curriculum, --peak_normalize."),
    ({"model": ModelConfig(arcface=True), "train": TrainConfig(patience=3, pre_roll_probability=0.5, initial_weights="run")},
     "--arcface, --patience, --pre_roll_probability, --initial_weights."),
    ({"train": TrainConfig(schedule="plateau", monitor="loss", class_weights="balanced")}, "--class_weights, --monitor, --schedule."),
    ({"features": FEATURE_PRESETS["sparknet"], "model": ModelConfig(model="ds_cnn")}, "--kind, --n_mfcc, --model, --ssn_groups."),
    ({"model": ModelConfig(tau=2)}, "--spec_prob."), ({"augment": AugmentConfig()}, "--noise_dir."),
])
def test_refuses_what_it_does_not_implement(parts, names):
    assert refused(**parts) == names


def test_takes_what_the_benchmarks_ask_for():
    values = flags.FlagValues()
    torch_baseline.define(values)
    values(["torch_baseline", f"--flagfile={ROOT / 'flags' / 'speech_commands.cfg'}", "--noise_dir=n", "--noise_fraction=0.7",
            "--data_root=d", "--epochs=60", "--seed=2", "--threads=1"])
    torch_baseline.require_paper_recipe(run_config(values))
    assert refused() == ""
    assert refused(augment=AugmentConfig(noise_dir="n", noise_fraction=0.7, spec_prob=0), model=ModelConfig(tau=2),
                   data=DataConfig(cache_dir="cache"), train=TrainConfig(epochs=100, seed=2)) == ""
