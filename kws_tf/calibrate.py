"""Chooses the thresholds of a streaming model on validation recordings and writes them into its manifest as three presets.

    python -m kws_tf.calibrate --model runs/NAME/export/pi_stream --ambient DIR --positives DIR --target_fa_per_hour 0.5

--ambient: recordings without the keywords, best some hours of the place where the device will be. --positives: clips, <keyword>/**, or a
JSON file of annotations (tools/long_audio.py), where events beside the words are false accepts too. Both must be validation material:
the figures of what is chosen here are optimistic, and testing recordings that were used here are lost for testing. The presets are
"sensitive", "balanced" (the default) and "strict", with at most 4, 1 and 1/4 times the target. T hours without a false accept only show
that there are fewer than 3.0 / T per hour (95 %): where they are too few for the target, the preset is labelled as best effort, with its
bound. The model file itself is not changed.
"""

import dataclasses
import math

from absl import flags

from kws_tf import atomic_file, screen
from kws_tf import manifest as manifests
from kws_tf.errors import ConfigError
from kws_tf.flags import define_interpreter, define_numbers, refuse_arguments, run

FLAGS = flags.FLAGS


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "calibrate"}
    flags.DEFINE_string("model", "", "Streaming model: a .tflite file or the folder that holds it.", **place)
    flags.DEFINE_string("ambient", "", "Folder or file of recordings without the keywords.", **place)
    flags.DEFINE_string("positives", "", "Folder with <keyword>/**, or a JSON file of annotations.", **place)
    flags.DEFINE_float("target_fa_per_hour", 0.5, "False accepts per hour that the balanced preset aims at.", **place)
    flags.DEFINE_list("keywords", [], "Labels that make events; by default all but those such as _unknown_.", **place)
    define_numbers("windows_ms", (50.0, 100.0, 200.0, 300.0, 500.0), "Lengths of the mean over scores to try, in milliseconds.", **place)
    flags.DEFINE_float("refractory_ms", 1000, "Shortest time between the starts of two events in milliseconds.", lower_bound=0, **place)
    flags.DEFINE_float("release_ratio", 0.75, "An event ends below this share of the threshold.", lower_bound=0.01, upper_bound=1, **place)
    flags.DEFINE_boolean("write", True, "Write the presets into the manifest.", **place)
    define_interpreter(**place)
    flags.DEFINE_integer("workers", 0, "Processes that listen side by side; 0 for one per processor.", lower_bound=0, **place)


def print_presets(presets):
    """Prints a table of the presets and, below it, what the hours cannot show."""
    from rich.table import Table

    from kws_tf.evaluation.report_text import number, percent, rate_text

    table = Table()
    for header in ("preset", "threshold", "window", "false accepts", "per hour", "95 % bound", "target", "missed", "95 % interval"):
        table.add_column(header, justify="left" if header == "preset" else "right")
    for preset in presets.presets:
        figures, settings = preset.measured, preset.settings
        table.add_row(preset.name, f"{settings.threshold / 255:.3f}", str(settings.window_scores), str(figures["false_accepts"]),
                      rate_text(figures["per_hour"], figures["false_accepts"]), number(figures["upper_bound_per_hour"]),
                      number(figures["target_per_hour"]), f"{figures['misses']} of {figures['words']}",
                      " to ".join(percent(end) for end in figures["miss_interval"]))
    console = screen.console()
    console.print(table)
    for preset in presets.presets:
        if preset.measured["note"]:
            console.print(f"{preset.name}: {preset.measured['note']}.")


def main(argv):
    refuse_arguments(argv)
    for name, text in (("model", "a streaming .tflite file or its export folder"), ("ambient", "recordings without the keywords"),
                       ("positives", "clips of the keywords, <keyword>/**, or a JSON file of annotations")):
        if not getattr(FLAGS, name):
            raise ConfigError(f"--{name} is missing: {text}.")
    if not all(0 < value < math.inf for value in FLAGS.windows_ms):
        raise ConfigError(f"--windows_ms: expected positive numbers, such as 100,200; received {','.join(map(str, FLAGS.windows_ms))}.")
    # The interpreters and SciPy: after the flags are known to be good.
    from kws_tf.evaluation import calibration
    from kws_tf.runtime import device_manifest, model_file

    presets = calibration.calibrate(
        FLAGS.model, FLAGS.ambient, FLAGS.positives, FLAGS.target_fa_per_hour, keywords=FLAGS.keywords,
        windows_seconds=[value / 1000 for value in FLAGS.windows_ms],
        refractory_seconds=FLAGS.refractory_ms / 1000, release_ratio=FLAGS.release_ratio, workers=FLAGS.workers or None,
        interpreter=FLAGS.interpreter, kernels=FLAGS.kernels)
    print_presets(presets)
    if FLAGS.write:
        folder, _ = model_file.find(FLAGS.model)
        path = folder / manifests.MANIFEST_FILE
        manifest = dataclasses.replace(manifests.read(folder), detector=presets)
        atomic_file.write_text(path, manifests.to_json(manifest))
        if manifest.wake_word is not None:
            atomic_file.write_text(folder / device_manifest.DEVICE_MANIFEST_FILE, device_manifest.to_json(manifest))
            print(f"written: {folder / device_manifest.DEVICE_MANIFEST_FILE}: cutoff and sliding window of {presets.default}")
        print(f"written: {path}: presets for {', '.join(presets.keywords)}, default {presets.default}")


if __name__ == "__main__":
    run(main, define, extra="train")
