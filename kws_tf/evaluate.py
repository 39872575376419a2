"""Scores an exported model on single clips and on long recordings, through the runtime that users run.

    python -m kws_tf.evaluate --model runs/NAME/export/features --data_root DIR --split testing
    python -m kws_tf.evaluate --model runs/NAME/export/features --data_root DIR --compare runs/NAME/export/float32
    python -m kws_tf.evaluate --model runs/NAME/export/stream --ambient DIR --annotations A.json

--data_root: clips of a split; accuracy with its 95 % Wilson interval, precision, recall and F1 of every class, the most frequent
confusions. --ambient: long recordings without the keywords; false accepts per hour with their 95 % Poisson bound. --annotations:
recordings with words at known places (tools/long_audio.py makes such); misses with their interval, latency, misses by condition.
Any of them may be combined. Writes evaluation_<split>.json, confusion_<split>.png, evaluation_stream.json and report.html, a page with
pictures and sounds that works offline, into --output, by default the folder of the model.
"""

import json
import pathlib
import shlex
import sys

import numpy as np
from absl import flags

from kws_tf import atomic_file, screen
from kws_tf.config import SPLITS, DataConfig
from kws_tf.counted import counted
from kws_tf.detector_settings import level_of
from kws_tf.errors import ConfigError
from kws_tf.flags import HELP, define_interpreter, refuse_arguments, run

FLAGS = flags.FLAGS
SHOWN_CONFUSIONS = 10


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "evaluate"}
    flags.DEFINE_string("model", "", "Exported model: a .tflite file or the folder that holds it.", **place)
    flags.DEFINE_string("data_root", "", "Folder with <split>/<class>/**.", **place)
    flags.DEFINE_enum("split", "testing", SPLITS, "Split to score.", **place)
    flags.DEFINE_string("compare", "", "A second exported model for the same clips; prints how far their answers are apart.", **place)
    flags.DEFINE_string("ambient", "", "Folder or file of long recordings without the keywords, for false accepts per hour.", **place)
    flags.DEFINE_string("annotations", "", "JSON file with recordings and the places of the words in them, for misses and latency.",
                        **place)
    flags.DEFINE_string("preset", "", "Preset of the detector; empty for the default one of the model.", **place)
    flags.DEFINE_list("keywords", [], "Labels that make events; by default those of the preset, or all but those such as _unknown_.",
                      **place)
    flags.DEFINE_float("threshold", None, "Mean score, 0 to 1, that starts an event, instead of that of the preset.", lower_bound=0,
                       upper_bound=1, **place)
    flags.DEFINE_integer("window_scores", None, "Scores that the detector averages, instead of those of the preset.", lower_bound=1,
                         **place)
    flags.DEFINE_boolean("report", True, "Write report.html.", **place)
    flags.DEFINE_boolean("sounds", True, "Put pieces of the recordings into report.html, to be played; without them it may be given to "
                         "people who must not have the recordings.", **place)
    flags.DEFINE_string("output", "", "Folder of everything that is written; empty for the folder of the model.", **place)
    define_interpreter(**place)
    flags.DEFINE_integer("workers", 0, "Interpreters that score side by side; 0 for one per processor.", lower_bound=0, **place)
    flags.DEFINE_string("cache_dir", DataConfig.cache_dir, HELP["data"]["cache_dir"], **place)
    flags.DEFINE_boolean("allow_bad_files", DataConfig.allow_bad_files, HELP["data"]["allow_bad_files"], **place)
    flags.DEFINE_enum("audio_backend", "soundfile", ["auto", "tensorflow_io", "soundfile"],
                      "Decoder and resampler: soundfile, as kws_tf.predict uses, or those of training.", **place)


def print_report(report):
    """Prints the figures as tables."""
    from rich.table import Table

    console = screen.console()
    low, high = report["accuracy_interval"]
    console.print(f"{report['model']['file']} ({report['model']['profile']}) on {report['split']}: "
                  f"accuracy {100 * report['accuracy']:.2f} %, 95 % interval {100 * low:.2f} to {100 * high:.2f} %, "
                  f"{report['correct']} of {counted(report['clips'], 'clip')}; mean recall {100 * report['balanced_accuracy']:.2f} %")
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
    apart = "are equal" if drift["logits_equal"] else "differ" if ratio is None else f"{ratio:.1f} dB above their difference"
    console.print(f"  {drift['argmax_disagreements']} of {drift['clips']} answers differ "
                  f"({drift['fixed']} right only here, {drift['broken']} only there)")
    console.print(f"  scores drift by {drift['score_drift_mean']:.4f} on average, {drift['score_drift_p95']:.4f} at the 95th percentile, "
                  f"{drift['score_drift_max']:.4f} at most; logits {apart}")


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


