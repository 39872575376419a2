"""What a step of a streaming file costs, against running a one-second window again at every hop: the tables of docs/streaming.md.

    python tools/bench_streaming.py --docs=docs/streaming.md

Weights are random and calibration is noise: neither changes what an inference costs. Times are processor time of one thread with reference
kernels: all that a table compares runs by turns, in some rounds of --runs inferences each, and the quickest counts. Without --docs the
tables are printed only.
"""

import collections
import dataclasses
import pathlib
import sys
import time

import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kws_tf import models  # noqa: E402
from kws_tf.config import FEATURE_PRESETS, FeatureConfig, ModelConfig  # noqa: E402
from kws_tf.flags import refuse_arguments, run  # noqa: E402
from kws_tf.runtime.interpreter import available, open_interpreter  # noqa: E402
from kws_tf.tflite import flatbuffer, micro, operators  # noqa: E402
from kws_tf.tflite.calibration import calibration_features  # noqa: E402
from kws_tf.tflite.convert import convert_classifier  # noqa: E402
from kws_tf.tflite.merge import merge  # noqa: E402
from kws_tf.tflite.step_graph import StepGraph, step_graph  # noqa: E402
from kws_tf.tflite.streaming import join_states, prepare, streaming_graph  # noqa: E402
from kws_tf.tflite.streaming_export import state_bytes  # noqa: E402
from kws_tf.tflite.variables import keep_states_inside  # noqa: E402
from tools.document_tables import publish  # noqa: E402

FLAGS = flags.FLAGS

