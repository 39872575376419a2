"""Scores one training run on its testing split and keeps the figures as a small JSON file, the source of docs/models.md.

    python tools/record_result.py --run_dir runs/NAME --data_root DIR
    python tools/record_result.py --run_dir runs/NAME --stream OUT/evaluation_stream.json --title "and what was mined"

The best weights of the run are converted anew, by the code of today, and each file is scored by the runtime that ships: float32
features to float32 logits, the integer file from PCM to int8 logits, and the integer file that takes PCM in steps of two hops, reset
before every clip; and the float network with other clips ahead of every clip, as in a stream (pre-roll). The answers of the integer
file are also compared with those of the float file, clip by clip, on validation and testing. Nothing is written into the run folder. A
record holds the whole configuration, the command that repeats the training, and counts with their 95 % Wilson intervals;
it names no folder of the machine it was made on. The run folder of tools/torch_baseline.py is recorded as it is: it has its float
network alone, scored by PyTorch.

With --stream the record is of a wake word: the words that are found at the threshold that lets through at most none, one, three or
ten false accepts, the best of the given evaluations of one file (kws_tf.evaluate --ambient A --annotations W, with windows of different
length).
"""

import dataclasses
import json
import math
import os
import pathlib
import sys
import tempfile
import types

from absl import flags, logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kws_tf import atomic_file  # noqa: E402
from kws_tf.config import FEATURE_PRESETS, RunConfig, from_dict, to_dict  # noqa: E402
from kws_tf.errors import ConfigError, TrainingError  # noqa: E402
from kws_tf.flags import HELP, run  # noqa: E402
from kws_tf.training.run_folder import RunFolder  # noqa: E402

FLAGS = flags.FLAGS
RESULTS = pathlib.Path(__file__).resolve().parents[1] / "docs" / "results"
STREAMS = RESULTS / "streams"
SCHEMA = 1
# Name in the record -> how tflite makes the file.
FILES = {
    "float32": ("export", {"profile": "float32"}),
    "integer": ("export", {"profile": "pi"}),
    "streaming": ("export_streaming", {"profile": "pi", "state": "external", "hop_frames": 2}),
}
# False accepts that a wake word may make in the whole of its ambient recordings.
ALLOWED = (0, 1, 3, 10)
LONGEST_CURVE = 30
# Settings that name a place of the machine: a record keeps the last part alone.
FOLDERS = ("data_root", "noise_dir", "rir_dir", "index", "initial_weights")
KEPT = ("clips", "correct", "accuracy", "accuracy_interval", "balanced_accuracy")
COMPARED = ("clips", "argmax_disagreements", "fixed", "broken")


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "record"}
    flags.DEFINE_string("run_dir", "", "Run folder of the training.", **place)
    flags.DEFINE_string("data_root", "", "Data set of the run, if it is not where it was in training.", **place)
    flags.DEFINE_string("name", "", "Name of the record; empty for that of the run folder.", **place)
    flags.DEFINE_string("output_dir", "", f"Folder of the records; empty for {RESULTS.relative_to(RESULTS.parents[1])}, with --stream its "
                        f"{STREAMS.name}.", **place)
    flags.DEFINE_multi_string("stream", [], "evaluation_stream.json of kws_tf.evaluate; give it once per evaluation.", **place)
    flags.DEFINE_string("title", "", "With --stream: what was done, in words, for the table.", **place)
    flags.DEFINE_integer("place", 0, "With --stream: row of the table.", **place)
    flags.DEFINE_string("cache_dir", "", f"{HELP['data']['cache_dir']} Empty also takes that of the run.", **place)
    flags.DEFINE_integer("calibration_clips", 200, "Training clips that set the ranges of integers.", lower_bound=1, **place)
    flags.DEFINE_integer("workers", 0, "Interpreters that score side by side; 0 for one per processor.", lower_bound=0, **place)


def command(config):
    """The command that repeats a training: every setting that is not the default, with folders by their names.

    Args:
        config: RunConfig.
    """
    given = []
    for part in dataclasses.fields(RunConfig):
        values, default = getattr(config, part.name), part.default
        if part.name == "features":
            preset = min(FEATURE_PRESETS, key=lambda name: len(_changes(values, FEATURE_PRESETS[name])))
            default = FEATURE_PRESETS[preset]
            given += [f"--features={preset}"] if preset != "bc_resnet" else []
        given += [_flag(name, value) for name, value in _changes(values, default) if name != "cache_dir"]
    return " ".join(["python -m kws_tf.train", *given])


