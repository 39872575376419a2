"""Says which keyword is in each recording: one JSON line per file.

    python -m kws_tf.predict --model runs/NAME/export/features clip.wav more/*.flac

Any file that soundfile reads, at any rate and length; a longer recording is cut where the model's evaluation cuts it, and the line
says where. A file that cannot be read gives a line with "error", the others are still scored, and the exit status is 1.
Needs numpy, soundfile, absl and tflite-runtime or ai-edge-litert: pip install 'kws_tf[pi]'.
"""

import json

from absl import flags

from kws_tf import screen
from kws_tf.errors import AudioError, ConfigError
from kws_tf.flags import define_interpreter, run
from kws_tf.runtime import load_model

FLAGS = flags.FLAGS


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "predict"}
    flags.DEFINE_string("model", "", "Exported model: a .tflite file or the folder that holds it.", **place)
    define_interpreter(**place)
    flags.DEFINE_integer("threads", 1, "Threads of one inference.", lower_bound=1, **place)


def describe(model, path):
    """The line of one file, as a dict of JSON values.

    Args:
        model: runtime.Model. path: of a recording.

    Returns:
        file, label, score, scores, duration_seconds and, unless the recording has exactly the length of the model,
        window_start_seconds (negative when zeros come first) and window_seconds; or file and error.
    """
    try:
        found = model.predict(path)
    except AudioError as error:
        return {"file": str(path), "error": str(error)}
    except MemoryError:
        return {"file": str(path), "error": f"{path}: the recording is too long for the memory of this machine. Cut it, or play it to "
                "kws_tf.listen --input."}
    line = {"file": str(path), "label": found.label, "score": round(found.score, 4),
            "scores": {label: round(score, 4) for label, score in found.scores.items()},
            "duration_seconds": round(found.duration_seconds, 3)}
    window = model.manifest.clip_samples / model.manifest.sample_rate
    if found.duration_seconds != window:
        line |= {"window_start_seconds": round(found.window_start_seconds, 3), "window_seconds": round(window, 3)}
    return line


def main(argv):
    if not FLAGS.model:
        raise ConfigError("--model is missing: a .tflite file or the export folder that holds it.")
    if not argv[1:]:
        raise ConfigError("no recordings: name the files after the flags, such as: --model export/features clip.wav")
    model = load_model(FLAGS.model, interpreter=FLAGS.interpreter, kernels=FLAGS.kernels, num_threads=FLAGS.threads)
    failed = False
    for path in argv[1:]:
        line = describe(model, path)
        failed |= "error" in line
        print(screen.printable(json.dumps(line, ensure_ascii=False)), flush=True)
    return int(failed)


if __name__ == "__main__":
    run(main, define)
