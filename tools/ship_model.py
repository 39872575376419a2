"""Puts a trained run into models/: clip and streaming file, their figures, a report, a model card, and the command that made it.

    python tools/ship_model.py --run_dir runs/NAME --name my_words --about my_words.md --data_licence "CC BY 4.0: ..."
    python tools/ship_model.py --run_dir wake/run_mined1 --name jarvis --about jarvis.md --data_licence "..." \\
        --ambient VALIDATION_SPEECH --positives VALIDATION_WORDS --test_ambient TESTING_SPEECH --test_annotations TESTING.json

models/NAME/ gets
    clip/, streaming/    model.tflite, manifest.json, labels.txt, report.md: PCM in, int8 out, profile tflm, whose bytes run in
                         tflite-runtime and LiteRT too; 2 frames per step, state inside
    report.html          figures and pictures of the streaming file, without sounds
    model_card.md        figures, licence, the text of --about, and how it was made

Both files are scored on the testing split of the data set. With --ambient and --positives the thresholds are calibrated
(kws_tf.calibrate), with --test_ambient or --test_annotations the events are counted on other recordings (kws_tf.evaluate). Folders of
the machine are kept by their last name alone. An error leaves models/ as it was.
"""

import dataclasses
import json
import pathlib
import re
import shutil
import sys
import tempfile

from absl import flags

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kws_tf import atomic_file, program, zoo  # noqa: E402
from kws_tf import manifest as manifests  # noqa: E402
from kws_tf.config import RunConfig, from_dict  # noqa: E402
from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.evaluation import report_text  # noqa: E402
from kws_tf.flags import refuse_arguments, run  # noqa: E402
from tools import record_result  # noqa: E402

FLAGS = flags.FLAGS
HOP_FRAMES = 2
UNCHANGED = "The folder of models is as it was."
FIGURES = ("clips", "correct", "accuracy", "accuracy_interval", "balanced_accuracy")


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "ship"}
    flags.DEFINE_string("run_dir", "", "Run folder of the training.", **place)
    flags.DEFINE_string("name", "", "Name of the model: letters, digits, _.", **place)
    flags.DEFINE_string("about", "", "Markdown file for the model card: what the model is for, what it was trained on, what it cannot do.",
                        **place)
    flags.DEFINE_string("data_licence", "", "Licence of the training data and whom to name.", **place)
    flags.DEFINE_string("data_root", "", "Data set of the run, if it is not where it was in training.", **place)
    flags.DEFINE_string("cache_dir", "", "Decoded-clip cache; empty for that of the run.", **place)
    flags.DEFINE_multi_string("before", [], "Commands ahead of the training, for the card; once per command.", **place)
    flags.DEFINE_string("ambient", "", "Validation recordings without the keywords, to calibrate.", **place)
    flags.DEFINE_string("positives", "", "Validation recordings with them, to calibrate.", **place)
    flags.DEFINE_float("target_fa_per_hour", 0.5, "See kws_tf.calibrate.", lower_bound=1e-6, **place)
    flags.DEFINE_string("test_ambient", "", "Other recordings without the keywords, for the figures.", **place)
    flags.DEFINE_string("test_annotations", "", "Other recordings with them, for the figures.", **place)
    flags.DEFINE_string("models_dir", str(ROOT / "models"), "Folder of the models.", **place)


def change(folder, **changes):
    """Rewrites the manifest of an export folder."""
    manifest = dataclasses.replace(manifests.read(folder), **changes)
    atomic_file.write_text(folder / manifests.MANIFEST_FILE, manifests.to_json(manifest))
    return manifest


def scored(folder, data_root, scratch, *more):
    """Scores a file by kws_tf.evaluate; its figures on the testing split go into its manifest.

    Returns:
        dict of evaluation_stream.json, None without --ambient and --annotations in `more`.
    """
    program.run("kws_tf.evaluate", "--model", folder, "--data_root", data_root, "--split", "testing", "--nosounds", "--output", scratch,
                *more, hint=UNCHANGED)
    found = json.loads((scratch / "evaluation_testing.json").read_text(encoding="utf-8"))
    testing = {name: found[name] for name in FIGURES}
    change(folder, metrics={**manifests.read(folder).metrics, "testing": testing})
    stream = scratch / "evaluation_stream.json"
    return json.loads(stream.read_text(encoding="utf-8")) if more else None


