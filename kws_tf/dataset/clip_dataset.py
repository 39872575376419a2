"""A folder data set, loaded: its classes, its splits in memory-mapped form, and one list of all that is wrong with it."""

import collections
import os

from absl import logging

from kws_tf.config import SPLITS
from kws_tf.counted import counted
from kws_tf.dataset import decode
from kws_tf.dataset.checks import check_root, emptied_classes, find_contradictions, find_copies, refuse
from kws_tf.dataset.class_list import find_classes
from kws_tf.dataset.clip_cache import ClipCache
from kws_tf.dataset.scan import SplitScan
from kws_tf.dataset.split import Split


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

    def __init__(self, classes, splits, backend, *, n_bad_files=0, missing_splits=(), missing_classes=None):
        self.classes = tuple(classes)
        self.splits = dict(splits)
        self.backend = backend
        self.n_bad_files = n_bad_files
        self.missing_splits = tuple(missing_splits)
        self.missing_classes = dict(missing_classes or {})


def load(data, sample_rate, splits=SPLITS, *, classes=None, progress=True):
    """Loads <data_root>/training|validation|testing/<class>/**: scans, decodes into the cache or reuses it, checks everything.

    Classes are the folders of training (in the order of data.index) and hold for every split; testing is optional. The clips of two
    splits must differ in sound, else the later split keeps its clip and the other is an unusable file. Clips of constant value (digital
    silence) may repeat.

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
    root = data.data_root
    check_root(root)
    given, layout = classes is not None, []
    if not given:
        classes, layout = find_classes(root, data.index)
    scans, missing_splits = {}, []
    for name in splits:
        if os.path.isdir(os.path.join(root, name)):
            if classes:
                scans[name] = SplitScan(root, name, classes, may_lack_classes=given)
                layout += scans[name].layout
        elif name == "testing" and not given:
            missing_splits.append(name)
            logging.warning("There is no split 'testing' in %s: nothing will be measured on it.", root)
        elif name != "training" or given:  # without it find_classes has said so
            layout.append(f"{name}: the folder of this split is missing; expected {os.path.join(root, name)}/<class>/<clip>.")
    decoder = decode.choose(data.audio_backend)
    entries, unusable = {}, []
    for name, scan in scans.items():
        cache = ClipCache(root, f"{os.path.basename(os.path.realpath(root))} {name}", sample_rate=sample_rate, decoder=decoder,
                          cache_dir=data.cache_dir, progress=progress)
        entries[name], unreadable = cache.open(scan.files)
        unusable += scan.problems + unreadable + entries[name].problems
    copies = find_copies(entries)
    unusable += [f"{path}: the same sound as {other}; two splits must not share a clip." for path, other in copies.items()]
    loaded = {name: _usable_split(name, scan, entries[name], copies) for name, scan in scans.items()}
    for name, split in loaded.items():
        if data.allow_bad_files:
            layout += emptied_classes(name, classes, scans[name].labels, split.labels.tolist())
    refuse("data_root", root, layout, unusable, data.allow_bad_files)
    for name, split in loaded.items():
        _log_split(split, scans[name], entries[name], data, sample_rate)
    missing_classes = {name: tuple(scan.missing_classes) for name, scan in scans.items() if scan.missing_classes}
    for name, absent in missing_classes.items():
        logging.warning("%s holds no clips of %d of %d classes: %s.", name, len(absent), len(classes), ", ".join(absent))
    return ClipDataset(classes, loaded, decoder.name, n_bad_files=len(unusable), missing_splits=missing_splits,
                       missing_classes=missing_classes)


def _usable_split(name, scan, entry, copies):
    """The clips without a problem. A path that could not be opened has no row in the cache."""
    label_of = dict(zip((file.path for file in scan.files), scan.labels, strict=True))
    usable = [i for i, row in enumerate(entry.rows) if not row.problem and row.path not in copies]
    rows = [entry.rows[i] for i in usable]
    return Split(name, pcm=entry.pcm, starts=entry.starts[usable], lengths=[row.n_samples for row in rows],
                 labels=[label_of[row.path] for row in rows], paths=[row.path for row in rows])


def _log_split(split, scan, entry, data, sample_rate):
    """What was converted, ignored, cut or padded: one line each."""
    if scan.ignored:
        suffixes = ", ".join(f"{n} {suffix}" for suffix, n in sorted(scan.ignored.items()))
        logging.info("%s: not audio and ignored: %s.", split.name, suffixes)
    sources = collections.Counter(row.source for row in entry.rows if row.source)
    if sources:
        logging.info("%s: converted to %d Hz, 1 channel: %s.", split.name, sample_rate,
                     "; ".join(f"{counted(n, 'clip')} of {source}" for source, n in sources.most_common()))
    pairs = find_contradictions(entry.rows, split)
    if pairs:
        logging.warning("%s: %s of the same sound in two classes; the first: %s and %s.", split.name, counted(len(pairs), "pair"),
                        *pairs[0])
    seconds, clip_samples = split.lengths / sample_rate, round(data.clip_duration * sample_rate)
    crop = data.train_crop if split.name == "training" else data.eval_crop
    logging.info("%s: %s of %.3f to %.3f s; %d longer than --clip_duration=%g s (cut: %s), %d shorter (padded with zeros).",
                 split.name, counted(split.n_clips, "clip"), seconds.min(), seconds.max(), (split.lengths > clip_samples).sum(),
                 data.clip_duration, crop, (split.lengths < clip_samples).sum())
