"""Scores an exported model on a split of a folder dataset: accuracy with its interval, figures of every class, confusion.

    python -m kws_tf.evaluate --model runs/NAME/export/features --data_root DIR --split testing
    python -m kws_tf.evaluate --model runs/NAME/export/features --compare runs/NAME/export/float32 --data_root DIR

Clip length, crop and sample rate come from the manifest of the model. Prints tables and writes evaluation_SPLIT.json and
confusion_SPLIT.png beside the model, or into --output. Needs no TensorFlow.
"""

import json
import pathlib
import sys

from absl import flags

from kws_tf import atomic_file
from kws_tf.config import DataConfig
from kws_tf.errors import ConfigError
from kws_tf.flags import run

FLAGS = flags.FLAGS


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "evaluate"}
    flags.DEFINE_string("model", "", "Exported model: a .tflite file or its folder.", **place)
    flags.DEFINE_string("data_root", "", "Folder with <split>/<class>/**.", **place)
    flags.DEFINE_enum("split", "testing", ["training", "validation", "testing"], "Which clips are scored.", **place)
    flags.DEFINE_string("compare", "", "Second model, scored on the same clips: disagreements, score drift, change of accuracy.", **place)
    flags.DEFINE_string("output", "", "Folder of the JSON file and the picture; empty for that of the model.", **place)
    flags.DEFINE_enum("interpreter", None, ["tflite_runtime", "ai_edge_litert", "tensorflow"],
                      "TFLite interpreter; empty for the first that is installed, in this order.", **place)
    flags.DEFINE_enum("kernels", "default", ["default", "builtin", "reference"],
                      "Kernels: default (with XNNPACK), builtin (without), reference (those of TFLite Micro).", **place)
    flags.DEFINE_integer("workers", 0, "Threads; 0 for one per processor.", lower_bound=0, **place)
    flags.DEFINE_string("cache_dir", "", "Folder of the decoded-clip cache; empty for the user's cache folder.", **place)
    flags.DEFINE_boolean("allow_bad_files", False, "Go on without unreadable clips and say how many.", **place)
    flags.DEFINE_enum("audio_backend", "soundfile", ["auto", "tensorflow_io", "soundfile"], "Decoder and resampler.", **place)


def print_report(report):
    """Prints a report of evaluation.evaluate_model as tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console = console if console.is_terminal else Console(width=120, highlight=False)
    low, high = report["accuracy_interval"]
    console.print(f"{report['model']['file']} on {report['split']} of {report['data_root']}")
    console.print(f"accuracy {100 * report['accuracy']:.2f} % (95 % interval {100 * low:.2f} to {100 * high:.2f}; {report['correct']} of "
                  f"{report['clips']} clips), mean of classes {100 * report['balanced_accuracy']:.2f} %")

    def percent(share):
        return "-" if share is None else f"{100 * share:.1f} %"

    table = Table()
    for header in ("class", "clips", "correct", "recall", "95 % interval", "precision", "F1"):
        table.add_column(header, justify="left" if header == "class" else "right")
    for row in report["classes"]:
        interval = row["recall_interval"]
        table.add_row(row["label"], str(row["clips"]), str(row["correct"]), percent(row["recall"]),
                      "-" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}", percent(row["precision"]),
                      percent(row["f1"]))
    console.print(table)
    if "comparison" in report:
        other, change = report["other"], report["comparison"]
        console.print(f"against {other['file']} ({100 * other['accuracy']:.2f} %): {change['accuracy_change_points']:+.2f} points, "
                      f"{change['argmax_disagreements']} of {change['clips']} answers differ ({change['fixed']} right here alone, "
                      f"{change['broken']} right there alone), probabilities differ by {change['score_drift_mean']:.4f} on average "
                      f"and {change['score_drift_max']:.3f} at most")


def main(argv):
    if argv[1:]:
        raise ConfigError(f"unexpected argument {argv[1]!r}; every setting is a flag, see --help.")
    for name in ("model", "data_root"):
        if not getattr(FLAGS, name):
            raise ConfigError(f"--{name} is missing: {FLAGS[name].help}")
    from kws_tf.evaluation import draw_confusion, evaluate_model

    data = DataConfig(data_root=FLAGS.data_root, cache_dir=FLAGS.cache_dir, allow_bad_files=FLAGS.allow_bad_files,
                      audio_backend=FLAGS.audio_backend)
    report = evaluate_model(FLAGS.model, data, FLAGS.split, compare_with=FLAGS.compare or None, workers=FLAGS.workers or None,
                            interpreter=FLAGS.interpreter, kernels=FLAGS.kernels)
    folder = pathlib.Path(FLAGS.output or pathlib.Path(report["model"]["file"]).parent)
    folder.mkdir(parents=True, exist_ok=True)
    figures, picture = folder / f"evaluation_{FLAGS.split}.json", folder / f"confusion_{FLAGS.split}.png"
    atomic_file.write_text(figures, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    draw_confusion(report, picture)
    print_report(report)
    sys.stdout.write(f"wrote {figures} and {picture}\n")


if __name__ == "__main__":
    run(main, define)
