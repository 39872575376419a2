"""Makes the tables and the picture of docs/models.md, and what other pages say of accuracy, from two recorded sources.

    python tools/models_table.py               writes the tables and docs/models.png from what is recorded
    python tools/models_table.py --measure     first measures what every network costs, into docs/model_costs.json (minutes)

docs/model_costs.json holds what does not depend on training: counts, bytes of exported files, working memory, times. docs/results/
holds one file per training run, see tools/record_result.py. Nothing else enters the pages: a test compares them with both.
"""

import hashlib
import itertools
import json
import math
import pathlib
import sys
import tempfile

from absl import flags, logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kws_tf import atomic_file  # noqa: E402
from kws_tf.config import FEATURE_PRESETS, FeatureConfig, ModelConfig, RunConfig  # noqa: E402
from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.evaluation.intervals import change_interval, sign_test, wilson_interval  # noqa: E402
from kws_tf.flags import run  # noqa: E402
from tools import model_picture, stream_picture  # noqa: E402
from tools.document_tables import replace_tables  # noqa: E402

FLAGS = flags.FLAGS
DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
PAGE, PICTURE, COSTS, RESULTS = DOCS / "models.md", DOCS / "models.png", DOCS / "model_costs.json", DOCS / "results"
INTEGER_PAGE, README, WAKEWORD_PAGE = DOCS / "integer_file.md", DOCS.parent / "README.md", DOCS / "wakeword.md"
WAKEWORD_PICTURE = DOCS / "wakeword.png"
# Page -> what this tool writes there.
TABLES = {"docs/models.md": ("counts", "files", "accuracy"), "docs/integer_file.md": ("accuracy",), "README.md": ("accuracy",),
          "docs/wakeword.md": ("real_voices", "real_voices_all")}
CLASSES = 12
PAPER_FRAMES = 101
CALIBRATION_CLIPS = 4
TIME_ROUNDS = 5
# Name -> (network, features, published accuracy in % on Speech Commands version 1 and 2).
NETWORKS = {
    **{f"BC-ResNet-{tau:g}": (ModelConfig(tau=tau), FeatureConfig(), published) for tau, published in (
        (0.625, (95.2, 95.4)), (1.0, (96.6, 96.9)), (1.5, (97.2, 97.6)), (2.0, (97.3, 97.8)), (3.0, (97.6, 98.2)), (6.0, (97.9, 98.6)),
        (8.0, (98.0, 98.7)))},
    **{f"SparkNet-{width}": (ModelConfig(model="sparknet", channels=width), FEATURE_PRESETS["sparknet"], published)
       for width, published in ((4, (82.3, 83.5)), (8, (91.6, 92.1)), (16, (95.3, 95.7)), (32, (96.2, 97.0)))},
    "DS-CNN": (ModelConfig(model="ds_cnn"), FEATURE_PRESETS["mlperf_tiny"], None),
}


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "models_table"}
    flags.DEFINE_boolean("measure", False, "Measure the costs of every network again.", **place)


