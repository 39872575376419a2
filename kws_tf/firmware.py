"""Writes the C++ sources of an exported model for a microcontroller, with everything around TensorFlow Lite Micro that it needs.

    python -m kws_tf.convert  --run_dir runs/NAME --profile tflm --streaming internal --hop_frames 2
    python -m kws_tf.firmware --model runs/NAME/export/tflm_stream --board esp32s3 --output my_project

The folder has the model as an aligned array, the exact list of its operators, its configuration, labels, golden audio for the self-test,
and the sources of engine, detector and self-test; with --board also a small project of that family:

    host      a PC: listens to a WAV file        arduino   Nano 33 BLE class, Arduino IDE        esp32s3   ESP-IDF
    pico      Pico SDK                           stm32     STM32Cube

TensorFlow Lite Micro itself comes from the package of your platform (docs/microcontrollers.md). The folder appears as a whole or not at
all; a second call replaces model and sources and keeps the files of the example, which are yours to edit.
"""

import os
import pathlib

from absl import flags

from kws_tf.errors import ConfigError
from kws_tf.flags import refuse_arguments, run

FLAGS = flags.FLAGS
BOARDS = ("host", "arduino", "esp32s3", "pico", "stm32")


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "firmware"}
    flags.DEFINE_string("model", "", "Model of profile tflm: a .tflite file or its export folder.", **place)
    flags.DEFINE_string("output", "", "Folder to make or replace; empty for firmware in the folder of the model.", **place)
    flags.DEFINE_enum("board", "", ("", *BOARDS), "Add the example of this family; empty for the sources alone.", **place)
    flags.DEFINE_string("golden", "", "Recording for the self-test, best one with a keyword; empty for synthetic audio.", **place)
    flags.DEFINE_float("golden_seconds", 0.5, "How much of it, from its start; a clip file needs at least a clip.", lower_bound=0.01,
                       **place)
    flags.DEFINE_list("keywords", [], "Labels that make events; by default those of the manifest, or all but those such as _unknown_.",
                      **place)
    flags.DEFINE_float("clip_hop_seconds", 0.25, "How often a clip file scores its last clip.", lower_bound=0.01, **place)


def main(argv):
    refuse_arguments(argv)
    if not FLAGS.model:
        raise ConfigError("--model is missing: a model of profile tflm, made by kws_tf.convert.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from kws_tf import audio
    from kws_tf.runtime import model_file
    from kws_tf.tflite import firmware_folder
    from kws_tf.tflite.export_folder import FIRMWARE_FOLDER

    folder, _ = model_file.find(FLAGS.model)
    output = pathlib.Path(FLAGS.output) if FLAGS.output else folder / FIRMWARE_FOLDER
    pcm = audio.read_pcm(FLAGS.golden, model_file.read(FLAGS.model)[0].sample_rate) if FLAGS.golden else None
    device, kept = firmware_folder.write(FLAGS.model, output, board=FLAGS.board, golden_pcm=pcm, golden_seconds=FLAGS.golden_seconds,
                                         keywords=FLAGS.keywords, clip_hop_seconds=FLAGS.clip_hop_seconds)
    manifest, presets = device.manifest, device.presets
    print(f"written: {output}: {manifest.model_bytes} bytes of model, arena {device.arena_bytes} bytes ({manifest.arena.n_bytes} measured "
          f"on this PC), {device.hop_samples} samples per step, keywords {', '.join(presets.keywords)}, preset {presets.default}")
    if kept:
        print(f"kept as they were: {', '.join(kept)}")


if __name__ == "__main__":
    run(main, define, extra="train")
