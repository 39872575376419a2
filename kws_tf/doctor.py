"""Examines a data set in folders and says what is wrong with it.

    python -m kws_tf.doctor DIR
    python -m kws_tf.doctor DIR --html report.html --speaker_pattern "^(\\w+?)_"

DIR holds training|validation|testing/<class>/**, or <class>/** alone. Looked for are: files that cannot be read; splits and classes that
training needs; the same sound in two splits or under two labels; speakers in two splits; nearly equal clips; mixed formats; clipping;
constant offset; silence; very quiet and very short clips; words cut off at the edge; missing, scarce and lopsided classes; labels that a
small cross-validated model does not believe. The HTML page shows durations, levels, positions, and the worst clips to see and hear.
Nothing is changed.

Exit status 1 if there is an error, that is, something that makes figures measured on the set wrong or training impossible.
"""

import pathlib

from absl import flags

from kws_tf import atomic_file, screen, worker_pool
from kws_tf.errors import ConfigError
from kws_tf.flags import run

FLAGS = flags.FLAGS


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "doctor"}
    flags.DEFINE_string("html", "", "File of the HTML page; empty for none.", **place)
    flags.DEFINE_string("speaker_pattern", "", "Regular expression that finds the speaker in the path below the class (its first group); "
                        "empty for <speaker>_nohash_* and for a folder per speaker.", **place)
    flags.DEFINE_string("silence_label", "_silence_", "Class whose clips may be silent.", **place)
    flags.DEFINE_integer("lines", 5, "Findings printed per check.", lower_bound=1, **place)
    flags.DEFINE_integer("workers", 0, "Processes; 0 for one per processor.", lower_bound=0, **place)


def main(argv):
    if len(argv) != 2:
        raise ConfigError(f"expected one folder, the data set, after the flags; received {len(argv) - 1}.")
    if FLAGS.html and not pathlib.Path(FLAGS.html).absolute().parent.is_dir():
        raise ConfigError(f"--html={FLAGS.html}: the folder of this file does not exist.")
    from kws_tf.curation import diagnosis, doctor_report

    found = diagnosis.diagnose(argv[1], speaker_pattern=FLAGS.speaker_pattern, silence_label=FLAGS.silence_label,
                               n_workers=FLAGS.workers or worker_pool.processors())
    print(screen.printable(doctor_report.text_report(found, FLAGS.lines)))
    if FLAGS.html:
        atomic_file.write_text(FLAGS.html, screen.printable(doctor_report.html_report(found)))
        print(f"page: {FLAGS.html}")
    return int(found.n_errors > 0)


if __name__ == "__main__":
    run(main, define)
