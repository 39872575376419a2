"""Trains a keyword spotter from a folder of clips, exports it and scores the exported files.

    python -m kws_tf.train --flagfile flags/pi.cfg --data_root DIR
    python -m kws_tf.train --data_root DIR --n_mels 80 --clip_duration=1.4 --lr=0.002 --epochs=100 --patience=7 --tau=2
    python -m kws_tf.train --data_root DIR --initial_weights runs/OTHER --lr=0.02 --epochs=20 --warmup_epochs=1
    python -m kws_tf.train --resume --run_dir runs/NAME

DIR holds training/<class>/**, validation/<class>/** and, if there is one, testing/<class>/**. Everything that a run makes is in
its run folder: config.json labels.txt history.csv curves.png best.weights.h5 checkpoints/ export/ evaluation.json
confusion.png. A killed run loses at most the epoch at work; --resume continues it exactly.
"""

import json
import os
import pathlib

from absl import flags, logging

from kws_tf import atomic_file, missing_package, screen
from kws_tf.errors import ConfigError, ConversionError
from kws_tf.flags import define_config, refuse_arguments, run, run_config

FLAGS = flags.FLAGS
PROFILES = ("float32", "features", "pi")
VALIDATION_NOTE = ("There is no testing split: the exported files were scored on validation, which also picked the best epoch. "
                   "Read these figures as optimistic.")


def define(flag_values=FLAGS):
    """Defines the flags of the configuration and of this program."""
    place = {"flag_values": flag_values, "module_name": "run"}
    flags.DEFINE_string("run_dir", "", "Run folder; empty for runs/<dataset>-<network>-<features>-seed<seed>.", **place)
    flags.DEFINE_boolean("resume", False, "Continue the run in the run folder where its last checkpoint ends. Its configuration is kept; "
                         "flags may repeat it and must not contradict it.", **place)
    flags.DEFINE_boolean("overwrite", False, "Replace what a previous run made in the run folder.", **place)
    flags.DEFINE_boolean("export", True, "After training, export TFLite files and score them on the testing split.", **place)
    flags.DEFINE_integer("calibration_clips", 200, "Training clips that set the ranges of the int8 file.", lower_bound=1, **place)
    flags.DEFINE_boolean("tensorboard", False, "Also write TensorBoard summaries into the run folder (needs TensorFlow).", **place)
    flags.DEFINE_integer("threads", 0, "Threads of the computation; 0 for all cores. With 1, equal seeds give equal weights.",
                         lower_bound=0, **place)
    define_config(flag_values)


def _configuration():
    """(RunConfig, RunFolder) of a new run or of the run to continue, by the flags."""
    from kws_tf.training import initial_weights, run_folder

    if FLAGS.resume and FLAGS.overwrite:
        raise ConfigError("--resume and --overwrite contradict each other; give one of them.")
    if FLAGS.resume and FLAGS.run_dir:
        folder = run_folder.RunFolder(FLAGS.run_dir)
    else:
        config = run_config()
        if not config.data.data_root:
            raise ConfigError("--data_root is missing: the folder with training/<class>/** and validation/<class>/**.")
        folder = run_folder.RunFolder(FLAGS.run_dir or pathlib.Path("runs") / run_folder.default_name(config))
    if not FLAGS.resume:
        folder.require_free(FLAGS.overwrite)
        initial_weights.require_same_network(config, folder)
        return config, folder
    stored = folder.config()
    config = run_config(base=stored)
    run_folder.require_same_run(stored, config)
    return config, folder


def export(trained, clips, config, folder):
    """Exports the best weights as export/float32, export/features and export/pi of the run folder, as kws_tf.convert does.

    Args:
        trained: kws_tf.training.session.Trained. clips: ClipDataset. config: RunConfig. folder: RunFolder.

    Returns:
        Name of the integer profile to be scored: "pi"; "features" where the integer front end cannot hold the features of the run.
    """
    from kws_tf import tflite
    from kws_tf.training import trained_run

    pcm = tflite.calibration_pcm(clips.splits["training"], config, FLAGS.calibration_clips)
    metrics = trained_run.best_metrics(folder, config.train.monitor)
    scored = "features"
    for profile in PROFILES:
        try:
            tflite.export(trained.network.backbone, config, clips.classes, pcm, folder.export_dir / profile, profile=profile,
                          metrics=metrics)
        except ConversionError as error:
            if profile != "pi":
                raise
            logging.warning("there is no file with PCM as input (export/pi): %s", error)
        else:
            scored = profile
    return scored


