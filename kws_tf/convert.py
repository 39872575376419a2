"""Converts the best weights of a training run to one TFLite file, with its manifest, labels and a report.

    python -m kws_tf.convert --run_dir runs/NAME --profile pi
    python -m kws_tf.convert --run_dir runs/NAME --profile pi --evaluate testing
    python -m kws_tf.convert --run_dir runs/NAME --profile tflm --output firmware/model
    python -m kws_tf.convert --run_dir runs/NAME --profile tflm --streaming internal --hop_frames 2

Profiles:
    pi        int16 PCM of one clip -> int8 logits: front end and network in one integer graph, for tflite-runtime 2.14 and LiteRT.
    tflm      the same bytes for TFLite Micro. The graph of both keeps to the operators and forms that all three runtimes compute
              alike; this profile also refuses what TFLite Micro lacks and files that do not fit a microcontroller.
    features  int8 features -> int8 logits, for hosts with a front end of their own.
    float32   float32 features -> float32 logits: the reference, and the quicker one on boards without int8 instructions.
    esphome   int8 features of 3 frames -> uint8 probability of one keyword, for ESPHome's micro_wake_word: always streaming, with
              internal state, for networks trained with --features=micro. esphome.json beside it is what devices load (docs/esphome.md).
    ethos-u   the bytes of tflm, and beside them model_vela.tflite, compiled by Vela for an Ethos-U; manifest and report tell its estimate
              of time and memory, and the operators that stay on the CPU.

With --streaming the file takes audio as it comes, --hop_frames frames per inference, and gives the scores of every frame: the mean over
the last window, exactly that of the offline network (docs/streaming.md). Its state is "internal" (kept in the file; reset by a new
interpreter) or "external" (inputs and outputs that the manifest lists). kws_tf.runtime.Stream plays either.

Integer profiles are calibrated with training clips, drawn by the seed of the run, through the very front end that will feed them.
Every file passes the lint of its profile before anything is written; a failure leaves the output as it was. report.md tells operators,
multiply-accumulates, bytes, the arena in TFLite Micro, times on this machine, and the error of every layer with the worst ones named.
"""

import dataclasses
import os
import pathlib
import tempfile

from absl import flags

from kws_tf.counted import counted
from kws_tf.errors import ConfigError
from kws_tf.flags import HELP, refuse_arguments, run
from kws_tf.manifest import PROFILES, STATE_KINDS

FLAGS = flags.FLAGS
DEVICE_HOP_FRAMES = 3


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "convert"}
    flags.DEFINE_string("run_dir", "", "Run folder of the training: its config.json, labels.txt and best.weights.h5 are used.", **place)
    flags.DEFINE_enum("profile", "pi", PROFILES, "What to make, see above.", **place)
    flags.DEFINE_string("output", "", "Export folder to make or replace; empty for <run_dir>/export/<profile>, with _stream appended "
                        "if --streaming is given.", **place)
    flags.DEFINE_enum("streaming", "", ("", *STATE_KINDS), "Make a streaming file with this kind of state; empty for a clip file.", **place)
    flags.DEFINE_integer("hop_frames", 1, "Frames that one inference of a streaming file takes; 3 by default with --profile=esphome.",
                         lower_bound=1, **place)
    flags.DEFINE_boolean("compact", False, "Streaming files of a causal BC-ResNet with a third less working memory and coarser integers: "
                         "score the file with kws_tf.evaluate before it ships (docs/streaming.md).", **place)
    flags.DEFINE_string("data_root", "", "Data set whose training clips calibrate; empty for that of the run.", **place)
    flags.DEFINE_string("cache_dir", "", f"{HELP['data']['cache_dir']} Empty also takes that of the run.", **place)
    flags.DEFINE_integer("calibration_clips", 200, "Training clips that set the ranges of integers.", lower_bound=1, **place)
    flags.DEFINE_enum("evaluate", "", ("", "validation", "testing"), "Also score the file on this split, beside the float32 network; the "
                      "figures go into manifest and report. Clip files alone.", **place)
    flags.DEFINE_string("data_licence", "", "Licence note of the training data, for the manifest.", **place)
    flags.DEFINE_string("accelerator", "ethos-u55-128", "Profile ethos-u: what to compile for, as Vela names it.", **place)
    flags.DEFINE_string("vela", "", "Profile ethos-u: path of vela; empty for the one beside this Python or on the PATH.", **place)
    device = {"flag_values": flag_values, "module_name": "profile esphome"}
    flags.DEFINE_string("keyword", "", "Class that the file listens for; empty for the only word among the classes.", **device)
    flags.DEFINE_string("phrase", "", "The phrase as people read it; empty for the keyword.", **device)
    flags.DEFINE_string("author", "", "Author, for esphome.json.", **device)
    flags.DEFINE_string("website", "", "Address, for esphome.json.", **device)
    flags.DEFINE_list("languages", ["en"], "Codes of the languages that were trained, for esphome.json.", **device)


def training_clips(config, classes, n_clips):
    """The training clips that calibrate a run: int16 [clips, clip_samples].

    Args:
        config: RunConfig; its data part says where the clips are. classes: names in the order of the logits. n_clips: how many.
    """
    from kws_tf import dataset, tflite

    loaded = dataset.load(config.data, config.features.sample_rate, splits=("training",), classes=classes)
    return tflite.calibration_pcm(loaded.splits["training"], config, n_clips)


