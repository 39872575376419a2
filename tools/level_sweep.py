"""Accuracy at every recording level: the integer file from PCM to scores beside the float32 network, on the same clips.

    python tools/level_sweep.py --model export/pi --float_model export/float32 --data_root DIR --name NAME --result NAME.json
    python tools/level_sweep.py --docs docs/integer_file.md --picture docs/level_sweep.png A.json B.json

The first form brings every clip of a split to each peak level, rounds it to 16 bits and scores it with both files (the float32 file is
the Keras network with the front end of the runtime, in floating point). The second draws the results and puts their table between the
markers <!-- level_sweep --> of the document.
"""

import json
import pathlib
import sys

import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kws_tf import atomic_file, dataset, runtime  # noqa: E402
from kws_tf.config import SPLITS, DataConfig  # noqa: E402
from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.evaluation import scoring  # noqa: E402
from kws_tf.evaluation.intervals import wilson_interval  # noqa: E402
from kws_tf.flags import run  # noqa: E402
from kws_tf.runtime import model_file  # noqa: E402
from tools.document_tables import publish  # noqa: E402

FLAGS = flags.FLAGS

LEVELS_DBFS = (0, -10, -20, -30, -40, -50, -60)
FULL_SCALE = 32767


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "level_sweep"}
    flags.DEFINE_string("model", "", "Integer file with PCM as input, or its folder.", **place)
    flags.DEFINE_string("float_model", "", "float32 file of the same network, or its folder.", **place)
    flags.DEFINE_string("data_root", "", "Folder with <split>/<class>/**.", **place)
    flags.DEFINE_enum("split", "testing", SPLITS, "Split to score.", **place)
    flags.DEFINE_string("cache_dir", "", "Folder of the decoded-clip cache; empty for the user's cache folder.", **place)
    flags.DEFINE_string("name", "", "Name of the result in table and picture.", **place)
    flags.DEFINE_integer("n_clips", 0, "Clips to score, drawn with --seed; 0 for all.", lower_bound=0, **place)
    flags.DEFINE_integer("seed", 1, "Of the draw.", lower_bound=0, **place)
    flags.DEFINE_string("result", "", "JSON file to write.", **place)
    flags.DEFINE_string("docs", "", "Markdown file whose table is replaced.", **place)
    flags.DEFINE_string("picture", "", "PNG file to write.", **place)


def at_level(pcm, level_dbfs):
    """Clips brought to a peak level and rounded to 16 bits; digital silence stays what it is.

    Args:
        pcm: int16 [clips, samples]. level_dbfs: peak in dB relative to full scale.

    Returns:
        int16 [clips, samples].
    """
    peaks = np.abs(pcm.astype(np.float64)).max(axis=1, keepdims=True)
    gain = FULL_SCALE * 10 ** (level_dbfs / 20) / np.maximum(peaks, 1)
    return np.rint(pcm * gain).astype(np.int16)


def sweep(model, float_model, pcm, labels, levels=LEVELS_DBFS):
    """Accuracy of both files at every level.

    Args:
        model, float_model: paths of exports with the same labels. pcm: int16 [clips, clip_samples]. labels: int [clips].

    Returns:
        list of dicts: level_dbfs, correct, float_correct, agree (clips with the same answer), accuracy, float_accuracy.
    """
    rows = []
    for level in levels:
        clips = at_level(pcm, level)
        answers = [scoring.score(path, lambda indices: clips[indices], len(clips), title=f"{level} dBFS").argmax(1)  # noqa: B023
                   for path in (model, float_model)]
        correct, float_correct = (int(np.sum(found == labels)) for found in answers)
        rows.append({"level_dbfs": level, "correct": correct, "float_correct": float_correct,
                     "agree": int(np.sum(answers[0] == answers[1])), "accuracy": correct / len(labels),
                     "float_accuracy": float_correct / len(labels)})
    return rows