def measure(name):
    """What a network with random weights costs for clips of one second and CLASSES classes.

    Args:
        name: of NETWORKS.

    Returns:
        dict of JSON values: parameters, macs and thop of one clip, macs_101 and thop_101 with the frames of the papers, and for the
        integer files "features", "pcm" (a window at once) and "streaming" (a step) bytes, arena_bytes, operators and macs; and the
        contents of these files, {kind: bytes}.
    """
    import numpy as np

    from kws_tf import manifest, models, tflite
    from kws_tf.models import summary

    model, features, _ = NETWORKS[name]
    config = RunConfig(model=model, features=features)
    n_frames = features.n_frames(config.clip_samples)
    network = models.build(model, features, CLASSES, n_frames, seed=1)
    rng = np.random.default_rng(1)
    for variable in network.variables:
        if variable.path.endswith("moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    pcm = np.clip(rng.normal(0, 2000, (CALIBRATION_CLIPS, config.clip_samples)), -32768, 32767).astype(np.int16)
    labels = [f"class{index}" for index in range(CLASSES)]
    own, paper = (summary.totals(summary.layer_costs(network, frames)) for frames in (n_frames, PAPER_FRAMES))
    found, contents = {"frames": n_frames, **own, "macs_101": paper["macs"], "thop_101": paper["thop"]}, {}
    with tempfile.TemporaryDirectory() as scratch:
        makers = {
            "features": lambda folder: tflite.export(network, config, labels, pcm, folder, profile="features"),
            "pcm": lambda folder: tflite.export(network, config, labels, pcm, folder, profile="pi"),
            "streaming": lambda folder: tflite.export_streaming(network, config, labels, pcm, folder, state="internal", hop_frames=2),
        }
        for kind, make in makers.items():
            folder = pathlib.Path(scratch, kind)
            contents[kind] = make(folder).read_bytes()
            made = manifest.read(folder)
            found[kind] = {"bytes": made.model_bytes, "arena_bytes": made.arena.n_bytes if made.arena else None,
                           "operators": sum(operator.count for operator in made.operators), "macs": made.macs}
            if made.streaming:
                found[kind]["hop_ms"] = made.streaming.hop_samples * 1000 / made.sample_rate
    return found, contents


def measure_all(path):
    """Measures every network; times by turns, the least of some rounds, because what else a machine does comes and goes."""
    from kws_tf.tflite.cost import host_times

    found, files = {}, []
    for name in NETWORKS:
        found[name], contents = measure(name)
        files += [(found[name][kind].setdefault("milliseconds", {}), content) for kind, content in contents.items()]
        logging.info("%s: measured.", name)
    for number in range(TIME_ROUNDS):
        for times, content in files:
            for time in host_times(content):
                title = f"{time.interpreter} {time.kernels}"
                times[title] = min(time.milliseconds, times.get(title, math.inf))
        logging.info("round %d of %d of the times: measured.", number + 1, TIME_ROUNDS)
    atomic_file.write_text(path, json.dumps(found, indent=1) + "\n")


def read_records(folder=RESULTS):
    """The records of tools/record_result.py, by data set, network, seed and name."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(pathlib.Path(folder).glob("*.json"))]
    order = list(NETWORKS)

    def place(record):
        known = architecture(record)
        return (record["dataset"], order.index(known) if known in order else len(order), network_name(record), _options(record["config"]),
                record["config"]["train"]["seed"], record["name"])

    return sorted(records, key=place)


def read_streams(folder=RESULTS / "streams"):
    """The records of wake words, in the order of their table."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(pathlib.Path(folder).glob("*.json"))]
    return sorted(records, key=lambda record: (record["place"], record["name"]))


def network_name(record):
    """Name of the network of a record, with who trained it if that is not kws_tf."""
    return architecture(record) + (f" in {record['implementation']}" if "implementation" in record else "")


def architecture(record):
    """Name of the network of a record, as in NETWORKS."""
    model = record["config"]["model"]
    if model["model"] == "bc_resnet":
        return f"BC-ResNet-{model['tau']:g}"
    if model["model"] == "sparknet":
        return f"SparkNet-{model['channels'] or 16}"
    return {"ds_cnn": "DS-CNN"}.get(model["model"], model["model"])


def counts_table(costs):
    """Parameters and both counts of operations, published accuracy."""
    lines = ["| network | input | parameters | MACs | thop | MACs, 101 frames | thop, 101 frames | published: version 1 | version 2 |",
             "|---|---|---|---|---|---|---|---|---|"]
    for name, cost in costs.items():
        _, features, published = NETWORKS[name]
        kind = "MFCC" if features.kind == "mfcc" else "mels"
        v1, v2 = (f"{value:.1f} %" for value in published) if published else ("-", "-")
        # The papers that count 101 frames have hops of 10 ms.
        centred = [f"{cost[key]:,}" if features.hop_ms == 10 else "-" for key in ("macs_101", "thop_101")]
        lines.append(f"| {name} | {cost['frames']} x {features.n_features} {kind} | {cost['parameters']:,} | {cost['macs']:,} | "
                     f"{cost['thop']:,} | {' | '.join(centred)} | {v1} | {v2} |")
    return lines


def files_table(costs):
    """Bytes, working memory and times of the integer files."""
    lines = ["| network | file, features in | file, PCM in | streaming file | arena, PCM in | arena, streaming | ms per window | "
             "ms per step | MACs per step | step |", "|---|---|---|---|---|---|---|---|---|---|"]
    for name, cost in costs.items():
        features, pcm, streaming = (cost[kind] for kind in ("features", "pcm", "streaming"))
        lines.append(
            f"| {name} | {features['bytes']:,} | {pcm['bytes']:,} | {streaming['bytes']:,} | {_cell(pcm['arena_bytes'])} | "
            f"{_cell(streaming['arena_bytes'])} | {_time(pcm)} | {_time(streaming)} | {streaming['macs']:,} | {streaming['hop_ms']:g} ms |")
    return lines


def _cell(value):
    return "-" if value is None else f"{value:,}"


def _time(kind):
    """Reference and optimised kernels of tflite-runtime; "-" where it was not there."""
    found = {}
    for name, value in kind["milliseconds"].items():
        interpreter, *_, kernels = name.split()
        if interpreter == "tflite_runtime":
            found[kernels] = f"{value:.2f}"
    return " / ".join(found.get(kernels, "-") for kernels in ("reference", "optimised"))


def accuracy_table(records, dataset):
    """The records of one data set; where several differ in their seed alone, one more line for their mean."""
    lines = ["| network | padding | epochs | seed | float32 | integer, PCM in | integer, streaming | float, pre-roll | record |",
             "|---|---|---|---|---|---|---|---|---|"]
    for same, seeds in itertools.groupby((record for record in records if record["dataset"] == dataset), key=_but_seed):
        group = list(seeds)
        rows = [[*(record["files"].get(kind) for kind in ("float32", "integer", "streaming")), record.get("pre_roll")] for record in group]
        lines += [f"| {same} | {record['config']['train']['seed']} | {' | '.join(_accuracy(figures) for figures in row)} | "
                  f"[{record['name']}](results/{record['name']}.json) |" for record, row in zip(group, rows, strict=True)]
        if len(group) > 1:
            lines.append(f"| {same} | mean of {len(group)} | {' | '.join(_mean(column) for column in zip(*rows, strict=True))} | |")
    return lines


def by_setting(records):
    """[(network with its options, records that differ in their seed alone)]."""
    groups = itertools.groupby(records, key=lambda record: (record["dataset"], _but_seed(record)))
    return [(_titled(group[0]), group) for group in (list(group) for _, group in groups)]


def _titled(record):
    architecture_and_options = f"{architecture(record)}{_options(record['config'])}"
    return architecture_and_options + network_name(record).removeprefix(architecture(record))


def _but_seed(record):
    """The first cells of the line of a record: what runs that differ in their seed have in common."""
    config = record["config"]
    return f"{network_name(record)}{_options(config)} | {config['model']['padding']} | {config['train']['epochs']}"


def _mean(column):
    """Mean of some runs, with the lowest and the highest."""
    if None in column:
        return "-"
    shares = [100 * figures["accuracy"] for figures in column]
    return f"**{sum(shares) / len(shares):.2f}** [{min(shares):.2f}, {max(shares):.2f}]"


def integer_table(records):
    """The integer file against the float one: accuracy on testing, and the answers that one alone has right on validation and testing."""
    lines = ["| data | network | seed | testing clips | float32 | integer file | change [points] | clips, validation and testing | "
             "right in the integer file alone / in float32 alone | change [points] | p |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for record in (record for record in records if "integer" in record["files"]):
        exact, integer = record["files"]["float32"], record["files"]["integer"]
        change = 100 * (integer["correct"] - exact["correct"]) / integer["clips"]
        lines.append(f"| {record['dataset']} | {network_name(record)}, {_features(record['config'])} | "
                     f"{record['config']['train']['seed']} | {integer['clips']} | "
                     f"{100 * exact['accuracy']:.2f} % | {_accuracy(integer).replace(' (', ' % (')} | {change:+.2f} | "
                     f"{' | '.join(_paired(integer.get('against_float32')))} |")
    return lines


def _paired(splits):
    """Clips, gains and losses, change with its interval and the exact p of both splits together."""
    if splits is None or set(splits) != {"validation", "testing"}:
        return "-", "-", "-", "-"
    clips, gained, lost = (sum(split[key] for split in splits.values()) for key in ("clips", "fixed", "broken"))
    low, high = change_interval(gained, lost, clips)
    change = f"{100 * (gained - lost) / clips:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"
    return f"{clips:,}", f"{gained} / {lost}", change, f"{sign_test(gained, lost):.2f}"


def _features(config):
    features = config["features"]
    return f"{features['n_mfcc']} MFCC" if features["kind"] == "mfcc" else f"{features['n_mels']} mels"


def _options(config):
    """What a record does differently from the table of costs."""
    notes = []
    rows = _features(config)
    usual = {"bc_resnet": "40 mels", "sparknet": "32 MFCC", "ds_cnn": "10 MFCC"}.get(config["model"]["model"])
    if rows != usual:
        notes.append(rows)
    if config["model"].get("arcface"):
        notes.append("ArcFace")
    if config["train"].get("pre_roll_probability"):
        notes.append(f"pre-roll {config['train']['pre_roll_probability']:g}")
    return f" ({', '.join(notes)})" if notes else ""


def _accuracy(figures):
    if figures is None:
        return "-"
    low, high = figures["accuracy_interval"]
    return f"{100 * figures['accuracy']:.2f} ({100 * low:.2f} to {100 * high:.2f})"


def page(text, costs, records):
    """docs/models.md with its tables, the lines between <!-- name --> and <!-- /name -->, made anew from what is recorded."""
    datasets = list(dict.fromkeys(record["dataset"] for record in records))
    accuracy = []
    for dataset in datasets:
        own = [record for record in records if record["dataset"] == dataset]
        clips = own[0]["files"]["float32"]["clips"]
        accuracy += [f"### {dataset}: {own[0]['classes']} classes, {clips} testing clips", "", *accuracy_table(records, dataset), ""]
    parts = {"counts": counts_table(costs), "files": files_table(costs), "accuracy": accuracy[:-1]}
    return replace_tables(text, parts, "docs/models.md")


def integer_page(text, records):
    """docs/integer_file.md with its table of accuracy made anew from what is recorded."""
    return replace_tables(text, {"accuracy": integer_table(records)}, "docs/integer_file.md")


def readme_table(costs, records):
    """Accuracy of the networks with the features and padding of docs/models.md on every data set, means over seeds."""
    datasets = list(dict.fromkeys(record["dataset"] for record in records))
    usual = [record for record in records if not _options(record["config"]) and record["config"]["model"]["padding"] == "causal"]
    lines = ["| network | parameters | MACs per second of audio | "
             + " | ".join(f"{dataset}: float32 | integer, PCM in | streaming" for dataset in datasets) + " |",
             "|---|---:|---:|" + "---:|" * 3 * len(datasets)]
    for name in dict.fromkeys(network_name(record) for record in usual):
        own, cells = [record for record in usual if network_name(record) == name], []
        cost = costs[architecture(own[0])]
        for dataset in datasets:
            found = [record["files"] for record in own if record["dataset"] == dataset]
            cells += [_mean_of([files.get(kind) for files in found]) for kind in ("float32", "integer", "streaming")]
        lines.append(f"| {name} | {cost['parameters']:,} | {cost['macs'] / 1e6:.2f} M | {' | '.join(cells)} |")
    return lines


def _mean_of(column):
    """Mean of some runs in %, with their number if it is more than one."""
    if not column or None in column:
        return "-"
    return f"{sum(100 * figures['accuracy'] for figures in column) / len(column):.1f}" + (f" [{len(column)}]" if len(column) > 1 else "")


def readme(text, costs, records):
    """README.md with its table of accuracy made anew from what is recorded."""
    return replace_tables(text, {"accuracy": readme_table(costs, records)}, "README.md")


def stream_table(records):
    """Words that are found at the threshold that allows so many false accepts, with the 95 % interval of their share."""
    allowed = list(records[0]["best"])
    lines = ["| training | " + " | ".join({"0": "none"}.get(count, f"at most {count}") for count in allowed) + " | record |",
             "|---|" + "---:|" * len(allowed) + "---|"]
    for record in records:
        cells = []
        for count in allowed:
            hits = record["best"][count]["hits"]
            low, high = (100 * end for end in wilson_interval(hits, record["words"]))
            cells.append(f"{hits}, {100 * hits / record['words']:.0f} % ({low:.0f} to {high:.0f})")
        lines.append(f"| {record['title']} | {' | '.join(cells)} | [{record['name']}](results/streams/{record['name']}.json) |")
    return lines


def stream_groups(records):
    """The records of streams in lists of those that were measured on the same recordings, the shortest first."""
    return [[record for record in records if record["hours"] == hours] for hours in sorted({record["hours"] for record in records})]


def wakeword_page(text, records):
    """docs/wakeword.md with its tables made anew from what is recorded."""
    names = TABLES["docs/wakeword.md"]
    tables = {name: stream_table(group) for name, group in zip(names, stream_groups(records), strict=True)}
    return replace_tables(text, tables, "docs/wakeword.md")


def stream_digest(records):
    """What the picture of docs/wakeword.md was drawn from, as a number in its metadata."""
    return hashlib.sha256(json.dumps([records, stream_picture.VERSION], sort_keys=True).encode()).hexdigest()


def digest(costs, records):
    """What the picture was drawn from, as a number in its metadata."""
    return hashlib.sha256(json.dumps([costs, records, model_picture.VERSION], sort_keys=True).encode()).hexdigest()


def read_costs(path=COSTS):
    """docs/model_costs.json."""
    if not pathlib.Path(path).is_file():
        raise ConfigError(f"{path}: no costs are recorded. Measure them: python tools/models_table.py --measure")
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def main(argv):
    if argv[1:]:
        raise ConfigError(f"unexpected argument {argv[1]!r}; see --help.")
    if FLAGS.measure:
        measure_all(COSTS)
    costs, records = read_costs(), read_records()
    atomic_file.write_text(PAGE, page(PAGE.read_text(encoding="utf-8"), costs, records))
    atomic_file.write_text(INTEGER_PAGE, integer_page(INTEGER_PAGE.read_text(encoding="utf-8"), records))
    points = [model_picture.Point.of(group, name, group[0]["files"]["float32"].get("macs", costs[architecture(group[0])]["macs"]))
              for name, group in by_setting(records)]
    published = [(name, costs[name]["macs_101"], NETWORKS[name][2][1]) for name in costs if NETWORKS[name][2]]
    model_picture.draw(points, published, PICTURE, digest(costs, records))
    atomic_file.write_text(README, readme(README.read_text(encoding="utf-8"), costs, records))
    streams = read_streams()
    atomic_file.write_text(WAKEWORD_PAGE, wakeword_page(WAKEWORD_PAGE.read_text(encoding="utf-8"), streams))
    stream_picture.draw(stream_groups(streams), WAKEWORD_PICTURE, stream_digest(streams))
    print(f"written: {PICTURE}, {WAKEWORD_PICTURE}, {', '.join(TABLES)} ({len(records)} records of clips, {len(streams)} of streams)")


if __name__ == "__main__":
    run(main, define)
