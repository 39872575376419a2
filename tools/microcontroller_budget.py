"""What a hop costs on a microcontroller, front end and network apart: the tables of docs/microcontrollers.md.

    python tools/microcontroller_budget.py --docs=docs/microcontrollers.md

Weights are random and calibration is noise, as in tools/bench_streaming.py: neither changes what an inference costs. Arena and time are
those of TFLite Micro on this PC (64 bit, one thread, reference kernels): all rows run by turns, in some rounds of --runs inferences each,
and the quickest counts. Without --docs the tables are printed only.
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
SMALLEST = ("BC-ResNet-1", "SparkNet-16")          # also shown with one frame per step, which takes the least memory
# Published for microWakeWord v2, without its front end, which is C code of its own there.
MICRO_WAKE_WORD = {"macs": "21,600 to 24,600", "file": "52,000 to 60,000", "arena": "22,000 to 26,000"}


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "microcontroller_budget"}
    flags.DEFINE_string("docs", "", "Markdown file whose tables are replaced.", **place)
    flags.DEFINE_integer("runs", 40, "Inferences that are timed in a round.", lower_bound=1, **place)


class Step:
    """One step of a network with its states inside: from PCM, and from features alone.

    Args:
        prepared: bench_streaming.Prepared. hop_frames: feature frames per step.

    Attributes:
        milliseconds: of audio per step. whole, network: flatbuffer.Graph with the front end, and without.
    """

    def __init__(self, prepared, hop_frames=HOP_FRAMES):
        self.milliseconds = hop_frames * prepared.features.hop_ms
        self.whole, _ = streaming_graph(prepared.streaming, prepared.features, hop_frames, "internal", "pcm")
        self.network, _ = streaming_graph(prepared.streaming, prepared.features, hop_frames, "internal")

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
        arena, _ = bench_streaming.micro_inference(step.network)
        lines.append(f"| {name} | {network:,.0f} | {front_end:,.0f} | {step.nodes()[1]} | {len(flatbuffer.write(step.network)):,} | "
                     f"{cell(arena)} |")
    return [*lines, "| microWakeWord v2, published | {macs} | - | - | {file} | {arena} |".format(**MICRO_WAKE_WORD)]


def with_front_end_table(steps, figures):
    """Lines of the comparison with the front end in the file: steps and figures by (name, feature frames per step)."""
    lines = ["| | step | nodes | file | arena, this PC | TFLite Micro per step, this PC | share of real time |",
             "|---|---:|---:|---:|---:|---:|---:|"]
    for (name, hop_frames), step in steps.items():
        arena, time = figures[name, hop_frames]
        lines.append(f"| {name} | {step.milliseconds:.0f} ms | {len(step.whole.nodes)} | {len(flatbuffer.write(step.whole)):,} | "
                     f"{cell(arena)} | {cell(time, '{:.3f} ms')} | {cell(time and 100 * time / step.milliseconds, '{:.1f} %')} |")
    return [*lines, "| microWakeWord v2, published | 30 ms | - | {file} | {arena} | - | - |".format(**MICRO_WAKE_WORD)]


def main(argv):
    refuse_arguments(argv)
    networks = {name: bench_streaming.prepared(name, compact=True) for name in NETWORKS}
    every = {(name, hop): Step(network, hop) for name, network in networks.items()
             for hop in ((1, HOP_FRAMES) if name in SMALLEST else (HOP_FRAMES,))}
    measured = bench_streaming.micro_figures({place: step.whole for place, step in every.items()})
    steps, figures = ({name: of[name, HOP_FRAMES] for name in NETWORKS} for of in (every, measured))
    tables = {"budget": hop_table(steps, figures), "side": side_table(steps),
              "with_front_end": with_front_end_table({place: step for place, step in every.items() if place[0] in SMALLEST}, measured)}
    for name, lines in tables.items():
        print(f"{name}\n" + "\n".join(lines) + "\n")
    if FLAGS.docs:
        publish(FLAGS.docs, tables, f"python tools/microcontroller_budget.py --docs=docs/microcontrollers.md --runs={FLAGS.runs}")


if __name__ == "__main__":
    run(main, define)
