"""Trains a keyword spotter from a folder of clips, exports it and scores the exported files.

    python -m kws_tf.train --flagfile flags/pi.cfg --data_root DIR
    python -m kws_tf.train --data_root DIR --n_mels 80 --clip_duration=1.4 --lr=0.002 --epochs=100 --patience=7 --tau=2
    python -m kws_tf.train --resume --run_dir runs/NAME

DIR holds training/<class>/**, validation/<class>/** and, if there is one, testing/<class>/**. Everything that a run makes is in
its run folder: config.json labels.txt history.csv curves.png best.weights.h5 checkpoints/ export/. A killed run loses at most
the epoch at work; --resume continues it exactly.
"""

import os
import pathlib

from absl import flags, logging

from kws_tf.errors import ConfigError
from kws_tf.flags import define_config, run, run_config

FLAGS = flags.FLAGS


def define(flag_values=FLAGS):
    """Defines the flags of the configuration and of this program."""
    place = {"flag_values": flag_values, "module_name": "run"}
    flags.DEFINE_string("run_dir", "", "Run folder; empty for runs/<dataset>-<network>-<features>-seed<seed>.", **place)
    flags.DEFINE_boolean("resume", False, "Continue the run in the run folder where its last checkpoint ends. Its configuration is kept; "
                         "flags may repeat it and must not contradict it.", **place)
    flags.DEFINE_boolean("overwrite", False, "Replace what a previous run made in the run folder.", **place)
    flags.DEFINE_boolean("export", True, "After training, export TFLite files and score them on the testing split.", **place)
    flags.DEFINE_boolean("tensorboard", False, "Also write TensorBoard summaries into the run folder (needs TensorFlow).", **place)
    flags.DEFINE_integer("threads", 0, "Threads of the computation; 0 for all cores. With 1, equal seeds give equal weights.",
                         lower_bound=0, **place)
    define_config(flag_values)


def _configuration():
    """(RunConfig, RunFolder) of a new run or of the run to continue, by the flags."""
    from kws_tf.training import run_folder

    if FLAGS.resume and FLAGS.overwrite:
        raise ConfigError("--resume and --overwrite contradict each other; give one of them.")
    config = run_config()
    if not config.data.data_root and not (FLAGS.resume and FLAGS.run_dir):
        raise ConfigError("--data_root is missing: the folder with training/<class>/** and validation/<class>/**.")
    folder = run_folder.RunFolder(FLAGS.run_dir or pathlib.Path("runs") / run_folder.default_name(config))
    if not FLAGS.resume:
        folder.require_free(FLAGS.overwrite)
        return config, folder
    stored = folder.config()
    config = run_config(base=stored)
    run_folder.require_same_run(stored, config)
    return config, folder


def main(argv):
    if argv[1:]:
        raise ConfigError(f"unexpected argument {argv[1]!r}; every setting is a flag, see --help.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if FLAGS.threads:
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            os.environ[name] = str(FLAGS.threads)
    config, folder = _configuration()
    # Keras and TensorFlow take seconds to import: after the settings are known to be good.
    from kws_tf.training import session, tensorboard

    on_epoch = tensorboard.TensorBoardWriter(folder.tensorboard_dir) if FLAGS.tensorboard else None
    try:
        session.train(config, folder, resume=FLAGS.resume, overwrite=FLAGS.overwrite, on_epoch=on_epoch)
    except KeyboardInterrupt:
        logging.info("stopped by hand; continue with: python -m kws_tf.train --resume --run_dir %s", folder.path)
        raise


if __name__ == "__main__":
    run(main, define)
