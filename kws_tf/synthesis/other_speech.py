"""Recordings without the phrases as clips of `_unknown_`: cut into pieces, each split by recordings of its own."""

import collections
import dataclasses
import hashlib
import os
import re

import numpy as np
import soundfile
from absl import logging

from kws_tf import audio
from kws_tf.config import SPLITS
from kws_tf.counted import counted
from kws_tf.dataset.checks import check_folder
from kws_tf.dataset.scan import Scan, subfolders
from kws_tf.errors import AudioError, DatasetError
from kws_tf.synthesis.clip_plan import Clip
from kws_tf.synthesis.settings import UNKNOWN

KIND = "other_speech"
# A piece is longer than the window of the network: training draws another window of it in every epoch.
_PIECE_WINDOWS, _STEP_WINDOWS = 2.0, 1.5
_DEAL = 1 << 16


def split_of(path, shares):
    """The split of a recording, by a hash of its path: what is added later moves no other.

    Args:
        path: relative to the folder. shares: of training, validation and testing.
    """
    place = int.from_bytes(hashlib.sha256(path.encode()).digest()[:2], "big") / _DEAL
    return SPLITS[int(np.searchsorted(np.cumsum(shares)[:2], place, side="right"))]


def by_split(folder, shares):
    """The recordings of a folder: {split: sorted list of paths relative to it}.

    Folders training, validation and testing in it are kept apart; without any, recordings are dealt by `split_of`.

    Raises:
        DatasetError: the folder is missing, holds nothing usable, or recordings beside the folders of the splits.
    """
    check_folder("negatives", folder)
    given = [name for name in SPLITS if name in subfolders(folder)]
    scans = {name: Scan(os.path.join(folder, name)) for name in given} or {"": Scan(folder)}
    problems = [line for scan in scans.values() for line in scan.problems]
    if given:
        places = collections.Counter(file.path.split("/")[0] for file in Scan(folder).files)
        problems += [f"{name}: {counted(places[name], 'recording')} beside {', '.join(given)}. Move into one of {', '.join(SPLITS)}, or "
                     "elsewhere." for name in sorted(places.keys() - set(given))]
    found = {name: [] for name in SPLITS}
    for name, scan in scans.items():
        for file in scan.files:
            path = os.path.join(name, file.path)
            found[name or split_of(path, shares)].append(path)
    if problems or not any(found.values()):
        what = f"{counted(len(problems), 'problem')}." if problems else "there is no recording."
        raise DatasetError(f"--negatives={folder}: {what}", problems)
    return {name: sorted(paths) for name, paths in found.items()}


def find(folder, settings):
    """Clips of kind "other_speech": pieces of recordings without the phrases.

    Of a recording, a piece of two clips' length begins every one and a half. If that makes more than `settings.other_speech` of a split,
    so many of them are drawn.

    Args:
        folder: of recordings that soundfile reads, at any rate. settings: SynthesisConfig.

    Returns:
        List of Clip, sorted by file.

    Raises:
        DatasetError: see `by_split`; or a recording cannot be read.
    """
    rng, clips, problems, hours = np.random.default_rng((settings.seed, 3)), [], [], 0.0
    for index, (split, paths) in enumerate(by_split(folder, settings.speaker_shares).items()):
        pieces = []
        for path in paths:
            try:
                recording = audio.read(os.path.join(folder, path))  # all of it: now, and not when everything else is spoken
            except AudioError as error:
                problems.append(str(error))
                continue
            length = len(recording.samples) / recording.sample_rate
            hours += length / 3600
            first = np.arange(0, max(length - settings.clip_seconds, 0) + 1e-6, _STEP_WINDOWS * settings.clip_seconds)
            pieces += [(path, round(float(start), 3)) for start in first]
        kept = sorted(rng.permutation(len(pieces))[:settings.other_speech[index]].tolist())
        clips += [_clip(split, folder, *pieces[number], settings) for number in kept]
    if problems:
        raise DatasetError(f"--negatives={folder}: {counted(len(problems), 'recording')} cannot be read.", problems)
    logging.info("%s: %s of %.2f hours without the phrases.", folder, counted(len(clips), "piece"), hours)
    return _apart(clips)


def _apart(clips):
    """The clips with a file each: names of recordings may end alike, or differ in what no file name here has."""
    seen, result = collections.Counter(), []
    for clip in clips:
        seen[clip.file] += 1
        number = f"_{seen[clip.file]}" if seen[clip.file] > 1 else ""
        result.append(dataclasses.replace(clip, file=f"{clip.file.removesuffix('.flac')}{number}.flac"))
    return result


def _clip(split, folder, path, start, settings):
    name = re.sub(r"[^\w-]+", "-", os.path.splitext(path)[0])[-60:]
    return Clip(file=f"{split}/{UNKNOWN}/{KIND}_{name}_{round(1000 * start):08d}.flac", label=UNKNOWN, kind=KIND,
                speaker=f"recorded in {path}", source=os.path.abspath(os.path.join(folder, path)), source_start_s=start,
                source_seconds=_PIECE_WINDOWS * settings.clip_seconds)


def read(clip, sample_rate):
    """The piece of a recording that a clip is, int16 [samples]; the last one of a recording may be shorter.

    Raises:
        AudioError: the recording cannot be read.
    """
    try:
        with soundfile.SoundFile(clip.source) as file:
            rate, dtype = file.samplerate, "int16" if file.subtype == "PCM_16" else "float32"
            file.seek(min(round(clip.source_start_s * rate), max(file.frames - 1, 0)))
            samples = file.read(round(clip.source_seconds * rate), dtype=dtype, always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise AudioError(f"{clip.source}: not a recording that can be decoded ({error}).") from error
    recording = audio.Recording(clip.source, samples, rate)
    audio.check(recording)
    return audio.to_pcm(recording, sample_rate)
