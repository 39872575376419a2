"""Finds what a model wrongly takes for a keyword in recordings without any, and cuts it into clips for the next training.

    python -m kws_tf.mine --model runs/NAME/export/pi_stream --audio DIR --output DATASET/training

Writes <output>/<label>/*.wav, as long as the clips of the training, and <output>/mined_<model>.csv with the recording, place, keyword
and score of each. Listen to the first of them: what scores highest is sometimes a keyword that nobody noticed. Mine recordings for
training only; false accepts are counted on others.
"""

from absl import flags

from kws_tf.counted import counted
from kws_tf.errors import ConfigError
from kws_tf.flags import define_interpreter, refuse_arguments, run

FLAGS = flags.FLAGS
SHOWN = 5


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "mine"}
    flags.DEFINE_string("model", "", "Streaming model: a .tflite file or the folder that holds it.", **place)
    flags.DEFINE_string("audio", "", "Folder or file of recordings without the keywords.", **place)
    flags.DEFINE_string("output", "", "Folder of the clips, such as <data set>/training.", **place)
    flags.DEFINE_string("label", "", "Class of the clips; empty for _unknown_, or the only label that is named like it.", **place)
    flags.DEFINE_float("threshold", 0.5, "Mean score, 0 to 1, from which on a piece of audio is cut.", lower_bound=0, upper_bound=1,
                       **place)
    flags.DEFINE_integer("limit", 1000, "At most so many clips, those with the highest scores.", lower_bound=1, **place)
    flags.DEFINE_list("keywords", [], "Labels that count; by default those of the presets, or all but those such as _unknown_.", **place)
    define_interpreter(**place)
    flags.DEFINE_integer("workers", 0, "Processes that listen side by side; 0 for one per processor.", lower_bound=0, **place)


def main(argv):
    refuse_arguments(argv)
    for name, text in (("model", "a streaming .tflite file or its export folder"), ("audio", "recordings without the keywords"),
                       ("output", "the folder of the clips, such as <data set>/training")):
        if not getattr(FLAGS, name):
            raise ConfigError(f"--{name} is missing: {text}.")
    from kws_tf.evaluation import mining

    found = mining.mine(FLAGS.model, FLAGS.audio, FLAGS.output, threshold=FLAGS.threshold, label=FLAGS.label, limit=FLAGS.limit,
                        keywords=FLAGS.keywords, workers=FLAGS.workers or None, interpreter=FLAGS.interpreter, kernels=FLAGS.kernels)
    for row in found.rows[:SHOWN]:
        print(f"{row['score']:.2f}  {row['keyword']}  {row['file']}")
    left_out = f"; {found.n_events - len(found.rows)} more were left out by --limit" if found.n_events > len(found.rows) else ""
    known = f"; {found.n_known} of them were there already" if found.n_known else ""
    print(f"written: {found.csv_file}: {counted(len(found.rows), 'clip')} from {found.hours:.2f} hours{known}{left_out}")


if __name__ == "__main__":
    run(main, define, extra="train")
