"""A folder data set, loaded: its classes, its splits in memory-mapped form, and one list of all that is wrong with it."""

import collections
import os

import numpy as np
from absl import logging

from kws_tf.dataset import decode
from kws_tf.dataset.class_list import find_classes
from kws_tf.dataset.clip_cache import ClipCache
from kws_tf.dataset.scan import SplitScan, subfolders
from kws_tf.dataset.split import Split
from kws_tf.errors import DatasetError

SPLITS = ("training", "validation", "testing")


class ClipDataset:
    """The loaded splits of a folder data set.

    Args:
        classes: tuple of str; a label is an index into it, the same in every split.
        splits: dict of name to Split.
        backend: "tensorflow_io" or "soundfile", which decoded the clips.
        n_bad_files: files left out by --allow_bad_files.
        missing_splits: names of asked splits that do not exist ("testing" alone may be among them).
        missing_classes: dict of split to the classes it has no clip of; only filled when the caller brings the classes.
    """

    def __init__(self, classes, splits, backend, n_bad_files=0, missing_splits=(), missing_classes=None):
        self.classes = tuple(classes)
        self.splits = dict(splits)
        self.backend = backend
        self.n_bad_files = n_bad_files
        self.missing_splits = tuple(missing_splits)
        self.missing_classes = dict(missing_classes or {})


def load(data, sample_rate, splits=SPLITS, *, classes=None, progress=True):
    """Loads <data_root>/training|validation|testing/<class>/**: scans, decodes into the cache or reuses it, checks everything.

    Classes are the folders of training (in the order of data.index) and hold for every split; testing is optional. The clips of two
    splits must differ in sound: with allow_bad_files the copy in training (or, between the other two, in validation) is left out, so that
    the sets for scoring stay as they were published. Clips of constant value (digital silence) may repeat.

    Args:
        data: DataConfig.
        sample_rate: Hz of the model.
        splits: names of the splits wanted.
        classes: class names in order, for scoring a finished model: training is not looked at, and a class without clips is logged and
            listed in `missing_classes` instead of refused. None to take the classes from training.
        progress: show progress bars.

    Returns:
        ClipDataset.

    Raises:
        DatasetError: lists every problem. Only the unusable files among them are forgiven by data.allow_bad_files.
        ConfigError: data.audio_backend does not work here.

    Example:
        >>> dataset = load(DataConfig(data_root="clips"), 16000)
        >>> pcm, labels, indices = next(dataset.splits["training"].batches(100, 16000, "random", shuffle=True))
    """
    _check_root(data.data_root)
    structural = []
    given = classes is not None
    if not given:
        classes, structural = find_classes(data.data_root, data.index)
    missing_splits, scans = [], {}
    for name in splits if classes else ():
        if os.path.isdir(os.path.join(data.data_root, name)):
            scans[name] = SplitScan(data.data_root, name, classes, may_lack_classes=given)
            structural += scans[name].structural
        elif name == "testing" and not given:
            missing_splits.append(name)
            logging.warning("There is no split 'testing' in %s: nothing will be measured on it.", data.data_root)
        else:
            structural.append(f"{name}: the folder of this split is missing; expected {os.path.join(data.data_root, name)}/<class>/<clip>.")
    decoder = decode.choose(data.audio_backend)
    entries, bad = {}, []
    for name, scan in scans.items():
        cache = ClipCache(data.data_root, f"{os.path.basename(os.path.realpath(data.data_root))} {name}", sample_rate=sample_rate, decoder=decoder,
                          cache_dir=data.cache_dir, progress=progress)
        entries[name], unreadable = cache.open(scan.files)
        bad += scan.problems + [f"{path}: {reason}" for path, reason in unreadable.items()]
        bad += [f"{row.path}: {row.problem}" for row in entries[name].rows if row.problem]
    copies = _copies(entries)
    bad += [f"{path}: the same sound as {other}; splits must not share clips." for path, other in copies.items()]
    usable = {name: _usable_rows(entry, copies) for name, entry in entries.items()}
    if data.allow_bad_files:
        structural += _emptied_classes(scans, entries, usable, classes)
    _refuse(data, structural, bad)
    loaded = {name: _split(name, scans[name], entries[name], usable[name]) for name in scans}
    for name, split in loaded.items():
        _log_split(split, scans[name], entries[name], data, sample_rate)
    missing_classes = {name: tuple(scan.missing_classes) for name, scan in scans.items() if scan.missing_classes}
    for name, absent in missing_classes.items():
        logging.warning("%s holds no clips of %d of %d classes: %s.", name, len(absent), len(classes), ", ".join(absent))
    return ClipDataset(classes, loaded, decoder.name, len(bad), missing_splits, missing_classes)