def with_data(config, data_root="", cache_dir=""):
    """The configuration with another place of the data, where one is given."""
    changes = {name: value for name, value in (("data_root", data_root), ("cache_dir", cache_dir)) if value}
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **changes))


def wake_word(classes):
    """The manifest.WakeWord that the flags describe."""
    from kws_tf.manifest import WakeWord
    from kws_tf.tflite.streaming_export import only_keyword

    keyword = FLAGS.keyword or only_keyword(classes).keyword
    return WakeWord(keyword, FLAGS.phrase or keyword.replace("_", " "), FLAGS.author, tuple(FLAGS.languages), FLAGS.website)


def refuse_contradictions():
    """Refuses flags that have no meaning for the profile, or that contradict each other."""
    device = FLAGS.profile == "esphome"
    if device and FLAGS.streaming not in ("", "internal"):
        raise ConfigError(f"--profile=esphome keeps its state inside: leave --streaming={FLAGS.streaming} away.")
    if not (device or FLAGS.streaming or FLAGS["hop_frames"].using_default_value):
        raise ConfigError("--hop_frames belongs to --streaming=internal or external; give both or none.")
    if FLAGS.compact and (device or not FLAGS.streaming or FLAGS.profile == "float32"):
        raise ConfigError("--compact is a form of integer streaming files: it belongs to --streaming, and --profile=esphome or float32 "
                          "have none.")
    if (device or FLAGS.streaming) and FLAGS.evaluate:
        raise ConfigError("--evaluate scores clip files; score a streaming file with kws_tf.evaluate.")
    for name in ("accelerator", "vela"):
        if FLAGS.profile != "ethos-u" and not FLAGS[name].using_default_value:
            raise ConfigError(f"--{name} belongs to --profile=ethos-u; received --profile={FLAGS.profile}.")
    given = [name for name in ("keyword", "phrase", "author", "website", "languages") if not FLAGS[name].using_default_value]
    if given and not device:
        raise ConfigError(f"--{given[0]} belongs to --profile=esphome; received --profile={FLAGS.profile}.")


def evaluate(path, trained, config, split):
    """Scores an exported clip file beside the float32 network of the same run and adds the figures to its manifest and report.

    Args:
        path: of the model file. trained: TrainedRun. config: RunConfig with the place of the data. split: "validation" or "testing".

    Returns:
        The report of evaluation.evaluate_model.
    """
    from kws_tf import evaluation, tflite

    with tempfile.TemporaryDirectory() as folder:
        reference = tflite.export(trained.backbone, config, trained.classes, None, pathlib.Path(folder) / "float32", profile="float32")
        report = evaluation.evaluate_model(path, config.data, split, compare_with=reference)
    tflite.add_evaluation(path.parent, report)
    return report


def main(argv):
    refuse_arguments(argv)
    if not FLAGS.run_dir:
        raise ConfigError("--run_dir is missing: the folder that training made.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    refuse_contradictions()
    name = f"{FLAGS.profile}_stream" if FLAGS.streaming else FLAGS.profile
    output = pathlib.Path(FLAGS.output) if FLAGS.output else pathlib.Path(FLAGS.run_dir) / "export" / name
    # Keras and TensorFlow take seconds to import: only when the flags are known to be good.
    from kws_tf import tflite
    from kws_tf.tflite import vela
    from kws_tf.training import trained_run

    settings = vela.VelaSettings(FLAGS.accelerator, FLAGS.vela)
    if FLAGS.profile == "ethos-u":
        vela.find(settings.program)
    trained = trained_run.load(FLAGS.run_dir)
    config = with_data(trained.config, FLAGS.data_root, FLAGS.cache_dir)
    clips = None if FLAGS.profile == "float32" else training_clips(config, trained.classes, FLAGS.calibration_clips)
    arguments = (trained.backbone, config, trained.classes, clips, output)
    about = {"vela": settings, "profile": FLAGS.profile, "metrics": trained.metrics, "data_licence": FLAGS.data_licence}
    if FLAGS.profile == "esphome":
        hop_frames = DEVICE_HOP_FRAMES if FLAGS["hop_frames"].using_default_value else FLAGS.hop_frames
        path = tflite.export_streaming(*arguments, state="internal", hop_frames=hop_frames, wake_word=wake_word(trained.classes), **about)
    elif FLAGS.streaming:
        path = tflite.export_streaming(*arguments, state=FLAGS.streaming, hop_frames=FLAGS.hop_frames,
                                       compact=FLAGS.compact, **about)
    else:
        path = tflite.export(*arguments, layer_report=True, **about)
    if FLAGS.evaluate:
        report = evaluate(path, trained, config, FLAGS.evaluate)
        low, high = (100 * end for end in report["accuracy_interval"])
        print(f"{FLAGS.evaluate}: accuracy {100 * report['accuracy']:.2f} % ({low:.2f} to {high:.2f}, {counted(report['clips'], 'clip')}), "
              f"{report['comparison']['accuracy_change_points']:+.2f} points against float32")
    print(f"written: {path}, {path.parent / tflite.REPORT_FILE}")


if __name__ == "__main__":
    run(main, define, extra="train")