def make(target, scratch):
    """Fills the folder of a model from the flags.

    Args:
        target: folder to make. scratch: folder for what is not kept.
    """
    config = from_dict(RunConfig, json.loads(pathlib.Path(FLAGS.run_dir, "config.json").read_text(encoding="utf-8")))
    data_root = FLAGS.data_root or config.data.data_root
    common = ("--run_dir", FLAGS.run_dir, "--profile", "tflm", "--data_licence", FLAGS.data_licence, "--data_root", data_root,
              *(("--cache_dir", FLAGS.cache_dir) if FLAGS.cache_dir else ()))
    clip, streaming = target / "clip", target / "streaming"
    program.run("kws_tf.convert", *common, "--output", clip, hint=UNCHANGED)
    program.run("kws_tf.convert", *common, "--output", streaming, "--streaming", "internal", "--hop_frames", HOP_FRAMES, hint=UNCHANGED)
    for folder in (clip, streaming):
        change(folder, run=record_result.without_folders(config))
    if FLAGS.ambient:
        program.run("kws_tf.calibrate", "--model", streaming, "--ambient", FLAGS.ambient, "--positives", FLAGS.positives,
                    "--target_fa_per_hour", FLAGS.target_fa_per_hour, hint=UNCHANGED)
    scored(clip, data_root, scratch)
    given = (("--ambient", FLAGS.test_ambient), ("--annotations", FLAGS.test_annotations))
    stream = scored(streaming, data_root, scratch, *(text for pair in given if pair[1] for text in pair))
    shutil.copy(scratch / "report.html", target / "report.html")
    page = (target / "report.html").read_text(encoding="utf-8")
    page = re.sub(r"Made by <code>.*?</code>", f"Made by <code>tools/ship_model.py --name {FLAGS.name}</code>", page)
    atomic_file.write_text(target / "report.html", page)
    about = pathlib.Path(FLAGS.about).read_text(encoding="utf-8").strip()
    commands = [*FLAGS.before, record_result.command(config)]
    atomic_file.write_text(target / zoo.CARD, card(FLAGS.name, clip, streaming, about, commands, config.train.seed, stream))


def card(name, clip, streaming, about, commands, seed, stream=None):
    """The model card.

    Args:
        name: of the model. clip, streaming: its export folders. about: text. commands: list of command lines that made the run.
        seed: of the training. stream: dict of evaluation_stream.json, or None.

    Returns:
        Markdown text.
    """
    rows, facts = [], [zoo.describe(name, kind, folder) for kind, folder in (("clip", clip), ("streaming", streaming))]
    for each in facts:
        low, high = (100 * end for end in each["testing"]["accuracy_interval"])
        arena = f"{each['arena_bytes']:,}" if each["arena_bytes"] else "-"
        step = f"{each['hop_ms']:g} ms" if each["hop_ms"] else "one clip"
        rows.append(f"| `{name}/{each['kind']}` | {step} | {each['bytes']:,} | {each['macs']:,} | {arena} | "
                    f"{100 * each['testing']['accuracy']:.1f} % ({low:.1f} to {high:.1f}) |")
    manifest = manifests.read(streaming)
    clips = facts[0]["testing"]["clips"]
    lines = [f"# {name}", "", about, "", "## Figures", "",
             f"Labels: {', '.join(manifest.labels)}. {clips} testing clips, interval 95 % (Wilson). "
             "[report.html](report.html) has the tables and pictures.", "",
             "| file | one inference takes | bytes | multiply-accumulates | arena, TFLite Micro | testing accuracy |",
             "|---|---|---|---|---|---|", *rows, ""]
    if stream:
        lines += ["On long recordings that neither trained nor calibrated it, the streaming file:", ""]
        if stream["ambient"]:
            lines.append(f"- without the keywords: {report_text.false_accept_line(stream['ambient'])}")
        if stream["annotated"]:
            lines += [f"- {report_text.miss_line(stream['annotated'])}",
                      f"- beside the words: {report_text.false_accept_line(stream['annotated']['false_accepts'])}"]
        lines.append("")
    lines += ["## Licence of the data", "", manifest.data_licence or "not stated", "", "## How it was made", "",
              f"Seed {seed}. kws_tf {manifest.kws_tf_version}.", "", "```", *commands,
              f"python tools/ship_model.py --run_dir RUN --name {name}", "```", "",
              f"SHA-256 of the clip file {manifests.read(clip).model_id}, of the streaming file {manifest.model_id}.", ""]
    return "\n".join(lines)


def main(argv):
    refuse_arguments(argv)
    for name in ("run_dir", "name", "about", "data_licence"):
        if not getattr(FLAGS, name):
            raise ConfigError(f"--{name} is missing; see --help.")
    if not re.fullmatch(r"\w+", FLAGS.name):
        raise ConfigError(f"--name={FLAGS.name}: expected letters, digits and _ alone.")
    if bool(FLAGS.ambient) != bool(FLAGS.positives):
        raise ConfigError("--ambient and --positives calibrate together: give both or none.")
    for path in (pathlib.Path(FLAGS.run_dir, "config.json"), pathlib.Path(FLAGS.about)):
        if not path.is_file():
            raise ConfigError(f"{path}: there is no such file.")
    models = pathlib.Path(FLAGS.models_dir)
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix=".making-") as work:
        target, scratch = pathlib.Path(work, FLAGS.name), pathlib.Path(work, "scratch")
        target.mkdir()
        scratch.mkdir()
        make(target, scratch)
        if (models / FLAGS.name).exists():
            (models / FLAGS.name).rename(pathlib.Path(work, "before"))
        target.rename(models / FLAGS.name)
    size = sum(path.stat().st_size for path in (models / FLAGS.name).rglob("*") if path.is_file())
    print(f"\nwritten: {models / FLAGS.name}, {size:,} bytes; python -m kws_tf.zoo lists it")


if __name__ == "__main__":
    run(main, define)
