"""Shows the whole chain: phrases -> synthetic speech -> training -> integer TFLite file -> detections in long recordings, with pictures.

    make demo
    python tools/demo.py --run_dir=runs/demo

Two files are made from the training: one that takes a clip, scored on the testing clips, and one that takes PCM hop by hop. Thresholds of
the second are calibrated on recordings built from validation clips; then it listens to one built from testing clips, whose voices and
other words it has never heard. Exits with status 1 if the first gets less than --minimum_accuracy of the testing clips right.
"""

import json
import pathlib
import sys
import time

from absl import flags

from kws_tf import program
from kws_tf.config import SPLITS
from kws_tf.counted import counted
from kws_tf.flags import refuse_arguments, run

FLAGS = flags.FLAGS
# Some sound like a command on purpose: yet and chess, low and note, stock and top, goat and coat.
OTHER_WORDS = tuple("""
    yet chess guess low note snow stock top spot goat toe coat left right up down house bird seven happy marvin water music paper three dog
    cat tree five eight zero bed learn visual open light morning kitchen river apple finger number weather orange garden picture winter
    letter mess slow step ghost green table window sun girl summer market doctor purple hand village cloud""".split())
# Of one long recording. Minutes support no lower target than this.
MINUTES = 4
TARGET_PER_HOUR = 60
PROJECT = pathlib.Path(__file__).resolve().parents[1]


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "demo"}
    flags.DEFINE_string("data_root", "build/demo_set", "Folder of the data set; made if it is not there.", **place)
    flags.DEFINE_string("run_dir", "runs/demo", "Run folder; a previous run in it is replaced.", **place)
    flags.DEFINE_string("recipe", str(PROJECT / "flags" / "demo.cfg"), "Flagfile of the training.", **place)
    flags.DEFINE_float("minimum_accuracy", 0.9, "Share of the testing clips that the integer file from PCM to logits has to get right.",
                       lower_bound=0, upper_bound=1, **place)


def demonstrate(data_root, run_dir, recipe, minimum_accuracy):
    """Makes the data set if it is not there, trains, exports, scores the exported file and prints the result.

    Args:
        data_root: folder of the data set. run_dir: run folder.
        recipe: flagfile of the training.
        minimum_accuracy: share of the testing clips that the int8 file has to get right.

    Returns:
        True if it does.

    Raises:
        KwsError: a step failed.
    """
    begun = time.monotonic()
    make_data(data_root)
    program.run("kws_tf.train", "--flagfile", recipe, "--data_root", data_root, "--noise_dir", f"{data_root}/noise", "--run_dir", run_dir,
                "--overwrite", title="Training and export")
    program.run("kws_tf.evaluate", "--model", f"{run_dir}/export/pi", "--data_root", data_root, "--split", "testing", "--output", run_dir,
                title="Accuracy of the integer file")
    stream = listen_to_long_recordings(data_root, run_dir)
    report = json.loads((pathlib.Path(run_dir) / "evaluation_testing.json").read_text(encoding="utf-8"))
    low, high = report["accuracy_interval"]
    reached = report["accuracy"] >= minimum_accuracy
    verdict = f"expected at least {100 * minimum_accuracy:g} %: {'reached' if reached else 'NOT REACHED'}"
    print(f"\n== Result after {time.monotonic() - begun:.0f} s\n"
          f"integer file      {report['model']['file']}\n"
          f"testing accuracy  {100 * report['accuracy']:.2f} % of {report['clips']} clips (95 % interval {100 * low:.2f} to "
          f"{100 * high:.2f}), {verdict}\n"
          f"long recording    {stream['annotated']['hits']} of {counted(stream['annotated']['words'], 'word')} found, "
          f"{counted(stream['annotated']['false_accepts']['false_accepts'], 'false accept')} in "
          f"{stream['speed']['audio_seconds'] / 60:.0f} minutes\n"
          f"learning curves   {run_dir}/curves.png\n"
          f"confusion matrix  {run_dir}/confusion_testing.png\n"
          f"report            {run_dir}/report.html (open it in a browser: error trade-off, misses, sounds)\n"
          f"listen            {sys.executable} -m kws_tf.listen --model {run_dir}/export/tflm_stream")
    return reached


def listen_to_long_recordings(data_root, run_dir):
    """Makes the streaming file, calibrates it, and lets it listen to a long recording.

    Args:
        data_root: folder of the data set. run_dir: run folder.

    Returns:
        dict of evaluation_stream.json.
    """
    model = f"{run_dir}/export/tflm_stream"
    program.run("kws_tf.convert", "--run_dir", run_dir, "--profile", "tflm", "--streaming", "internal", "--hop_frames", 2,
                title="Streaming file: PCM in, 20 ms per step, state inside")
    for seed, split in enumerate(("validation", "testing"), 1):
        program.run("tools.long_audio", "--words", f"{data_root}/{split}", "--noise", f"{data_root}/noise", "--speech",
                    f"{data_root}/{split}/_unknown_", "--minutes", MINUTES, "--seed", seed, "--output", f"{run_dir}/{split}",
                    title=f"Long recording of {split} voices")
    program.run("kws_tf.calibrate", "--model", model, "--ambient", f"{data_root}/validation/_unknown_", "--positives",
                f"{run_dir}/validation/annotations.json", "--target_fa_per_hour", TARGET_PER_HOUR, title="Thresholds")
    program.run("kws_tf.evaluate", "--model", model, "--annotations", f"{run_dir}/testing/annotations.json", "--output", run_dir,
                title="Detections in the long recording")
    return json.loads((pathlib.Path(run_dir) / "evaluation_stream.json").read_text(encoding="utf-8"))


def data_settings():
    """The data set of the demo: four command words, other words and silence, spoken by espeak-ng in noise, clips of one second."""
    from kws_tf.synthesis.settings import SynthesisConfig

    return SynthesisConfig(
        phrases=("yes", "no", "stop", "go"), positives=(550, 60, 150), unknowns=(1000, 100, 240), silences=(250, 40, 80),
        kinds=(0.3, 0, 0, 0, 0.7, 0), near_misses=5, other_words=OTHER_WORDS, unseen_share=0.3, speaker_shares=(0.6, 0.15, 0.25),
        clip_seconds=1.0, intonations=("",), noisy_splits=SPLITS, snr_db=(5.0, 30.0), babble_voices=0)


def make_data(data_root):
    """Makes the data set, or finds it, and says so."""
    from kws_tf.synthesis import clip_set
    from kws_tf.synthesis.espeak_engine import EspeakEngine

    print("== Speech by espeak-ng", flush=True)
    made = clip_set.make(data_root, data_settings(), EspeakEngine("en"))
    print(f"{data_root}: {'made' if made else 'there already'}; no speaker is in two splits, manifest.jsonl describes every clip",
          flush=True)


def main(argv):
    refuse_arguments(argv)
    return 0 if demonstrate(FLAGS.data_root, FLAGS.run_dir, FLAGS.recipe, FLAGS.minimum_accuracy) else 1


if __name__ == "__main__":
    run(main, define)
