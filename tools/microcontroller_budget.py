"""What a hop costs on a microcontroller, front end and network apart: the tables of docs/microcontrollers.md.

    python tools/microcontroller_budget.py --docs=docs/microcontrollers.md

Weights are random and calibration is noise, as in tools/bench_streaming.py: neither changes what an inference costs. Arena and time are
those of TFLite Micro on this PC (64 bit, one thread, reference kernels), the median of --runs inferences. Without --docs the tables are
printed only.
"""

import pathlib
import sys

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kws_tf.flags import refuse_arguments, run  # noqa: E402
from kws_tf.tflite import flatbuffer  # noqa: E402
from kws_tf.tflite.device import ARENA_RATIO  # noqa: E402
from kws_tf.tflite.streaming import streaming_graph  # noqa: E402
from tools import bench_streaming  # noqa: E402
from tools.document_tables import publish  # noqa: E402

FLAGS = flags.FLAGS
NETWORKS = ("BC-ResNet-0.625", "BC-ResNet-1", "SparkNet-8", "SparkNet-16", "SparkNet-32")
HOP_FRAMES = 2
# Published for microWakeWord v2, without its front end, which is C code of its own there.
MICRO_WAKE_WORD = "| microWakeWord v2, published | 21,600 to 24,600 | - | - | 52,000 to 60,000 | 22,000 to 26,000 |"


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "microcontroller_budget"}
    flags.DEFINE_string("docs", "", "Markdown file whose tables are replaced.", **place)
    flags.DEFINE_integer("runs", 200, "Inferences that are timed.", lower_bound=1, **place)


class Step:
    """One step of a network with its states inside: from PCM, and from features alone.

    Attributes:
        milliseconds: of audio per step. whole, network: flatbuffer.Graph with the front end, and without.
    """

    def __init__(self, prepared):
        self.milliseconds = HOP_FRAMES * prepared.features.hop_ms
        self.whole, _ = streaming_graph(prepared.streaming, prepared.features, HOP_FRAMES, "internal", "pcm")
        self.network, _ = streaming_graph(prepared.streaming, prepared.features, HOP_FRAMES, "internal")

    def macs(self):
        """(front end, network)."""
        network = bench_streaming.macs(self.network.nodes)
        return bench_streaming.macs(self.whole.nodes) - network, network

    def nodes(self):
        """(front end, network)."""
        return len(self.whole.nodes) - len(self.network.nodes), len(self.network.nodes)


def cell(value, form="{:,.0f}"):
    return "-" if value is None else form.format(value)


def hop_table(steps, figures):
    """Lines of the table of one step: figures is {name: (arena, milliseconds) of TFLite Micro}."""
    lines = ["| network | step | MACs: front end | network | nodes: front end | network | file | arena, this PC | declared | "
             "TFLite Micro, this PC | share of real time |", "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for name, step in steps.items():
        arena, time = figures[name]
        lines.append(f"| {name} | {step.milliseconds:.0f} ms | " + " | ".join(f"{value:,}" for value in (*step.macs(), *step.nodes()))
                     + f" | {len(flatbuffer.write(step.whole)):,} | {cell(arena)} | {cell(arena and arena * ARENA_RATIO)} | "
                     f"{cell(time, '{:.3f} ms')} | {cell(time and 100 * time / step.milliseconds, '{:.1f} %')} |")
    return lines


def side_table(steps):
    """Lines of the comparison: networks alone, per 30 ms of audio."""
    lines = ["| | MACs per 30 ms: network | front end | nodes of the network | file without front end | arena without front end, this PC |",
             "|---|---:|---:|---:|---:|---:|"]
    for name, step in steps.items():
        front_end, network = (value * 30 / step.milliseconds for value in step.macs())
        arena, _ = bench_streaming.micro_figures(step.network)
        lines.append(f"| {name} | {network:,.0f} | {front_end:,.0f} | {step.nodes()[1]} | {len(flatbuffer.write(step.network)):,} | "
                     f"{cell(arena)} |")
    return [*lines, MICRO_WAKE_WORD]


def main(argv):
    refuse_arguments(argv)
    steps = {name: Step(bench_streaming.prepared(name, compact=True)) for name in NETWORKS}
    figures = {name: bench_streaming.micro_figures(step.whole) for name, step in steps.items()}
    tables = {"budget": hop_table(steps, figures), "side": side_table(steps)}
    for name, lines in tables.items():
        print(f"{name}\n" + "\n".join(lines) + "\n")
    if FLAGS.docs:
        publish(FLAGS.docs, tables, f"python tools/microcontroller_budget.py --docs=docs/microcontrollers.md --runs={FLAGS.runs}")


if __name__ == "__main__":
    run(main, define)
