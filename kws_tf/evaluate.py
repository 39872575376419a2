"""Scores an exported model on a split of a folder dataset, through the runtime that users run.

    python -m kws_tf.evaluate --model runs/NAME/export/features --data_root DIR --split testing
    python -m kws_tf.evaluate --model runs/NAME/export/features --data_root DIR --compare runs/NAME/export/float32

Prints accuracy with its 95 % Wilson interval, precision, recall and F1 of every class and the most frequent confusions; writes
evaluation_<split>.json and confusion_<split>.png into --output, by default the folder of the model.
"""

import json
import pathlib

import numpy as np
from absl import flags

from kws_tf import atomic_file
from kws_tf.config import DataConfig
from kws_tf.errors import ConfigError
from kws_tf.flags import HELP, run
from kws_tf.runtime.interpreter import AUTO, INTERPRETERS, KERNELS, KERNELS_HELP

FLAGS = flags.FLAGS
SHOWN_CONFUSIONS = 10


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "evaluate"}
    flags.DEFINE_string("model", "", "Exported model: a .tflite file or the folder that holds it.", **place)
    flags.DEFINE_string("data_root", "", "Folder with <split>/<class>/**.", **place)
    flags.DEFINE_enum("split", "testing", ["training", "validation", "testing"], "Split to score.", **place)
    flags.DEFINE_string("compare", "", "A second exported model for the same clips; prints how far their answers are apart.", **place)
    flags.DEFINE_string("output", "", "Folder of the JSON and the picture; empty for the folder of the model.", **place)
    flags.DEFINE_enum("interpreter", None, list(INTERPRETERS), "TFLite interpreter; by default the first one installed.", **place)
    flags.DEFINE_enum("kernels", AUTO, [AUTO, *KERNELS], KERNELS_HELP, **place)
    flags.DEFINE_integer("workers", 0, "Interpreters that score side by side; 0 for one per processor.", lower_bound=0, **place)
    for name in ("cache_dir", "allow_bad_files"):
        define = flags.DEFINE_string if name == "cache_dir" else flags.DEFINE_boolean
        define(name, getattr(DataConfig, name), HELP["data"][name], **place)
    flags.DEFINE_enum("audio_backend", "soundfile", ["auto", "tensorflow_io", "soundfile"],
                      "Decoder and resampler: soundfile, as kws_tf.predict uses, or those of training.", **place)


def print_report(report):
    """Prints the figures as tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    console = console if console.is_terminal else Console(width=130, highlight=False, soft_wrap=True)
    low, high = report["accuracy_interval"]
    console.print(f"{report['model']['file']} ({report['model']['profile']}) on {report['split']}: "
                  f"accuracy {100 * report['accuracy']:.2f} %, 95 % interval {100 * low:.2f} to {100 * high:.2f} %, "
                  f"{report['correct']} of {report['clips']} clips; mean recall {100 * report['balanced_accuracy']:.2f} %")
    table = Table()
    for header in ("class", "clips", "precision %", "recall %", "95 % interval", "F1 %"):
        table.add_column(header, justify="left" if header == "class" else "right")
    for row in report["classes"]:
        interval = "-" if row["recall_interval"] is None else " to ".join(f"{100 * end:.1f}" for end in row["recall_interval"])
        table.add_row(row["label"], str(row["clips"]), *(_percent(row[name]) for name in ("precision", "recall")), interval,
                      _percent(row["f1"]))
    console.print(table)
    confusions = most_frequent_confusions(report)
    if confusions:
        console.print("most frequent confusions: " + ", ".join(f"{true} as {predicted} {count}" for true, predicted, count in confusions))
    if "comparison" in report:
        print_comparison(console, report)


def print_comparison(console, report):
    """Prints how far the model's answers are from those of the other."""
    other, drift = report["other"], report["comparison"]
    low, high = other["accuracy_interval"]
    console.print(f"compared with {other['file']} ({other['profile']}): its accuracy is {100 * other['accuracy']:.2f} %, 95 % interval "
                  f"{100 * low:.2f} to {100 * high:.2f} %; change {drift['accuracy_change_points']:+.2f} points")
    ratio = drift["signal_to_noise_db"]
    console.print(f"  {drift['argmax_disagreements']} of {drift['clips']} answers differ "
                  f"({drift['fixed']} right only here, {drift['broken']} only there)")
    console.print(f"  scores drift by {drift['score_drift_mean']:.4f} on average, {drift['score_drift_p95']:.4f} at the 95th percentile, "
                  f"{drift['score_drift_max']:.4f} at most; logits "
                  + ("are equal" if ratio is None else f"{ratio:.1f} dB above their difference"))


def most_frequent_confusions(report):
    """(true class, predicted class, count) of the largest entries off the diagonal, at most SHOWN_CONFUSIONS."""
    wrong = np.array(report["confusion"])
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:SHOWN_CONFUSIONS]
    labels = report["labels"]
    pairs = [divmod(int(index), len(labels)) for index in order]
    return [(labels[true], labels[predicted], int(wrong[true, predicted])) for true, predicted in pairs if wrong[true, predicted]]


def _percent(share):
    return "-" if share is None else f"{100 * share:.1f}"


def main(argv):
    if argv[1:]:
        raise ConfigError(f"unexpected argument {argv[1]!r}; every setting is a flag, see --help.")
    if not FLAGS.model:
        raise ConfigError("--model is missing: a .tflite file or the export folder that holds it.")
    if not FLAGS.data_root:
        raise ConfigError(f"--data_root is missing: the folder with {FLAGS.split}/<class>/**.")
    # The data set and the interpreters: after the flags are known to be good.
    from kws_tf import evaluation
    from kws_tf.runtime import model_file

    data = DataConfig(data_root=FLAGS.data_root, cache_dir=FLAGS.cache_dir, allow_bad_files=FLAGS.allow_bad_files,
                      audio_backend=FLAGS.audio_backend)
    output = pathlib.Path(FLAGS.output) if FLAGS.output else model_file.find(FLAGS.model)[0]
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--output={output}: this folder cannot be made ({error.strerror}).") from error
    report = evaluation.evaluate_model(FLAGS.model, data, FLAGS.split, compare_with=FLAGS.compare or None, workers=FLAGS.workers or None,
                                       interpreter=FLAGS.interpreter, kernels=FLAGS.kernels)
    print_report(report)
    table, picture = output / f"evaluation_{FLAGS.split}.json", output / f"confusion_{FLAGS.split}.png"
    atomic_file.write_text(table, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    evaluation.draw_confusion(report, picture)
    print(f"written: {table}, {picture}")


if __name__ == "__main__":
    run(main, define)
