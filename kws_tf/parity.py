"""Runs one exported file in every TFLite interpreter that is installed and says how far their integers are apart.

    python -m kws_tf.parity export/pi --clips DIR
    python -m kws_tf.parity export/pi --clips DIR --n_clips 500 --json
    python -m kws_tf.parity export/tflm_stream --clips DIR

What is promised, and makes the exit status 1 where it is broken:
    front end    equal to the numpy twin in every interpreter, with every choice of kernels
    logits       equal in TFLite Micro and the reference kernels of tflite-runtime and LiteRT; the best class the same everywhere;
                 optimised kernels within --optimised_steps
A streaming file plays every recording hop by hop and compares the logits of every frame; the best class of a frame is promised where
the integers are equal.

Optimised int8 kernels round their rescaling otherwise than the reference (LiteRT's ADD and SUB by one step, for example), and a deep
network can hand such steps on. BC-ResNet-1 is 1 step away, with the same best class on every clip; a network that is further away is no
error of the file: set --optimised_steps.
"""

import dataclasses
import json
import os

import numpy as np
from absl import flags

from kws_tf import screen
from kws_tf.counted import counted
from kws_tf.errors import ConfigError
from kws_tf.flags import run

FLAGS = flags.FLAGS


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "parity"}
    flags.DEFINE_string("clips", "", "Folder of recordings, searched in all its folders.", **place)
    flags.DEFINE_integer("n_clips", 50, "Recordings to run, drawn with --seed; 0 for all.", lower_bound=0, **place)
    flags.DEFINE_integer("seed", 1, "Of the draw.", lower_bound=0, **place)
    flags.DEFINE_integer("optimised_steps", 1, "Steps (LSB) by which the logits of optimised integer kernels may differ.", lower_bound=0,
                         **place)
    flags.DEFINE_boolean("json", False, "Print one JSON object instead of a table.", **place)


def load_recordings(folder, manifest, n_clips, seed):
    """Recordings of a folder: list of int16 [samples]; cut to the clip of the model as its evaluation cuts them, or whole for a stream.

    Raises:
        DatasetError: there are none, or files that are no audio. AudioError: one cannot be read.
    """
    from kws_tf import audio
    from kws_tf.crop import fit_clip
    from kws_tf.evaluation.score_track import find_recordings

    paths = find_recordings(folder)
    order = np.random.default_rng(seed).permutation(len(paths))[:n_clips or None]
    recordings = [audio.read_pcm(paths[i], manifest.sample_rate) for i in order]
    return recordings if manifest.kind == "streaming" else [fit_clip(pcm, manifest.clip_samples, manifest.crop)[0] for pcm in recordings]


def print_report(path, found):
    """Prints the outcome as a table."""
    from rich.table import Table

    console = screen.console()
    table = Table(title=f"{path}: {counted(found.clips, 'clip')}", title_justify="left")
    for header in ("tensors", "interpreter", "kernels", "compared with", "largest difference", "best class changed", "promise"):
        table.add_column(header, justify="right" if header in ("largest difference", "best class changed") else "left")
    for row in found.differences:
        table.add_row(row.group, row.runtime, row.kernels, row.reference, f"{row.steps:g}", str(row.argmax_changes),
                      "kept" if row.kept else f"BROKEN (at most {row.allowed:g})")
    console.print(table)
    for name, reason in found.absent.items():
        console.print(f"absent: {name}: {reason}")


def main(argv):
    if len(argv) != 2:
        raise ConfigError(f"one model is expected: a .tflite file or its export folder; received {len(argv) - 1} arguments.")
    if not FLAGS.clips:
        raise ConfigError("--clips is missing: a folder of recordings.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from kws_tf.runtime import model_file

    manifest, content = model_file.read(argv[1])
    recordings = load_recordings(FLAGS.clips, manifest, FLAGS.n_clips, FLAGS.seed)
    from kws_tf.tflite import parity, stream_parity

    if manifest.kind == "streaming":
        found = stream_parity.compare_stream(argv[1], manifest, content, recordings, optimised_steps=FLAGS.optimised_steps)
    else:
        found = parity.compare(manifest, content, np.stack(recordings), optimised_steps=FLAGS.optimised_steps)
    if FLAGS.json:
        rows = [{**dataclasses.asdict(row), **{name: getattr(row, name) if np.isfinite(getattr(row, name)) else None
                                               for name in ("allowed", "allowed_changes")}, "kept": row.kept} for row in found.differences]
        print(json.dumps({"file": argv[1], "model_id": manifest.model_id, "clips": found.clips, "kept": found.kept, "differences": rows,
                          "absent": found.absent}, indent=2))
    else:
        print_report(argv[1], found)
    return int(not found.kept)


if __name__ == "__main__":
    run(main, define, extra="train")
