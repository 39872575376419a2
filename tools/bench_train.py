"""Training speed of BC-ResNet here against the same network in PyTorch: clips per second of CPU time, one thread each.

    python tools/bench_train.py
    python tools/bench_train.py --tau 2 --n_mels 80 --frames 148 --json bench.json

A step is forward, backward and momentum SGD with weight decay on one batch of given features. The contestants take turns in one
process and are compared within each round, so that whatever else the machine does hits all alike.
"""

import json
import os
import pathlib
import platform
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.update(KERAS_BACKEND="tensorflow", OMP_NUM_THREADS="1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl import flags  # noqa: E402

from kws_tf import atomic_file, screen  # noqa: E402
from kws_tf.config import FeatureConfig, ModelConfig  # noqa: E402
from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.flags import refuse_arguments, run  # noqa: E402

FLAGS = flags.FLAGS
N_CLASSES = 12
LEARNING_RATE, MOMENTUM, DECAY = 0.01, 0.9, 1e-3
REFERENCE = "PyTorch"


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "bench_train"}
    flags.DEFINE_float("tau", 1.0, "Width of BC-ResNet.", **place)
    flags.DEFINE_integer("n_mels", 40, "Rows of the features.", lower_bound=1, **place)
    flags.DEFINE_integer("frames", 101, "Frames of a clip.", lower_bound=1, **place)
    flags.DEFINE_enum("padding", "symmetric", ["symmetric", "causal"], "Padding over time.", **place)
    flags.DEFINE_integer("batch_size", 100, "Clips per step.", lower_bound=1, **place)
    flags.DEFINE_integer("rounds", 9, "Rounds that count, after one for warming up.", lower_bound=1, **place)
    flags.DEFINE_integer("steps", 3, "Steps of each contestant per round.", lower_bound=1, **place)
    flags.DEFINE_float("require_ratio", 0.0, "Exit with status 1 if the median ratio of batch_innermost is lower.", **place)
    flags.DEFINE_string("json", "", "File for the figures.", **place)


def torch_contestant(model, features, n_frames, batch_size):
    """A training step of the PyTorch network on one batch, as a function that returns the loss."""
    import torch

    from kws_tf.models.bc_resnet import resolve_ssn_groups
    from tools.torch_bc_resnet import TorchBCResNet

    torch.set_num_threads(1)
    torch.manual_seed(0)
    groups = resolve_ssn_groups(model.ssn_groups, features.n_features)
    network = TorchBCResNet(N_CLASSES, features.n_features, model.tau, groups, model.padding == "causal", model.dropout).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=DECAY)
    x = torch.randn(batch_size, 1, features.n_features, n_frames)
    labels = torch.arange(batch_size) % N_CLASSES

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def keras_contestant(layout, model, features, n_frames, batch_size):
    """The same step of our network in a layout, in a TensorFlow graph."""
    import keras
    import tensorflow as tf

    from kws_tf import models
    from kws_tf.models.batch_innermost import batch_innermost
    from kws_tf.training.optimizer import CoupledSGD

    network = models.build(model, features, N_CLASSES, n_frames, seed=0)
    forward = batch_innermost(network) if layout == "batch_innermost" else network
    optimizer = CoupledSGD(LEARNING_RATE, MOMENTUM, DECAY)
    optimizer.build(network.trainable_variables)
    x = keras.random.normal((batch_size, n_frames, features.n_features, 1), seed=0)
    labels = tf.range(batch_size) % N_CLASSES

    @tf.function(jit_compile=False)
    def step(x, labels):
        with tf.GradientTape() as tape:
            logits = forward(x, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        return loss

    return lambda: float(step(x, labels))


def race(contestants, rounds, steps):
    """CPU seconds per step of every contestant in every round: {name: [seconds]}; one more round before them is not counted."""
    seconds = {name: [] for name in contestants}
    for index in range(rounds + 1):
        for name, step in contestants.items():
            start = time.process_time()
            for _ in range(steps):
                step()
            if index:
                seconds[name].append((time.process_time() - start) / steps)
    return seconds


def figures(seconds, batch_size):
    """Clips per CPU second and ratio to the reference, as median, lowest and highest over the rounds: {name: {...}}."""
    def spread(values):
        return {"median": statistics.median(values), "low": min(values), "high": max(values)}

    return {name: {"clips_per_second": spread([batch_size / value for value in own]),
                   "ratio": spread([reference / value for reference, value in zip(seconds[REFERENCE], own, strict=True)])}
            for name, own in seconds.items()}


def print_table(results, title):
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("training step")
    for header in ("clips per CPU second", "ratio", "range of the ratio"):
        table.add_column(header, justify="right")
    for name, result in results.items():
        speed, ratio = result["clips_per_second"], result["ratio"]
        table.add_row(name, f"{speed['median']:.0f}", f"{ratio['median']:.2f}", f"{ratio['low']:.2f} to {ratio['high']:.2f}")
    screen.console().print(table)


def main(argv):
    refuse_arguments(argv)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    try:
        import torch
    except ImportError:
        raise ConfigError("bench_train: torch is not installed; pip install 'kws_tf[parity]', or use make bench.") from None
    model = ModelConfig(tau=FLAGS.tau, padding=FLAGS.padding)
    batch = (model, FeatureConfig(n_mels=FLAGS.n_mels), FLAGS.frames, FLAGS.batch_size)
    contestants = {REFERENCE: torch_contestant(*batch),
                   **{layout: keras_contestant(layout, *batch) for layout in ("channels_last", "batch_innermost")}}
    results = figures(race(contestants, FLAGS.rounds, FLAGS.steps), FLAGS.batch_size)
    print_table(results, f"BC-ResNet-{FLAGS.tau:g}, {FLAGS.n_mels} mels, {FLAGS.frames} frames, {FLAGS.padding}, batch {FLAGS.batch_size}; "
                         f"one thread, {FLAGS.rounds} rounds; torch {torch.__version__}, tensorflow {tf.__version__}")
    if FLAGS.json:
        settings = {name: getattr(FLAGS, name) for name in ("tau", "n_mels", "frames", "padding", "batch_size", "rounds", "steps")}
        versions = {"python": platform.python_version(), "torch": torch.__version__, "tensorflow": tf.__version__}
        atomic_file.write_text(FLAGS.json, json.dumps({"settings": settings, "versions": versions, "results": results}, indent=2) + "\n")
    ratio = results["batch_innermost"]["ratio"]["median"]
    if ratio < FLAGS.require_ratio:
        sys.stderr.write(f"error: batch_innermost reached {ratio:.2f} times the speed of PyTorch, not {FLAGS.require_ratio:g}.\n")
        return 1
    return 0


if __name__ == "__main__":
    run(main, define)
