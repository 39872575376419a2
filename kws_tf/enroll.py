"""Adds a class to an exported ArcFace model from a few clips, without training.

    python -m kws_tf.enroll --model runs/NAME/export/pi --clips clips/jarvis --label jarvis --output export/with_jarvis
    python -m kws_tf.enroll --model export/with_jarvis --clips more/jarvis --label jarvis --replace --output export/with_jarvis

The file itself computes the embedding of every clip; their mean direction becomes the prototype of the class. All other prototypes and
weights keep their bytes. Any exported clip file will do: integer or float32, from PCM or from features. Ten clips by several people, as
the word will be said, are a good start; more and more varied ones are better. Check the result on other clips: kws_tf.evaluate.
Needs the extra `train` (the file is taken apart with TensorFlow's schema): pip install 'kws_tf[train]'.
"""

import os

import numpy as np
from absl import flags, logging

from kws_tf import audio
from kws_tf.counted import counted
from kws_tf.errors import ConfigError, DatasetError, ModelFileError
from kws_tf.flags import define_interpreter, refuse_arguments, run

FLAGS = flags.FLAGS
QUIETEST_DBFS = -60.0
LOW_COSINE = 0.5


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "enroll"}
    flags.DEFINE_string("model", "", "Exported ArcFace clip model: a .tflite file or the folder that holds it.", **place)
    flags.DEFINE_string("clips", "", "Folder of recordings of the class; folders in it are searched too.", **place)
    flags.DEFINE_string("label", "", "Name of the class.", **place)
    flags.DEFINE_string("output", "", "Export folder to make or replace.", **place)
    flags.DEFINE_boolean("replace", False, "Give a class that the model has another prototype.", **place)
    flags.DEFINE_string("vela", "", "Model of profile ethos-u: path of vela; empty for the one beside this Python or on the PATH.", **place)
    define_interpreter(**place)


def read_clips(folder, sample_rate):
    """The recordings of a folder.

    Args:
        folder: searched with the folders in it. sample_rate: Hz.

    Returns:
        (paths relative to the folder, list of int16 [samples]).

    Raises:
        DatasetError: no folder, no clip, or files that cannot be used: all are listed.
    """
    from kws_tf.dataset.scan import Scan

    if not os.path.isdir(folder):
        raise DatasetError(f"--clips={folder}: there is no such folder.")
    scan = Scan(folder)
    if not scan.files and not scan.problems:
        raise DatasetError(f"--clips={folder}: no clips in this folder.")
    clips, problems = [], list(scan.problems)
    for file in scan.files:
        try:
            clips.append(audio.read_pcm(os.path.join(folder, file.path), sample_rate))
        except audio.AudioError as error:
            problems.append(str(error))
    if problems:
        raise DatasetError(f"--clips={folder}: {counted(len(problems), 'file')} cannot be used. Remove or repair them.", problems)
    return [file.path for file in scan.files], clips


def require_sound(paths, windows):
    """Refuses clips in which there is almost nothing to hear.

    Args:
        paths: of the clips. windows: int16 [samples] each, what the network sees of them.

    Raises:
        DatasetError: lists the clips whose level is below QUIETEST_DBFS.
    """
    levels = [10 * np.log10(np.mean(np.square(window / 32768.0)) + 1e-12) for window in windows]
    problems = [f"{path}: {level:.0f} dB of full scale" for path, level in zip(paths, levels, strict=True) if level < QUIETEST_DBFS]
    if problems:
        raise DatasetError(f"almost no sound (below {QUIETEST_DBFS:.0f} dB) in {len(problems)} of {counted(len(paths), 'clip')}. "
                           "Record them again, or leave them away.", problems)


def agreement(embeddings, others):
    """How well the clips of a class agree.

    Args:
        embeddings: [clips, embedding], each of length 1. others: prototypes of the other classes [classes, embedding].

    Returns:
        prototype: [embedding], the mean direction, of length 1.
        with_rest: [clips], cosine of each clip with the mean direction of the rest of them; NaN for a single clip.
        with_others: [clips, classes], cosines with the other prototypes.
    """
    from kws_tf.tflite.prototypes import unit

    total = embeddings.sum(axis=0)
    with_rest = np.array([float(row @ unit(total - row)) if len(embeddings) > 1 else np.nan for row in embeddings])
    return unit(total), with_rest, embeddings @ np.transpose(others)


def warn(paths, with_rest, with_others, names):
    """Logs clips that disagree with the rest, or are closer to another class, with their figures.

    Args:
        paths, with_rest, with_others: see agreement. names: of the other classes.
    """
    if len(paths) == 1:
        logging.warning("one clip alone: whether it is typical of the class cannot be told. Give several, by several people.")
    for path, own, cosines in zip(paths, with_rest, with_others, strict=True):
        nearest = int(np.argmax(cosines))
        if own < LOW_COSINE:
            logging.warning("%s: disagrees with the other clips, cosine %.2f with their mean. Listen to it.", path, own)
        if own < cosines[nearest]:
            logging.warning("%s: closer to class %s (cosine %.2f) than to the other clips (%.2f).", path, names[nearest],
                            cosines[nearest], own)


def main(argv):
    refuse_arguments(argv)
    for name in ("model", "clips", "label", "output"):
        if not getattr(FLAGS, name):
            raise ConfigError(f"--{name} is missing; see --help.")
    label = FLAGS.label
    from kws_tf.dataset.class_list import name_problem
    from kws_tf.runtime import model_file

    if name_problem(label):
        raise ConfigError(f"--label={label!r}: {name_problem(label)}.")

    manifest, content = model_file.read(FLAGS.model)
    if label in manifest.labels and not FLAGS.replace:
        raise ConfigError(f"--label={label}: the model has this class already. Add --replace to give it another prototype, or choose "
                          "another name.")
    if FLAGS.replace and label not in manifest.labels:
        raise ConfigError(f"--replace: the model has no class {label}; its classes are {', '.join(manifest.labels)}. Check --label, or "
                          "leave --replace away to add it.")
    paths, clips = read_clips(FLAGS.clips, manifest.sample_rate)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from kws_tf.tflite import enrolment
    from kws_tf.tflite.prototypes import Embedder, prototypes

    try:
        embedder = Embedder(manifest, content, interpreter=FLAGS.interpreter, kernels=FLAGS.kernels)
    except ModelFileError as error:
        raise ModelFileError(f"{FLAGS.model}: {error}") from error
    windows = [embedder.fit(pcm)[0] for pcm in clips]
    require_sound(paths, windows)
    embeddings = np.stack([embedder(window) for window in windows])
    names = [name for name in manifest.labels if name != label]
    others = prototypes(content)[[name != label for name in manifest.labels]]
    prototype, with_rest, with_others = agreement(embeddings, others)
    warn(paths, with_rest, with_others, names)
    path = enrolment.write(FLAGS.output, manifest, content, label, prototype, embeddings, FLAGS.vela)
    cosines, nearest = embeddings @ prototype, int(np.argmax(others @ prototype))
    print(f"class {label} from {counted(len(paths), 'clip')}: cosine with the prototype {cosines.mean():.2f} on average, "
          f"{cosines.min():.2f} at least; nearest other class {names[nearest]} at {others[nearest] @ prototype:.2f}")
    if (with_others.max(axis=1) > cosines).any():
        print(f"{int((with_others.max(axis=1) > cosines).sum())} of these clips would still be taken for another class")
    print(f"written: {path}")


if __name__ == "__main__":
    run(main, define, extra="train")
