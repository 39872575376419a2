"""Says which keyword is in each recording: one JSON line per file. Needs numpy, soundfile, absl-py and a TFLite interpreter alone.

    python -m kws_tf.predict --model runs/NAME/export/features clip.wav other.flac

A line holds file, label, score (its probability), scores (of every class), duration_seconds and crop_start_seconds: where the window
that was scored begins in the recording (negative when zeros come first). A file that cannot be read gives a line with file and error,
and exit status 1 at the end.
"""

import dataclasses
import json
import sys

from absl import flags

from kws_tf.errors import AudioError, ConfigError
from kws_tf.flags import run

FLAGS = flags.FLAGS


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "predict"}
    flags.DEFINE_string("model", "", "Exported model: a .tflite file or its folder.", **place)
    flags.DEFINE_enum("interpreter", None, ["tflite_runtime", "ai_edge_litert", "tensorflow"],
                      "TFLite interpreter; empty for the first that is installed, in this order.", **place)


def main(argv):
    from kws_tf import runtime

    if not FLAGS.model:
        raise ConfigError("--model is missing: the exported .tflite file or its folder, such as runs/NAME/export/features.")
    if not argv[1:]:
        raise ConfigError("no recordings are given; name them after the flags: --model M clip.wav other.flac")
    model = runtime.load_model(FLAGS.model, interpreter=FLAGS.interpreter)
    status = 0
    for path in argv[1:]:
        try:
            line = {"file": path, **dataclasses.asdict(model.predict(path))}
        except AudioError as error:
            line, status = {"file": path, "error": str(error)}, 1
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return status


if __name__ == "__main__":
    run(main, define)