def continuous_figures(trained, split, config):
    """Accuracy of the Keras network on a split from a state of zeros, and with other clips of the split ahead of every clip.

    Args:
        trained: kws_tf.training.session.Trained. split: kws_tf.dataset Split. config: RunConfig.

    Returns:
        {"pre_roll_frames", "zero_state": figures, "pre_roll": figures}, figures as in evaluation.classification.report.
    """
    from kws_tf.evaluation import classification
    from kws_tf.training.loop import split_logits

    found = {"pre_roll_frames": config.train.pre_roll_frames}
    for name in ("zero_state", "pre_roll"):
        logits = split_logits(trained.network, split, config, pre_roll=name == "pre_roll")
        figures = classification.report(split.labels, logits, [str(index) for index in range(logits.shape[1])])
        found[name] = {key: figures[key] for key in ("clips", "correct", "accuracy", "accuracy_interval", "balanced_accuracy")}
    return found


def score_exports(trained, clips, config, folder, profile):
    """Scores the exported files on testing, or on validation where there is no testing, and writes evaluation.json and confusion.png.

    Args:
        trained, clips, config, folder: see export. profile: the integer file to score beside float32.

    Returns:
        The report of evaluation.evaluate_model: figures of the int8 file, under "other" those of the float32 file, and under
        "continuous" what earlier audio does to the network, see continuous_figures.
    """
    from kws_tf import evaluation

    split = "testing" if "testing" in clips.splits else "validation"
    report = evaluation.evaluate_model(folder.export_dir / profile, config.data, split, compare_with=folder.export_dir / "float32")
    report["continuous"] = continuous_figures(trained, clips.splits[split], config)
    report["split_note"] = "" if split == "testing" else VALIDATION_NOTE
    atomic_file.write_text(folder.evaluation_file, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    evaluation.draw_confusion(report, folder.confusion_file)
    return report


def print_summary(outcome, config, folder, report=None):
    """Prints what the run achieved as one short table.

    Args:
        outcome: of the loop. config: RunConfig. folder: RunFolder.
        report: of score_exports; None if nothing was exported.
    """
    from rich.table import Table

    best = outcome.best_row
    table = Table(title=f"{folder.path}: epoch {best['epoch']} of {len(outcome.history)} is the best by {config.train.monitor}",
                  title_justify="left")
    for header in ("model", "split", "accuracy", "95 % interval", "mean of classes", "clips", "bytes"):
        table.add_column(header, justify="left" if header in ("model", "split") else "right")
    table.add_row("Keras float32", "validation", f"{100 * best['val_accuracy']:.2f} %", "", f"{100 * best['val_balanced_accuracy']:.2f} %")
    for name, kind in (("Keras, zero state", "zero_state"), ("Keras, with pre-roll", "pre_roll")):
        if report:
            figures = report["continuous"][kind]
            low, high = figures["accuracy_interval"]
            table.add_row(name, report["split"], f"{100 * figures['accuracy']:.2f} %", f"{100 * low:.2f} to {100 * high:.2f}",
                          f"{100 * figures['balanced_accuracy']:.2f} %", str(figures["clips"]))
    for title, figures in (("TFLite float32", report and report["other"]), ("TFLite int8", report)):
        if figures:
            profile = (figures.get("model") or figures)["profile"]
            name = f"{title}, PCM in" if profile == "pi" else title
            low, high = figures["accuracy_interval"]
            table.add_row(name, report["split"], f"{100 * figures['accuracy']:.2f} %", f"{100 * low:.2f} to {100 * high:.2f}",
                          f"{100 * figures['balanced_accuracy']:.2f} %", str(figures["clips"]),
                          str((folder.export_dir / profile / "model.tflite").stat().st_size))
    console = screen.console()
    console.print(table)
    if report and report["split_note"]:
        console.print(report["split_note"])


def _warn_of_no_pcm_file(features):
    """Says before the training that these features have no integer front end."""
    from kws_tf.front_end import dft

    try:
        dft.plan(features)
    except ConversionError as error:
        logging.warning("there will be no file with PCM as input (export/pi): %s", error)


def main(argv):
    refuse_arguments(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if FLAGS.threads:
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            os.environ[name] = str(FLAGS.threads)
    config, folder = _configuration()
    # Keras and TensorFlow take seconds to import: only when settings and clips are known to be good.
    missing_package.require("keras")
    from kws_tf import dataset

    if FLAGS.export and config.features.kind != "micro":
        _warn_of_no_pcm_file(config.features)
    clips = dataset.load(config.data, config.features.sample_rate)
    from kws_tf.training import session, tensorboard

    on_epoch = tensorboard.TensorBoardWriter(folder.tensorboard_dir) if FLAGS.tensorboard else None
    trained = session.train(config, folder, clips, resume=FLAGS.resume, overwrite=FLAGS.overwrite, on_epoch=on_epoch)
    report = None
    if FLAGS.export:
        profile = export(trained, clips, config, folder)
        report = score_exports(trained, clips, config, folder, profile)
    print_summary(trained.outcome, config, folder, report)


if __name__ == "__main__":
    run(main, define, extra="train")