RATE, CLASSES = 16000, 3
ROUNDS = 5
NETWORKS = {
    "BC-ResNet-0.625": (ModelConfig(tau=0.625), FeatureConfig()), "BC-ResNet-1": (ModelConfig(tau=1.0), FeatureConfig()),
    "BC-ResNet-2": (ModelConfig(tau=2.0), FeatureConfig()),
    **{f"SparkNet-{width}": (ModelConfig(model="sparknet", channels=width), FEATURE_PRESETS["sparknet"]) for width in (8, 16, 32)},
    "DS-CNN": (ModelConfig(model="ds_cnn"), FEATURE_PRESETS["mlperf_tiny"]),
}
DETAILED = "BC-ResNet-1"


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "bench_streaming"}
    flags.DEFINE_string("docs", "", "Markdown file whose tables are replaced.", **place)
    flags.DEFINE_integer("runs", 40, "Inferences that are timed in a round.", lower_bound=1, **place)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A network of the table: its quantised form, that of a clip with its front end, and the features."""

    streaming: object
    window: flatbuffer.Graph
    classifier: flatbuffer.Graph
    features: FeatureConfig


def prepared(name, compact=False):
    """The Prepared of a name in NETWORKS; compact: see tflite.streaming.prepare."""
    model_config, features = NETWORKS[name]
    rng = np.random.default_rng(1)
    n_frames = features.n_frames(RATE)
    network = models.build(model_config, features, CLASSES, n_frames, seed=1)
    for variable in network.variables:
        if variable.path.endswith("moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif variable.path.endswith(("beta", "moving_mean")):               # without them the converter leaves nodes out
            variable.assign(rng.normal(0, 0.5, variable.shape))
    noise = np.clip(rng.normal(0, 2000, (8, 2 * RATE)) * rng.uniform(0.01, 1, (8, 1)), -32768, 32767).astype(np.int16)
    calibration = calibration_features(features, noise, "pcm")
    classifier = flatbuffer.read(convert_classifier(network, calibration[:, :n_frames]))
    return Prepared(prepare(network, n_frames, calibration, compact=compact), merge(features, RATE, classifier), classifier, features)


def macs(nodes):
    return sum(map(operators.macs, nodes))


def quickest(inferences):
    """Processor time of each inference in milliseconds: the least of all rounds, since what else the machine does lengthens the others.

    Args:
        inferences: {key: function without arguments, or None}; they run by turns.

    Returns:
        {key: milliseconds, or None}.
    """
    least = dict.fromkeys(inferences)
    for _ in range(ROUNDS):
        for key, invoke in inferences.items():
            for _ in range(FLAGS.runs if invoke else 0):
                start = time.process_time_ns()
                invoke()
                found = (time.process_time_ns() - start) / 1e6
                least[key] = found if least[key] is None else min(found, least[key])
    return least


def host_inference(graph, interpreter):
    return open_interpreter(flatbuffer.write(graph), interpreter=interpreter, kernels="reference")[1].invoke


def micro_inference(graph):
    """(arena bytes, inference) in TFLite Micro; None where it cannot be had."""
    if micro.unavailable():
        return None, None
    opened = micro.MicroInterpreter(flatbuffer.write(graph))
    inputs = [np.zeros(tensor.shape, tensor.dtype) for tensor in graph.inputs]
    return opened.used_bytes(), lambda: opened(*inputs)


def micro_figures(graphs):
    """{key: (arena bytes, milliseconds per inference)} in TFLite Micro for {key: graph}; None where it cannot be had."""
    found = {key: micro_inference(graph) for key, graph in graphs.items()}
    times = quickest({key: inference for key, (_, inference) in found.items()})
    return {key: (arena, times[key]) for key, (arena, _) in found.items()}


def cell(value, form="{:,}"):
    return "-" if value is None else form.format(value)


def work_table(networks):
    lines = ["| network | state [bytes] | of it front end | MACs per 10 ms: network | front end | window again, per 10 ms hop | saving |",
             "|---|---|---|---|---|---|---|"]
    for name, network in networks.items():
        hop = network.streaming.stride_frames
        step, section = streaming_graph(network.streaming, network.features, hop, "external", "pcm")
        alone, own = streaming_graph(network.streaming, network.features, hop, "external")
        per_10_ms = 10 / (hop * network.features.hop_ms)
        classifier, window = macs(alone.nodes) * per_10_ms, macs(network.classifier.nodes)
        lines.append(f"| {name} | {state_bytes(section):,} | {state_bytes(section) - state_bytes(own):,} | {classifier:,.0f} | "
                     f"{(macs(step.nodes) - macs(alone.nodes)) * per_10_ms:,.0f} | {window:,} | {window / classifier:.0f}x |")
    return lines


def cost_table(networks):
    hosts = [name for name in ("tflite_runtime", "ai_edge_litert") if name in available()]
    lines = ["| network | step | nodes: network, front end | file, internal state | arena, internal state | "
             + " | ".join(f"{host}" for host in hosts) + " | TFLite Micro | window again: "
             + " | ".join(hosts) + " | TFLite Micro |", "|" + "---|" * (7 + 2 * len(hosts))]
    steps = {name: [streaming_graph(network.streaming, network.features, network.streaming.stride_frames, *kind)[0]
                    for kind in (("external",), ("external", "pcm"), ("internal", "pcm"))] for name, network in networks.items()}
    arenas, inferences = {}, {}
    for name, (_, _, internal) in steps.items():
        for kind, graph in (("step", internal), ("window", networks[name].window)):
            inferences |= {(name, kind, host): host_inference(graph, host) for host in hosts}
            arenas[name, kind], inferences[name, kind, "micro"] = micro_inference(graph)
    found = quickest(inferences)
    for name, network in networks.items():
        hop, (alone, external, internal), arena = network.streaming.stride_frames, steps[name], arenas[name, "step"]
        times = [cell(found[name, "step", host], "{:.3f} ms") for host in (*hosts, "micro")]
        again = [cell(found[name, "window", host], "{:.1f} ms") for host in (*hosts, "micro")]
        lines.append(f"| {name} | {hop * network.features.hop_ms:.0f} ms | {len(alone.nodes)}, {len(external.nodes) - len(alone.nodes)} | "
                     f"{len(flatbuffer.write(internal)):,} | {cell(arena)} | " + " | ".join(times + again) + " |")
    return lines


def inside(step):
    """A StepGraph with its states as variables."""
    graph = flatbuffer.Graph(step.graph.nodes, list(step.graph.inputs), list(step.graph.outputs))
    return keep_states_inside(graph, step.states)


def state_table(network, compact):
    """What a state costs: one for every layer, or joined as files have them, in the default and in the compact form."""
    lines = ["| states of the network | kind | nodes | of them for states | file | arena | TFLite Micro per step |",
             "|---|---|---|---|---|---|---|"]
    apart = step_graph(network.streaming.graph, 1, network.streaming.input_delay)
    small = step_graph(compact.streaming.graph, 1, compact.streaming.input_delay)
    forms = {"one for every layer": apart, "as files have them": join_states(apart), "compact form": join_states(small)}
    graphs = {(f"{len(step.states)}: {name}", kind): make(step) for name, step in forms.items()
              for kind, make in (("external", with_states_outside), ("internal", inside))}
    own = {"CONCATENATION", "STRIDED_SLICE", "SPLIT_V", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"}
    before = collections.Counter(node.operator for node in network.streaming.graph.nodes)
    for (name, kind), (arena, step_time) in micro_figures(graphs).items():
        graph = graphs[name, kind]
        counts = collections.Counter(node.operator for node in graph.nodes)
        handling = sum(counts[operator] - before[operator] for operator in own)
        lines.append(f"| {name} | {kind} | {len(graph.nodes)} | {handling} | {len(flatbuffer.write(graph)):,} | "
                     f"{cell(arena)} | {cell(step_time, '{:.3f} ms')} |")
    return lines


def hop_table(network):
    """What more frames per step save: the fixed cost of every node."""
    lines = ["| frames per step | nodes | file | arena | TFLite Micro per step | per 10 ms |", "|---|---|---|---|---|---|"]
    graphs = {hop: streaming_graph(network.streaming, network.features, hop, "internal", "pcm")[0] for hop in (1, 2, 3)}
    for hop, (arena, step_time) in micro_figures(graphs).items():
        graph = graphs[hop]
        lines.append(f"| {hop} | {len(graph.nodes)} | {len(flatbuffer.write(graph)):,} | {cell(arena)} | {cell(step_time, '{:.3f} ms')} | "
                     f"{cell(step_time and step_time / hop, '{:.3f} ms')} |")
    return lines


def with_states_outside(step: StepGraph):
    return flatbuffer.Graph(step.graph.nodes, [*step.graph.inputs, *(state.before for state in step.states)],
                            [*step.graph.outputs, *(state.after for state in step.states)])


def node_table(network):
    """Nodes of the step by type."""
    columns = {}
    for kind in ("external", "internal"):
        graph, _ = streaming_graph(network.streaming, network.features, 1, kind)
        columns[kind] = collections.Counter(node.operator for node in graph.nodes)
    columns["external, PCM in"] = collections.Counter(
        node.operator for node in streaming_graph(network.streaming, network.features, 1, "external", "pcm")[0].nodes)
    names = sorted(set().union(*columns.values()), key=lambda name: (-columns["external"][name], name))
    lines = ["| operator | " + " | ".join(columns) + " |", "|" + "---|" * (1 + len(columns))]
    lines += [f"| {name} | " + " | ".join(str(counts[name]) for counts in columns.values()) + " |" for name in names]
    return [*lines, "| all | " + " | ".join(str(sum(counts.values())) for counts in columns.values()) + " |"]


def main(argv):
    refuse_arguments(argv)
    networks = {name: prepared(name) for name in NETWORKS}
    tables = {"work": work_table(networks), "cost": cost_table(networks),
              "states": state_table(networks[DETAILED], prepared(DETAILED, compact=True)),
              "hops": hop_table(networks[DETAILED]), "nodes": node_table(networks[DETAILED])}
    for name, lines in tables.items():
        print(f"{name}\n" + "\n".join(lines) + "\n")
    if FLAGS.docs:
        publish(FLAGS.docs, tables, f"python tools/bench_streaming.py --docs=docs/streaming.md --runs={FLAGS.runs}")


if __name__ == "__main__":
    run(main, define)