def _check_root(root):
    if not root:
        raise DatasetError("No data set is named. Set --data_root to a folder with training/<class>/, validation/<class>/ and, optionally, testing/<class>/.")
    if not os.path.isdir(root):
        raise DatasetError(f"--data_root={root}: " + ("this is not a folder." if os.path.exists(root) else "there is no such folder."))
    found = subfolders(root)
    if not set(found) & set(SPLITS):
        raise DatasetError(f"--data_root={root}: expected the folders training/<class>/, validation/<class>/ and, optionally, testing/<class>/; found "
                           + (", ".join(found[:12]) + (", …" if len(found) > 12 else "") if found else "no folders") + "."
                           + (" This looks like an unpacked Speech Commands archive: lay it out with tools/speech_commands.py."
                              if os.path.exists(os.path.join(root, "validation_list.txt")) else ""))


def _copies(entries):
    """Path of every clip that sounds the same as one of a later split, to the path of that one."""
    seen, copies = {}, {}
    for name in reversed([name for name in SPLITS if name in entries]):
        here = {}
        for row in entries[name].rows:
            if row.sound in seen:
                copies[row.path] = seen[row.sound]
            elif row.sound:
                here.setdefault(row.sound, row.path)
        seen.update(here)
    return dict(sorted(copies.items()))


def _usable_rows(entry, copies):
    return [i for i, row in enumerate(entry.rows) if not row.problem and row.path not in copies]


def _label_of(scan):
    return dict(zip((file.path for file in scan.files), scan.labels, strict=True))


def _emptied_classes(scans, entries, usable, classes):
    """Classes that have files, but none that can be used."""
    problems = []
    for name, scan in scans.items():
        labels = _label_of(scan)
        left = {labels[entries[name].rows[i].path] for i in usable[name]}
        problems += [f"{name}/{classes[label]}: none of its {n} clips can be used."
                     for label, n in sorted(collections.Counter(scan.labels).items()) if label not in left]
    return problems


def _refuse(data, structural, bad):
    """Raises one DatasetError that lists everything, or logs the files that are left out."""
    if structural or (bad and not data.allow_bad_files):
        counts = " and ".join(f"{len(lines)} {what}{'s' if len(lines) > 1 else ''}" for lines, what in
                              ((structural, "problem of layout"), (bad, "unusable file")) if lines).replace("problem of layouts", "problems of layout")
        advice = "Use --allow_bad_files to go on without the unusable files." if bad and not structural else "Mend the layout first."
        raise DatasetError(f"--data_root={data.data_root}: {counts}. {advice}", structural + bad)
    if bad:
        logging.warning("--allow_bad_files: going on without %d unusable file%s:\n  %s", len(bad), "s" if len(bad) > 1 else "", "\n  ".join(bad))


def _split(name, scan, entry, usable):
    labels = _label_of(scan)
    rows = [entry.rows[i] for i in usable]
    return Split(name, entry.pcm, entry.starts[usable], [row.n_samples for row in rows], [labels[row.path] for row in rows],
                 [row.path for row in rows])


def _log_split(split, scan, entry, data, sample_rate):
    """What was converted, left out, cut or padded: one line each."""
    if scan.ignored:
        logging.info("%s: %d files that are not audio are ignored: %s.", split.name, scan.ignored.total(),
                     ", ".join(f"{n} {suffix}" for suffix, n in sorted(scan.ignored.items())))
    sources = collections.Counter(row.source for row in entry.rows if row.source)
    if sources:
        logging.info("%s: converted to %d Hz, 1 channel: %s.", split.name, sample_rate,
                     "; ".join(f"{n} clips of {source}" for source, n in sources.most_common()))
    clip_samples = round(data.clip_duration * sample_rate)
    crop = data.train_crop if split.name == "training" else data.eval_crop
    n_longer, n_shorter = int(np.sum(split.lengths > clip_samples)), int(np.sum(split.lengths < clip_samples))
    logging.info("%s: %d clips, %.3f to %.3f s; %d longer than --clip_duration=%g s (cut: %s), %d shorter (padded with zeros).",
                 split.name, split.n_clips, split.lengths.min() / sample_rate, split.lengths.max() / sample_rate, n_longer, data.clip_duration,
                 crop, n_shorter)
