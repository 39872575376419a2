"""The clips of a folder data set with what their paths tell."""

import os

from absl import logging

from kws_tf.config import SPLITS
from kws_tf.dataset.class_list import name_problem
from kws_tf.dataset.scan import Scan, loose_clips, subfolders


def find(root, speaker_name):
    """Every clip of <split>/<class>/**, or of <class>/** in a folder without splits.

    Folders beside splits, such as noise/, are no classes; they are named in the log.

    Args:
        root: folder. speaker_name: function of a path below the folder of the class, such as a SpeakerName.

    Returns:
        List of (path, split, label, speaker) in the order of splits and classes, split "" where there is none; and lines about files
        that are no clip of a class.
    """
    present = subfolders(root)
    splits = [name for name in SPLITS if name in present]
    others = [name for name in present if name not in SPLITS] if splits else []
    if others:
        logging.info("%s: beside the splits, and left out: %s.", root, ", ".join(others))
    clips, problems = [], []
    for split in splits or [""]:
        problems += loose_clips(root, split)
        for label in subfolders(os.path.join(root, split)):
            folder = f"{split}/{label}" if split else label
            scan = Scan(root, folder)
            problems += scan.problems
            clips += [(file.path, split, label, speaker_name(file.path[len(folder) + 1:])) for file in scan.files]
    return clips, problems


def refused_folders(root, clips):
    """Lines about folders of splits and classes that training refuses: those without a clip, and names that no class can have.

    Args:
        root: folder; one without splits is not laid out for training yet, and its empty folders pass. clips: as `find` gives them.
    """
    filled = {(split, label) for _, split, label, _ in clips}
    splits = [name for name in SPLITS if name in subfolders(root)]
    lines = []
    for split in splits or [""]:
        labels = subfolders(os.path.join(root, split))
        place = f"{split}/" if split else ""
        lines += [f"{place}{label!r}: {problem}. Rename the folder." for label in labels if (problem := name_problem(label))]
        if splits:
            lines += [f"{place}{label}: no clips in this folder." for label in labels if (split, label) not in filled]
        if splits and not labels:
            lines.append(f"{split}: no class folder in it. Remove it, or fill it.")
    return lines
