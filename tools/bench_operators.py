"""Where the time of a .tflite file goes: every operator as a file of its own, by interpreter and kernels.

    python tools/bench_operators.py --model runs/NAME/export/pi_stream

Prints milliseconds per inference for every operator and type, and their sum: the fastest of some repetitions on one thread, inputs
drawn at random.
"""

import collections
import math
import pathlib
import sys
import time

import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.flags import run  # noqa: E402
from kws_tf.runtime import model_file  # noqa: E402
from kws_tf.runtime.interpreter import KERNELS, available, open_interpreter  # noqa: E402
from kws_tf.tflite import flatbuffer  # noqa: E402

FLAGS = flags.FLAGS
# Nothing to compute, or nothing that runs without the others.
STATE_OPERATORS = ("ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE")


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "bench_operators"}
    flags.DEFINE_string("model", "", "Exported model: a .tflite file or its export folder.", **place)
    flags.DEFINE_multi_enum("kernels", ["reference", "optimised"], list(KERNELS), "Kernels to time; may be repeated.", **place)
    flags.DEFINE_integer("runs", 200, "Inferences of one repetition.", lower_bound=1, **place)


def seconds(content, interpreter, kernels, runs, repetitions=5):
    """Time of one inference of a file, the fastest of some repetitions."""
    _, opened = open_interpreter(content, interpreter=interpreter, kernels=kernels)
    random = np.random.default_rng(0)
    for detail in opened.get_input_details():
        values = random.uniform(-1, 1, detail["shape"]) * (1 if detail["dtype"] == np.float32 else np.iinfo(detail["dtype"]).max)
        opened.set_tensor(detail["index"], values.astype(detail["dtype"]))
    opened.invoke()
    best = math.inf
    for _ in range(repetitions):
        begun = time.process_time()
        for _ in range(runs):
            opened.invoke()
        best = min(best, (time.process_time() - begun) / runs)
    return best


def operator_seconds(content, choices, runs):
    """(operator, type of its first input) -> [count, seconds of one inference for every (interpreter, kernels) of choices]."""
    found = collections.defaultdict(lambda: [0, np.zeros(len(choices))])
    for node in flatbuffer.read(content).nodes:
        if node.operator in STATE_OPERATORS:
            continue
        borders = [tensor for tensor in node.inputs if tensor is not None and tensor.data is None]
        alone = flatbuffer.write(flatbuffer.Graph([node], borders, node.outputs))
        entry = found[node.operator, node.inputs[0].dtype]
        entry[0] += 1
        entry[1] += [seconds(alone, *choice, runs) for choice in choices]
    return found


def table(found, choices):
    """The lines of a Markdown table, the slowest first."""
    heads = ["operator", "type", "nodes", *(f"{interpreter}, {kernels} [ms]" for interpreter, kernels in choices)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    rows = sorted(found.items(), key=lambda item: -item[1][1][0])
    total = sum(entry[1] for _, entry in rows)
    for (operator, dtype), (count, times) in rows:
        lines.append(f"| {operator} | {dtype} | {count} | " + " | ".join(f"{1e3 * value:.3f}" for value in times) + " |")
    return [*lines, f"| all | | {sum(entry[0] for _, entry in rows)} | " + " | ".join(f"{1e3 * value:.3f}" for value in total) + " |"]


def main(argv):
    if argv[1:] or not FLAGS.model:
        raise ConfigError("--model is missing: a .tflite file or its export folder." if not FLAGS.model
                          else f"unexpected argument {argv[1]!r}; every setting is a flag, see --help.")
    _, content = model_file.read(FLAGS.model)
    choices = [(name, kernels) for name in available() if name != "tensorflow" for kernels in FLAGS.kernels]
    print("\n".join(table(operator_seconds(content, choices, FLAGS.runs), choices)))


if __name__ == "__main__":
    run(main, define)