def print_stream_report(report):
    """Prints false accepts, misses and latency."""
    from kws_tf.evaluation import report_text

    detector, figures = report["detector"], report["speed"]
    print(f"{report['model']['file']} ({report['model']['profile']})")
    print(report_text.detector_line(detector["settings"], detector["score_seconds"], detector))
    print(f"{figures['audio_seconds'] / 3600:.3f} hours of audio in {figures['wall_seconds']:.1f} s on the clock and "
          f"{figures['processor_seconds']:.1f} s of the processor: {figures['times_real_time']:.0f} times real time, "
          f"{figures['times_real_time_per_core']:.0f} per core")
    if report["ambient"]:
        by_keyword = ", ".join(f"{keyword} {count}" for keyword, count in report["ambient"]["by_keyword"].items())
        print(f"without the keywords: {report_text.false_accept_line(report['ambient'])} ({by_keyword})")
    if report["annotated"]:
        print(report_text.miss_line(report["annotated"]))
        print(f"beside the words: {report_text.false_accept_line(report['annotated']['false_accepts'])}")
        for name in ("by_keyword", "by_snr", "by_level", "by_source"):
            rows = report["annotated"][name]
            if rows:
                print(f"  {name.replace('_', ' ')}: " + "; ".join(f"{row['group']} {row['misses']} of {row['words']}" for row in rows)
                      + " missed")
        print(f"area under recall for 0 to 2 false accepts per hour: {report['recall_area']:.3f}")


def clip_report(output):
    """Scores clips, prints and writes the figures.

    Returns:
        dict of evaluate_model, path of the confusion picture.
    """
    from kws_tf import evaluation

    data = DataConfig(data_root=FLAGS.data_root, cache_dir=FLAGS.cache_dir, allow_bad_files=FLAGS.allow_bad_files,
                      audio_backend=FLAGS.audio_backend)
    report = evaluation.evaluate_model(FLAGS.model, data, FLAGS.split, compare_with=FLAGS.compare or None, workers=FLAGS.workers or None,
                                       interpreter=FLAGS.interpreter, kernels=FLAGS.kernels)
    print_report(report)
    table, picture = output / f"evaluation_{FLAGS.split}.json", output / f"confusion_{FLAGS.split}.png"
    atomic_file.write_text(table, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    evaluation.draw_confusion(report, picture)
    print(f"written: {table}, {picture}")
    return report, picture


def stream_report(output):
    """Scores long recordings, prints and writes the figures.

    Returns:
        dict of evaluate_stream.
    """
    from kws_tf import evaluation

    threshold = None if FLAGS.threshold is None else level_of(FLAGS.threshold)
    report = evaluation.evaluate_stream(
        FLAGS.model, ambient=FLAGS.ambient or None, annotated=FLAGS.annotations or None, preset=FLAGS.preset, keywords=FLAGS.keywords,
        changes={"threshold": threshold, "window_scores": FLAGS.window_scores}, workers=FLAGS.workers or None,
        interpreter=FLAGS.interpreter, kernels=FLAGS.kernels)
    print_stream_report(report)
    table = output / "evaluation_stream.json"
    atomic_file.write_text(table, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    print(f"written: {table}")
    return report


def main(argv):
    refuse_arguments(argv)
    if not FLAGS.model:
        raise ConfigError("--model is missing: a .tflite file or the export folder that holds it.")
    if not (FLAGS.data_root or FLAGS.ambient or FLAGS.annotations):
        raise ConfigError(f"--data_root is missing: the folder with {FLAGS.split}/<class>/**. Or give long recordings: --ambient, "
                          "--annotations.")
    if FLAGS.compare and not FLAGS.data_root:
        raise ConfigError("--compare needs --data_root: two models are compared on clips.")
    if not (FLAGS.ambient or FLAGS.annotations):
        for name in ("preset", "keywords", "threshold", "window_scores"):
            if not FLAGS[name].using_default_value:
                raise ConfigError(f"--{name} is for the detector in long recordings: give --ambient or --annotations, or leave it away.")
    # The data set and the interpreters: after the flags are known to be good.
    from kws_tf.evaluation import html_report
    from kws_tf.runtime import model_file

    folder = model_file.find(FLAGS.model)[0]
    output = pathlib.Path(FLAGS.output) if FLAGS.output else folder
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--output={output}: this folder cannot be made ({error.strerror}).") from error
    clips, picture = clip_report(output) if FLAGS.data_root else (None, None)
    stream = stream_report(output) if FLAGS.ambient or FLAGS.annotations else None
    if FLAGS.report:
        page = html_report.build(folder, clips=clips, stream=stream, confusion=picture and picture.read_bytes(), sounds=FLAGS.sounds,
                                 command=shlex.join(["python", "-m", "kws_tf.evaluate", *sys.argv[1:]]))
        atomic_file.write_text(output / "report.html", page)
        print(f"written: {output / 'report.html'}")


if __name__ == "__main__":
    run(main, define, extra="train")
