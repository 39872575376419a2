"""A user's own recordings as clips of a synthesised set: by class, and split by speaker."""

import collections
import dataclasses
import os
import re

import numpy as np
from absl import logging

from kws_tf import audio
from kws_tf.config import SPLITS
from kws_tf.counted import counted
from kws_tf.dataset.checks import check_folder
from kws_tf.dataset.scan import Scan, loose_clips, subfolders
from kws_tf.dataset.speaker_name import SpeakerName
from kws_tf.errors import AudioError, DatasetError
from kws_tf.synthesis.clip_plan import Clip
from kws_tf.synthesis.settings import SILENCE, UNKNOWN, label_of

_MOST_REPEATS = 20


def find(folder, settings, speaker_pattern=""):
    """Clips of kind "recording".

    A folder below `folder` that has the name of a class holds recordings of it; without any such folder, all are of the only phrase, and
    names that are nearly those of a class ("Hey Jarvis", "unknown") are refused.
    Who speaks is told by the path (`SpeakerName`); recordings whose paths do not tell are of one speaker.
    Speakers are dealt to the splits as those of the engine are; fewer than three are all for training, which is said.
    Few recordings of a phrase are repeated in training, 20 times at most, until they are `settings.recorded_share` of its synthetic
    clips: augmentation makes each another one in every epoch, and without it they would hardly be noticed.

    Args:
        folder: of recordings that soundfile reads, at any rate.
        settings: SynthesisConfig.
        speaker_pattern: see SpeakerName; it is searched for in the path below the class.

    Returns:
        List of Clip, sorted by file.

    Raises:
        DatasetError: the folder is missing, holds nothing usable, other classes, nearly a class or recordings of none, a recording cannot
            be read, or the pattern does not find a speaker everywhere.
        ConfigError: the pattern is no regular expression.
    """
    check_folder("recordings", folder)
    speaker_name = SpeakerName(speaker_pattern)
    found, problems = [], []
    for label, paths in _by_class(folder, settings, problems).items():
        for path in paths:
            speaker = speaker_name(path)
            if speaker_pattern and not speaker:
                problems.append(f"{label}/{path}: --speaker_pattern={speaker_pattern!r} finds no speaker")
            source = os.path.join(folder, label, path)
            source = source if os.path.exists(source) else os.path.join(folder, path)
            try:
                audio.read(source)  # now, and not when everything else is spoken
            except AudioError as error:
                problems.append(str(error))
            found.append((label, path, speaker, source))
    if problems or not found:
        what = f"{counted(len(problems), 'problem')}." if problems else "there is no recording."
        raise DatasetError(f"--recordings={folder}: {what}", problems)
    split_of = _deal(sorted({speaker for _, _, speaker, _ in found}), settings)
    clips = []
    for index, (label, path, speaker, source) in enumerate(sorted(found)):
        name = re.sub(r"[^\w-]+", "-", os.path.splitext(path)[0])[-60:]
        clips.append(Clip(file=f"{split_of[speaker]}/{label}/recording_{name}_{index:05d}.flac", label=label, kind="recording",
                          speaker=f"recorded {speaker}".strip(), source=os.path.abspath(source)))
    logging.info("%s: %s by %s.", folder, counted(len(clips), "recording"), counted(len(split_of), "speaker"))
    return _repeated(clips, settings)


def _repeated(clips, settings):
    numbers, result = collections.Counter(clip.label for clip in clips if clip.file.startswith(SPLITS[0])), []
    for clip in clips:
        times = 1
        if clip.label in settings.labels and clip.file.startswith(SPLITS[0]):
            times = int(np.clip(settings.recorded_share * settings.positives[0] // numbers[clip.label], 1, _MOST_REPEATS))
        name = clip.file.removesuffix(".flac")
        result += [clip, *(dataclasses.replace(clip, file=f"{name}_again{number:02d}.flac") for number in range(1, times))]
    return result


def _by_class(folder, settings, problems):
    """Class -> paths below its folder."""
    known = {*settings.labels, UNKNOWN, SILENCE}
    present = known & set(subfolders(folder))
    if not present and len(settings.labels) > 1:
        raise DatasetError(f"--recordings={folder}: expected a folder for each class that has recordings, of {', '.join(sorted(known))}; "
                           f"found {', '.join(subfolders(folder)) or 'no folder'}.")
    if not present:
        classes = {label_of(name): name for name in (UNKNOWN, SILENCE, *settings.labels)}
        problems += [f"{name}: nearly the name of a class. If it is a speaker, rename it, such as {name}_1; else name it "
                     f"{classes[label_of(name)]}."
                     for name in subfolders(folder) if label_of(name) in classes]
    else:
        problems += [f"{name}: not one of the classes, which are {', '.join(sorted(known))}"
                     for name in subfolders(folder) if name not in known] + loose_clips(folder, "")
    scans = {label: Scan(os.path.join(folder, label)) for label in sorted(present)} or {settings.labels[0]: Scan(folder)}
    for label, scan in scans.items():
        problems += [f"{label}: {line}" for line in scan.problems]
    return {label: [file.path for file in scan.files] for label, scan in scans.items()}


def _deal(speakers, settings):
    if len(speakers) < len(SPLITS):
        logging.warning("--recordings: %s; all recordings go to training. Validation and testing then hear other voices alone.",
                        counted(len(speakers), "speaker"))
        return dict.fromkeys(speakers, SPLITS[0])
    order = np.random.default_rng((settings.seed, 2)).permutation(len(speakers))
    # Every split gets one speaker, then each what its share asks for.
    ends = np.cumsum(settings.speaker_shares)[:2] * len(speakers)
    first = int(np.clip(round(ends[0]), 1, len(speakers) - 2))
    second = int(np.clip(round(ends[1]), first + 1, len(speakers) - 1))
    return {speakers[index]: SPLITS[(place >= first) + (place >= second)] for place, index in enumerate(order.tolist())}
