"""Trains BC-ResNet in PyTorch by the flags of kws_tf.train: the yardstick beside which docs/benchmarks.md puts our own training.

    python tools/torch_baseline.py --flagfile flags/speech_commands.cfg --data_root DIR --noise_dir DIR --run_dir runs/torch

Network, features, augmentation, optimiser and loop are PyTorch and numpy; clips, learning rates and the choice of the best epoch
come from kws_tf, so both train on the same samples by the same recipe. Writes history.csv and result.json into --run_dir and
continues a killed run from its last epoch. Needs the extra `parity`.
"""

import csv
import dataclasses
import json
import pathlib
import sys
import time

import numpy as np
import torch
from absl import flags, logging
from torch.nn import functional

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kws_tf import atomic_file, dataset, mel  # noqa: E402
from kws_tf.config import DataConfig, to_dict  # noqa: E402
from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.evaluation.intervals import wilson_interval  # noqa: E402
from kws_tf.flags import define_config, refuse_arguments, run, run_config  # noqa: E402
from kws_tf.training.monitor import Monitor  # noqa: E402
from kws_tf.training.schedule import Schedule  # noqa: E402
from tools.torch_bc_resnet import TorchBCResNet  # noqa: E402

FLAGS = flags.FLAGS
IMPLEMENTED = frozenset({
    *(field.name for field in dataclasses.fields(DataConfig)),
    "sample_rate", "window_samples", "hop_samples", "fft_size", "n_mels", "low_hz", "high_hz", "log_floor",
    "shift_prob", "shift_ms", "noise_dir", "noise_fraction", "noise_prob", "noise_amplitude", "silence_label", "silence_amplitude",
    "spec_prob", "tau", "ssn_groups", "padding", "dropout",
    "batch_size", "lr", "epochs", "warmup_epochs", "schedule", "momentum", "weight_decay", "label_smoothing", "seed"})


def define(flag_values=FLAGS):
    """Defines the flags of the configuration and of this tool."""
    place = {"flag_values": flag_values, "module_name": "run"}
    flags.DEFINE_string("run_dir", "runs/torch_baseline", "Folder of checkpoint.pt, history.csv and result.json.", **place)
    flags.DEFINE_integer("threads", 1, "Threads of PyTorch.", lower_bound=1, **place)
    define_config(flag_values)


class LogMel(torch.nn.Module):
    """Float PCM [batch, samples] -> [batch, 1, mel, time], as FeatureConfig defines it for the power spectrum."""

    def __init__(self, features):
        super().__init__()
        self.features = features
        self.register_buffer("window", torch.hann_window(features.window_samples, periodic=True))
        self.register_buffer("bands", torch.tensor(mel.mel_matrix(features), dtype=torch.float32))

    def forward(self, pcm):
        frames = pcm.unfold(-1, self.features.window_samples, self.features.hop_samples) * self.window
        power = torch.fft.rfft(frames, self.features.fft_size).abs().square()
        return torch.log(torch.clamp(power @ self.bands, min=self.features.log_floor)).transpose(1, 2).unsqueeze(1)


def augment(pcm, is_silence, settings, noise, shift_samples, rng):
    """The waveform augmentation of the paper, clip by clip: shift and noise by one draw, silence always with noise.

    Args:
        pcm: float32 [batch, samples], changed in place. is_silence: bool [batch].
        settings: AugmentConfig. noise: list of float32 recordings; a short one is repeated. shift_samples: largest shift.
        rng: numpy Generator.
    """
    n_samples = pcm.shape[1]
    for row, silent in enumerate(is_silence):
        if silent or rng.random() < settings.noise_prob:
            amplitude = rng.uniform(*(settings.silence_amplitude if silent else settings.noise_amplitude))
            shift = int(rng.integers(-shift_samples, shift_samples, endpoint=True))
            moved = np.zeros(n_samples, np.float32)
            moved[max(shift, 0):n_samples + min(shift, 0)] = pcm[row, max(-shift, 0):n_samples - max(shift, 0)]
            recording = noise[rng.integers(len(noise))]
            if len(recording) < n_samples:
                recording = np.resize(recording, n_samples)
            begin = rng.integers(len(recording) - n_samples, endpoint=True)
            pcm[row] = np.clip(moved + amplitude * recording[begin:begin + n_samples], -1, 1)


def require_paper_recipe(config):
    """Refuses settings that this tool does not implement, rather than train something else.

    Raises:
        ConfigError: names every field beside IMPLEMENTED that is not as it is by default, and every value that the paper does not have.
    """
    settings = config.augment
    parts = [getattr(config, part.name) for part in dataclasses.fields(config)]
    wrong = [field.name for part in parts for field in dataclasses.fields(part)
             if field.name not in IMPLEMENTED and getattr(part, field.name) != field.default]
    wrong += [name for name, bad in {
        "padding": config.model.padding == "mixed", "noise_dir": not settings.noise_dir, "schedule": config.train.schedule == "plateau",
        "shift_prob": settings.shift_prob != settings.noise_prob,
        "ssn_groups": config.model.ssn_groups not in ("auto", "5") or config.features.n_mels % 40 != 0,
        "spec_prob": config.model.tau > 1 and settings.spec_prob > 0}.items() if bad]
    if wrong:
        raise ConfigError(f"torch_baseline: only the paper's recipe for log-mel BC-ResNet is implemented here; not these settings: "
                          f"{', '.join('--' + name for name in wrong)}.")