def measure():
    """The result of one data set by the flags, as a dict of JSON values."""
    for name in ("model", "float_model", "data_root", "name", "result"):
        if not flags.FLAGS[name].value:
            raise ConfigError(f"--{name} is missing, see --help.")
    manifest, _ = model_file.read(FLAGS.model)
    other, _ = model_file.read(FLAGS.float_model)
    if manifest.input_kind != "pcm" or (manifest.labels, manifest.clip_samples) != (other.labels, other.clip_samples):
        raise ConfigError("--model must take PCM, and --float_model have the same labels and clip length.")
    runtime.load_model(FLAGS.float_model)
    data = DataConfig(data_root=FLAGS.data_root, cache_dir=FLAGS.cache_dir, audio_backend="soundfile",
                      clip_duration=manifest.clip_samples / manifest.sample_rate, eval_crop=manifest.crop)
    clips = dataset.load(data, manifest.sample_rate, splits=(FLAGS.split,), classes=manifest.labels).splits[FLAGS.split]
    chosen = np.sort(np.random.default_rng(FLAGS.seed).permutation(clips.n_clips)[:FLAGS.n_clips or None])
    pcm = clips.fit(chosen, manifest.clip_samples, manifest.crop, None)
    return {"name": FLAGS.name, "split": FLAGS.split, "clips": len(chosen), "model_id": manifest.model_id,
            "float_model_id": other.model_id, "levels": sweep(FLAGS.model, FLAGS.float_model, pcm, clips.labels[chosen])}


def read(path):
    """A result that the first form wrote."""
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: no result of this tool ({error}).") from error


def table(results):
    """Lines of the Markdown table of several results."""
    lines = ["| peak level | " + " | ".join(f"{result['name']}: integer | float32 | change | same answer" for result in results) + " |",
             "| --- |" + " ---: |" * 4 * len(results)]
    for index, level in enumerate(LEVELS_DBFS):
        cells = []
        for result in results:
            row = result["levels"][index]
            low, high = (100 * end for end in wilson_interval(row["correct"], result["clips"]))
            change = 100 * (row["accuracy"] - row["float_accuracy"])
            cells += [f"{100 * row['accuracy']:.2f} % ({low:.1f} to {high:.1f})", f"{100 * row['float_accuracy']:.2f} %", f"{change:+.2f}",
                      f"{100 * row['agree'] / result['clips']:.1f} %"]
        lines.append(f"| {level} dBFS | " + " | ".join(cells) + " |")
    return lines


def draw(results, path):
    """Accuracy over level as a picture, one panel per result."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(results), figsize=(5.2 * len(results), 3.6), squeeze=False, sharey=True)
    for axis, result in zip(axes[0], results, strict=True):
        levels = [row["level_dbfs"] for row in result["levels"]]
        bounds = np.array([wilson_interval(row["correct"], result["clips"]) for row in result["levels"]]).T
        axis.fill_between(levels, *(100 * bounds), alpha=0.15, label="95 % interval, integer")
        axis.plot(levels, [100 * row["float_accuracy"] for row in result["levels"]], "s--", label="float32", color="tab:gray")
        axis.plot(levels, [100 * row["accuracy"] for row in result["levels"]], "o-", label="integer file, PCM in", color="tab:blue")
        axis.set(title=f"{result['name']}, {result['split']}, {result['clips']} clips", xlabel="peak level, dBFS", ylim=(0, 102))
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("accuracy, %")
    axes[0][0].legend(loc="lower right")
    figure.tight_layout()
    with atomic_file.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)


def show(results):
    """Writes the table into --docs and the picture to --picture."""
    if FLAGS.docs:
        publish(FLAGS.docs, {"level_sweep": table(results)}, "python tools/level_sweep.py --docs=docs/integer_file.md RESULT.json ...")
    if FLAGS.picture:
        draw(results, FLAGS.picture)


def main(argv):
    if argv[1:]:
        results = [read(path) for path in argv[1:]]
        show(results)
    else:
        results = [measure()]
        atomic_file.write_text(FLAGS.result, json.dumps(results[0], indent=2) + "\n")
    print("\n".join(table(results)))


if __name__ == "__main__":
    run(main, define)
