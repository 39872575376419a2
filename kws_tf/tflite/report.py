"""report.md of an export: what the file is, what it costs and where it loses precision, for people."""

import statistics

from kws_tf.counted import counted
from kws_tf.runtime.device_manifest import ARENA_FACTOR
from kws_tf.tflite.device import ARENA_RATIO
from kws_tf.tflite.lint import RULES
from kws_tf.tflite.profiles import PROFILES

REPORT_FILE = "report.md"
ACCURACY_TITLE = "## Accuracy"
WORST_LAYERS = 10
# These compute nothing: their error is that of the tensors they move.
MOVERS = ("CONCATENATION", "PAD", "RESHAPE", "STRIDED_SLICE", "TRANSPOSE")
PART_NAMES = {"front_end": "front end", "classifier": "classifier"}


def render(manifest, *, arena_note="", layers=()):
    """The text of report.md.

    Args:
        manifest: Manifest with its measured cost. arena_note: why there is no arena.
        layers: list of LayerError; empty for a file without them.

    Returns:
        str, Markdown.
    """
    sections = [_identity(manifest), _cost(manifest, arena_note), _operators(manifest), _lint(manifest)]
    if manifest.ethos is not None:
        sections.insert(2, _ethos(manifest.ethos))
    if layers:
        sections.append(_layers(layers))
    return "\n\n".join(sections) + "\n"


def with_accuracy(text, evaluation):
    """A report with its accuracy section added or replaced.

    Args:
        text: of report.md. evaluation: report of kws_tf.evaluation.evaluate_model with "comparison".
    """
    head = text.split(f"{ACCURACY_TITLE}\n")[0].rstrip()
    rows = []
    for name, figures in (("this file", evaluation), ("float32", evaluation["other"])):
        accuracy, low, high, balanced = (100 * value for value in (figures["accuracy"], *figures["accuracy_interval"],
                                                                   figures["balanced_accuracy"]))
        rows.append((name, f"{accuracy:.2f} %", f"{low:.2f} to {high:.2f} %", f"{balanced:.2f} %"))
    drift = evaluation["comparison"]
    changed = (f"Change {drift['accuracy_change_points']:+.2f} points; {drift['argmax_disagreements']} of {drift['clips']} answers differ, "
               f"{drift['fixed']} right only here, {drift['broken']} only in float32.")
    table = _table(("network", "accuracy", "95 % interval", "mean of classes"), rows)
    scored = f"{evaluation['split'].capitalize()} split, {counted(evaluation['clips'], 'clip')}."
    return f"{head}\n\n{ACCURACY_TITLE}\n\n{scored}\n\n{table}\n\n{changed}\n"


def _identity(manifest):
    features, stream = manifest.features, manifest.streaming
    kind = f"{features.kind} of {features.n_features} rows, {features.window_samples}/{features.hop_samples} samples, {features.spectrum}"
    where = "inside the graph" if manifest.input_kind == "pcm" else "computed by the host"
    rows = [("profile", f"{manifest.profile}: {PROFILES[manifest.profile].purpose}" if manifest.profile in PROFILES else manifest.profile),
            ("kind", manifest.kind), ("labels", ", ".join(manifest.labels)), ("features", f"{kind}, {where}"),
            ("window", f"{manifest.clip_samples} samples at {manifest.sample_rate} Hz"),
            *(("input", _tensor(tensor)) for tensor in manifest.inputs), *(("output", _tensor(tensor)) for tensor in manifest.outputs)]
    if "sparsity" in manifest.metrics:
        rows.append(("closed gates", f"{100 * manifest.metrics['sparsity']:.1f} % on the training clips of the kept epoch"))
    if stream is not None:
        rows.append(("step", f"{counted(stream.hop_frames, 'frame')}; {stream.state} state in {counted(len(stream.states), 'tensor')}; "
                             f"scores come {stream.delay_ms:g} ms late"))
    rows += [("trained weights", str(manifest.parameters)), ("SHA-256", manifest.model_id), ("kws_tf", manifest.kws_tf_version)]
    return f"# {manifest.model_file}\n\n" + _table(("", ""), rows)