@torch.no_grad()
def logits_of(split, network, log_mel, config):
    """float32 [clips, classes] of a split, with the evaluation crop."""
    network.eval()
    batches = split.batches(128, config.clip_samples, config.data.eval_crop)
    return np.concatenate([network(log_mel(torch.from_numpy(pcm / np.float32(32768)))).numpy() for pcm, _, _ in batches])


def accuracy_of(split, *arguments):
    return float((logits_of(split, *arguments).argmax(1) == split.labels).mean())


def train_epoch(network, optimizer, log_mel, batches, rate_of, settings, noise, silence_index, config, rng):
    """One pass over the training clips; returns the mean loss."""
    network.train()
    losses = []
    shift = round(settings.shift_ms / 1000 * config.features.sample_rate)
    for step, (clips, labels, _) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = rate_of(step)
        pcm = clips / np.float32(32768)
        augment(pcm, labels == silence_index, settings, noise, shift, rng)
        loss = functional.cross_entropy(network(log_mel(torch.from_numpy(pcm))), torch.from_numpy(labels).long(),
                                        label_smoothing=config.train.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def main(argv):
    refuse_arguments(argv)
    config = run_config()
    require_paper_recipe(config)
    recipe, folder = config.train, pathlib.Path(FLAGS.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(FLAGS.threads)
    torch.manual_seed(recipe.seed)
    clips = dataset.load(config.data, config.features.sample_rate)
    noise = [recording / np.float32(32768) for recording in dataset.load_noise(
        config.augment.noise_dir, config.features.sample_rate, fraction=config.augment.noise_fraction, cache_dir=config.data.cache_dir,
        audio_backend=config.data.audio_backend, allow_bad_files=config.data.allow_bad_files)]
    silence_index = clips.classes.index(config.augment.silence_label) if config.augment.silence_label in clips.classes else -1
    training, validation = clips.splits["training"], clips.splits["validation"]
    log_mel = LogMel(config.features)
    network = TorchBCResNet(len(clips.classes), config.features.n_mels, config.model.tau,
                            causal=config.model.padding == "causal", dropout=config.model.dropout)
    optimizer = torch.optim.SGD(network.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay)
    steps = training.n_clips // recipe.batch_size
    schedule, monitor = Schedule(recipe, steps), Monitor(recipe.monitor)

    checkpoint, history, best_weights = folder / "checkpoint.pt", [], None
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=False)
        if state["config"] != to_dict(config):
            raise ConfigError(f"{folder} holds a run with other settings; choose another --run_dir or delete it.")
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        history, best_weights, monitor.state = state["history"], state["best_weights"], state["monitor"]
        torch.set_rng_state(state["torch_rng"])
        logging.info("%s: continuing after epoch %d.", folder, len(history))

    for epoch in range(len(history), recipe.epochs):
        begun = time.monotonic()
        batches = training.batches(recipe.batch_size, config.clip_samples, config.data.train_crop, seed=recipe.seed, epoch=epoch,
                                   shuffle=True, drop_remainder=True)
        loss = train_epoch(network, optimizer, log_mel, batches, lambda step, epoch=epoch: schedule.rate(epoch * steps + step),
                           config.augment, noise, silence_index, config, np.random.default_rng((recipe.seed, epoch, 1)))
        accuracy = accuracy_of(validation, network, log_mel, config)
        if monitor.update({"accuracy": accuracy}):
            best_weights = {name: value.clone() for name, value in network.state_dict().items()}
        history.append({"epoch": epoch + 1, "loss": loss, "val_accuracy": accuracy, "seconds": round(time.monotonic() - begun, 2)})
        logging.info("epoch %d/%d  loss %.4f | validation accuracy %.4f | %.1f s", epoch + 1, recipe.epochs, loss, accuracy,
                     history[-1]["seconds"])
        with atomic_file.replacing(checkpoint) as temporary:
            torch.save({"config": to_dict(config), "network": network.state_dict(), "optimizer": optimizer.state_dict(), "history": history,
                        "best_weights": best_weights, "monitor": monitor.state, "torch_rng": torch.get_rng_state()}, temporary)

    with atomic_file.replacing(folder / "history.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)
    network.load_state_dict(best_weights)
    name = "testing" if "testing" in clips.splits else "validation"
    split = clips.splits[name]
    right = int((logits_of(split, network, log_mel, config).argmax(1) == split.labels).sum())
    low, high = wilson_interval(right, split.n_clips)
    result = {"split": name, "n_clips": split.n_clips, "correct": right, "accuracy": right / split.n_clips, "interval": [low, high],
              "classes": len(clips.classes), "parameters": sum(weight.numel() for weight in network.parameters()),
              "best_epoch": monitor.state["best_epoch"], "validation_accuracy": monitor.state["best"],
              "config": dataclasses.asdict(config)}
    atomic_file.write_text(folder / "result.json", json.dumps(result, indent=2) + "\n")
    logging.info("%s accuracy of the best epoch (%d): %.2f %% (95 %% interval %.2f to %.2f, %d clips)", name, result["best_epoch"],
                 100 * result["accuracy"], 100 * low, 100 * high, split.n_clips)


if __name__ == "__main__":
    run(main, define)
