"""What can be wrong with a scanned and decoded data set beyond single files, and the one error that lists all of it."""

import collections
import os

from absl import logging

from kws_tf.config import SPLITS
from kws_tf.counted import counted
from kws_tf.dataset.scan import subfolders
from kws_tf.errors import DatasetError

LAYOUT = "training/<class>/, validation/<class>/ and, optionally, testing/<class>/"


def check_root(root):
    """Refuses a data root that is no folder of splits.

    Raises:
        DatasetError: with what was found there instead.
    """
    if not root:
        raise DatasetError(f"No data set is named. Set --data_root to a folder with {LAYOUT}.")
    check_folder("data_root", root)
    found = subfolders(root)
    if not set(found) & set(SPLITS):
        listed = ", ".join(found[:12]) + (", …" if len(found) > 12 else "") or "no folders"
        archive = os.path.exists(os.path.join(root, "validation_list.txt"))
        hint = " This looks like an unpacked Speech Commands archive: lay it out with tools/speech_commands.py." if archive else ""
        raise DatasetError(f"--data_root={root}: expected {LAYOUT}; found {listed}.{hint}")


def check_folder(flag, folder):
    """Raises DatasetError, naming the flag, if a folder does not exist."""
    if not os.path.isdir(folder):
        raise DatasetError(f"--{flag}={folder}: " + ("this is not a folder." if os.path.exists(folder) else "there is no such folder."))


def find_copies(entries):
    """Clips that sound the same as a clip of a later split.

    Of two splits the later one keeps its clip, so that what a model is scored on stays as it was published.

    Args:
        entries: dict of split to CacheEntry.

    Returns:
        dict of path to the path of the clip that is kept, in the order of the paths.
    """
    kept, copies = {}, {}
    for split in reversed(SPLITS):
        here = {}
        for row in entries[split].rows if split in entries else ():
            if row.sound in kept:
                copies[row.path] = kept[row.sound]
            elif row.sound:
                here.setdefault(row.sound, row.path)
        kept.update(here)
    return dict(sorted(copies.items()))


def find_contradictions(rows, split):
    """Pairs of paths in one split that sound the same and carry different labels.

    Args:
        rows: list of ClipRow. split: the Split made of them.
    """
    sounds = {row.path: row.sound for row in rows}
    first, pairs = {}, []
    for path, label in zip(split.paths, split.labels.tolist(), strict=True):
        if sounds[path]:
            other, known = first.setdefault(sounds[path], (path, label))
            if known != label:
                pairs.append((other, path))
    return pairs


def emptied_classes(split, classes, labels, usable_labels):
    """One line for each class of a split that has files, of which none can be used."""
    left = set(usable_labels)
    return [f"{split}/{classes[label]}: none of its {counted(n, 'clip')} can be used."
            for label, n in sorted(collections.Counter(labels).items()) if label not in left]


def refuse(flag, folder, layout, unusable, allow_bad_files):
    """Raises one DatasetError that lists every problem, or logs the files that are left out.

    Args:
        flag, folder: where the data came from, for the message.
        layout: lines about the layout, which no flag forgives.
        unusable: lines about single files. allow_bad_files: go on without these.

    Raises:
        DatasetError: there is a problem that is not forgiven.
    """
    if layout or (unusable and not allow_bad_files):
        kinds = ((layout, "layout problem"), (unusable, "unusable file"))
        found = " and ".join(counted(len(lines), noun) for lines, noun in kinds if lines)
        advice = (" Every split needs clips of every class of training, and of no other." if layout
                  else " Mend or remove them, or use --allow_bad_files to go on without.")
        raise DatasetError(f"--{flag}={folder}: {found}.{advice}", [*layout, *unusable])
    if unusable:
        logging.warning("--allow_bad_files: going on without %s:\n  %s", counted(len(unusable), "unusable file"), "\n  ".join(unusable))