def _changes(values, default):
    return [(field.name, getattr(values, field.name)) for field in dataclasses.fields(values)
            if getattr(values, field.name) != getattr(default, field.name)]


def _flag(name, value):
    if name in FOLDERS:
        return f"--{name}={pathlib.Path(value).name.upper()}"
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    return f"--{name}={','.join(f'{number:g}' for number in value) if isinstance(value, tuple) else value}"


def without_folders(config):
    """A RunConfig as JSON, with the names of folders in the place of their paths."""
    values = to_dict(config)
    for part in values.values():
        part.update({name: pathlib.Path(part[name]).name for name in FOLDERS if name in part})
    values["data"]["cache_dir"] = ""
    return values


def score_files(trained, config, calibration_clips, workers=None):
    """Converts and scores the files of FILES.

    Args:
        trained: training.trained_run.TrainedRun. config: RunConfig whose data part says where the clips are now.
        calibration_clips: training clips. workers: interpreters side by side, None for one per processor.

    Returns:
        {name: dict of KEPT and bytes, macs, operators, interpreter}; "integer" also has against_float32, {split: dict of COMPARED}.
    """
    from kws_tf import dataset, evaluation, tflite
    from kws_tf.runtime import model_file
    from kws_tf.runtime.interpreter import import_interpreter

    loaded = dataset.load(config.data, config.features.sample_rate, splits=("training",), classes=trained.classes)
    pcm = tflite.calibration_pcm(loaded.splits["training"], config, calibration_clips)
    found, paths = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, (maker, options) in FILES.items():
            folder = pathlib.Path(scratch, name)
            path = paths[name] = getattr(tflite, maker)(trained.backbone, config, trained.classes, pcm, folder, **options)
            report = evaluation.evaluate_model(path, config.data, "testing", workers=workers)
            manifest, _ = model_file.read(path)
            found[name] = {**{key: report[key] for key in KEPT}, "bytes": manifest.model_bytes, "macs": manifest.macs,
                           "operators": sum(operator.count for operator in manifest.operators),
                           "interpreter": import_interpreter()[0]}
            logging.info("%s: %d of %d clips, %d bytes.", name, report["correct"], report["clips"], manifest.model_bytes)
        found["integer"]["against_float32"] = {
            split: compared(paths["integer"], paths["float32"], config.data, split, workers)
            for split in ("validation", "testing") if pathlib.Path(config.data.data_root, split).is_dir()}
    return found


def compared(path, reference, data, split, workers=None):
    """How the answers of a file differ from those of another on a split: dict of COMPARED, see evaluation.comparison.compare."""
    from kws_tf import evaluation

    report = evaluation.evaluate_model(path, data, split, compare_with=reference, workers=workers)
    return {key: report["comparison"][key] for key in COMPARED}


def score_with_pre_roll(trained, config):
    """Figures of the float network when other clips of the split come ahead of every clip: dict of KEPT and frames."""
    from kws_tf import dataset
    from kws_tf.train import continuous_figures
    from kws_tf.training.micro_features import feature_layer
    from kws_tf.training.network import TrainingNetwork

    split = dataset.load(config.data, config.features.sample_rate, splits=("testing",), classes=trained.classes).splits["testing"]
    network = TrainingNetwork(feature_layer(config.features), trained.backbone)
    network.compile(jit_compile=False)
    figures = continuous_figures(types.SimpleNamespace(network=network), split, config)
    return {**figures["pre_roll"], "frames": figures["pre_roll_frames"]}


def record(name, trained, files, pre_roll):
    """The record of one run as JSON values."""
    config = trained.config
    parameters = sum(math.prod(weight.shape) for weight in trained.backbone.trainable_weights)
    return {**_head(name, config, len(trained.classes), parameters), "validation": trained.metrics, "files": files, "pre_roll": pre_roll,
            "config": without_folders(config)}


def _head(name, config, n_classes, n_parameters):
    """What every record begins with."""
    return {"schema": SCHEMA, "name": name, "dataset": pathlib.Path(config.data.data_root).name, "split": "testing", "classes": n_classes,
            "epochs": config.train.epochs, "seed": config.train.seed, "parameters": n_parameters, "command": command(config)}


