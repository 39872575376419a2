"""The clips of a folder data set with what their paths tell."""

import os

from absl import logging

from kws_tf.config import SPLITS
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