def _tensor(tensor):
    grid = f", scale {tensor.scale:.6g}, zero point {tensor.zero_point}" if tensor.scale else ""
    return f"`{tensor.name}` {tensor.dtype} {list(tensor.shape)}{grid}"


def _cost(manifest, arena_note):
    cost = manifest.cost
    rows = [(PART_NAMES[part.name], str(part.nodes), f"{part.macs:,}", f"{part.n_bytes:,}", f"{part.constant_bytes:,}",
             f"{part.n_bytes - part.constant_bytes:,}") for part in cost.parts]
    total = [sum(getattr(part, name) for part in cost.parts) for name in ("nodes", "macs", "n_bytes", "constant_bytes")]
    rows.append(("all", *(f"{value:,}" for value in total), f"{total[2] - total[3]:,}"))
    parts = _table(("part", "nodes", "MACs", "bytes of the file", "constants", "description of the graph"), rows)
    arena = f"not measured: {arena_note}."
    if manifest.arena:
        factor = ARENA_RATIO if manifest.wake_word is None else ARENA_FACTOR
        arena = (f"{manifest.arena.n_bytes:,} bytes in TFLite Micro {manifest.arena.tflm_version} on a 64-bit host; "
                 f"plan for {factor:g} times as much.")
    times = _table(("interpreter", "kernels", "ms per inference"),
                   [(time.interpreter, time.kernels, f"{time.milliseconds:.2f}") for time in cost.host_times])
    return (f"## Cost of one inference\n\n{parts}\n\nArena: {arena}\n\nProcessor time on {cost.host}, one thread, the quickest of some "
            f"inferences:\n\n{times}")


def _ethos(estimate):
    rows = [("accelerator", f"{estimate.accelerator} at {estimate.clock_mhz:g} MHz"), ("system", estimate.system),
            ("one inference, without what the CPU does", f"{estimate.milliseconds:.3f} ms"), ("SRAM", f"{estimate.sram_bytes:,} bytes"),
            ("weights and commands in flash", f"{estimate.flash_bytes:,} bytes"),
            ("operators left to the CPU", f"{sum(estimate.cpu_operators.values())} of {estimate.operators}, "
                                          f"{100 * estimate.cpu_share:.1f} %"
                                          + "".join(f", {count} {name}" for name, count in estimate.cpu_operators.items())),
            ("compiled file", f"{estimate.model_file}, {estimate.model_bytes:,} bytes, SHA-256 {estimate.model_id}")]
    return (f"## Ethos-U\n\nAn estimate by Vela {estimate.vela_version}, not a measurement.\n\n" + _table(("", ""), rows))


def _operators(manifest):
    rows = [(operator.name, str(operator.version), str(operator.count), f"{operator.macs:,}") for operator in manifest.operators]
    return "## Operators\n\n" + _table(("operator", "version", "nodes", "MACs"), rows)


def _lint(manifest):
    return f"## Lint\n\nProfile {manifest.profile}: all of {len(RULES)} rules are kept ({', '.join(RULES)})."


def _layers(layers):
    worst = sorted((layer for layer in layers if layer.operator not in MOVERS), key=lambda layer: layer.sqnr_db)[:WORST_LAYERS]
    logits, median = layers[-1].sqnr_db, statistics.median(layer.sqnr_db for layer in layers)
    rows = [(f"`{layer.name}`", layer.operator, f"{layer.sqnr_db:.1f}") for layer in layers]
    named = ", ".join(f"`{layer.name}` {layer.sqnr_db:.1f}" for layer in worst)
    return ("## Error of every layer\n\nSignal to quantisation noise in dB on calibration clips: the values of the float network against "
            "the same tensors in integers,\nboth fed with the same features; each layer carries the errors of those before it.\n\n"
            f"Logits {logits:.1f} dB, median {median:.1f} dB. Worst: {named}.\n\n" + _table(("tensor", "operator", "SQNR dB"), rows))


def _table(headers, rows):
    lines = ["| " + " | ".join(row) + " |" for row in (headers, ["---"] * len(headers), *rows)]
    return "\n".join(lines)