def record_of_torch(name, run_dir):
    """The record of a run folder of tools/torch_baseline.py; None for any other folder."""
    path = pathlib.Path(run_dir, "result.json")
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    if found["split"] != "testing":
        raise TrainingError(f"{path}: scored on {found['split']}, which has picked the weights; there is nothing to report.")
    config = from_dict(RunConfig, found["config"])
    scored = {"clips": found["n_clips"], "correct": found["correct"], "accuracy": found["accuracy"], "accuracy_interval": found["interval"]}
    values = _head(name, config, found["classes"], found["parameters"])
    return {**values, "implementation": "PyTorch", "command": values["command"].replace("-m kws_tf.train", "tools/torch_baseline.py"),
            "validation": {"epoch": found["best_epoch"], "validation_accuracy": found["validation_accuracy"]},
            "files": {"float32": scored}, "config": without_folders(config)}


def record_of_stream(name, config, paths, title, place):
    """The record of evaluations of one streaming file on the same words and ambient recordings.

    Args:
        name: of the record. config: RunConfig of the training. paths: of evaluation_stream.json, see kws_tf.evaluate.
        title: what was done. place: row of the table.

    Raises:
        ConfigError: not of one file, or not on the same audio, or without words or ambient recordings.
    """
    found = [json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in paths]
    for path, values in zip(paths, found, strict=True):
        if not values.get("annotated") or not values.get("ambient"):
            raise ConfigError(f"{path}: no words or no ambient recordings; make it with kws_tf.evaluate --ambient A --annotations W.")
        if _audio_of(values) != _audio_of(found[0]):
            raise ConfigError(f"{path}: another file or other audio than {paths[0]}; a record is of one file on one set of recordings.")
    points = [(point, values) for values in found for point in values["sweep"]]
    best = {}
    for allowed in ALLOWED:
        point, values = max((pair for pair in points if pair[0]["false_accepts"] <= allowed), key=lambda pair: pair[0]["hits"],
                            default=(None, None))
        if point:
            settings = values["detector"]["settings"]
            best[str(allowed)] = {"hits": point["hits"], "false_accepts": point["false_accepts"], "threshold": point["threshold"],
                                  "window_seconds": round(settings["window_scores"] * values["detector"]["score_seconds"], 3)}
    curve, most = [], -1
    for allowed in range(LONGEST_CURVE + 1):
        hits = max((point["hits"] for point, _ in points if point["false_accepts"] <= allowed), default=0)
        if hits > most:
            curve.append([allowed, hits])
            most = hits
    first = found[0]
    return {"schema": SCHEMA, "name": name, "title": title, "place": place, "keywords": first["detector"]["keywords"],
            "words": first["annotated"]["words"], "hours": first["sweep_hours"], "best": best, "curve": curve, "command": command(config),
            "config": without_folders(config)}


def _audio_of(values):
    return values["model"]["model_id"], values["annotated"]["words"], values["sweep_hours"]


def main(argv):
    if argv[1:]:
        raise ConfigError(f"unexpected argument {argv[1]!r}; every setting is a flag, see --help.")
    if not FLAGS.run_dir:
        raise ConfigError("--run_dir is missing: the folder that training made.")
    name = FLAGS.name or pathlib.Path(FLAGS.run_dir).resolve().name
    if FLAGS.stream:
        values = record_of_stream(name, RunFolder(FLAGS.run_dir).config(), FLAGS.stream, FLAGS.title, FLAGS.place)
    else:
        values = record_of_torch(name, FLAGS.run_dir) or record_of_run(name)
    output = pathlib.Path(FLAGS.output_dir or (STREAMS if FLAGS.stream else RESULTS))
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{name}.json"
    atomic_file.write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    for kind, figures in values.get("files", {}).items():
        low, high = figures["accuracy_interval"]
        print(f"{name} {kind}: {100 * figures['accuracy']:.2f} % ({100 * low:.2f} to {100 * high:.2f})"
              + (f", {figures['bytes']} bytes" if "bytes" in figures else ""))
    print(f"written: {path}; then: python tools/models_table.py")


def record_of_run(name):
    """Converts and scores the run of the flags: its record."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from kws_tf.training import trained_run

    trained = trained_run.load(FLAGS.run_dir)
    places = {name: getattr(FLAGS, name) for name in ("data_root", "cache_dir") if getattr(FLAGS, name)}
    config = dataclasses.replace(trained.config, data=dataclasses.replace(trained.config.data, **places))
    if not pathlib.Path(config.data.data_root, "testing").is_dir():
        raise TrainingError(f"{config.data.data_root}: no testing split, and validation has picked the weights: there is nothing to "
                            "report. Set --data_root.")
    files = score_files(trained, config, FLAGS.calibration_clips, FLAGS.workers or None)
    return record(name, trained, files, score_with_pre_roll(trained, config))


if __name__ == "__main__":
    run(main, define)
