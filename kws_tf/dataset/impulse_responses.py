"""Room impulse responses for augmentation, from a folder: made by kws_tf.rooms, or recorded."""

import json
import os

import numpy as np
from absl import logging

from kws_tf import audio
from kws_tf.counted import counted
from kws_tf.dataset.checks import check_folder, refuse
from kws_tf.dataset.scan import Scan
from kws_tf.errors import AudioError, DatasetError

LONGEST_S = 0.5
_PAIRS_FILE = "rooms.json"


def load_responses(rir_dir, sample_rate, flag="rir_dir"):
    """Impulse responses in pairs: from a voice and from a noise source.

    A folder with rooms.json was made by kws_tf.rooms: each file is a pair whose ratio of levels is true. Any other folder holds recordings;
    of each the first channel is used from its largest sample on, the direct sound, and the noise takes the next recording, at the same
    level. Responses are cut after half a second, where little is left of them, and scaled so that the voice's has an energy of 1.

    Args:
        rir_dir: folder; files at any depth.
        sample_rate: Hz; others are resampled.
        flag: that named the folder, for the messages.

    Returns:
        float32 [rooms, 2, samples], voice and noise.

    Raises:
        DatasetError: the folder is missing, holds no recording, or holds files that cannot be used; all are listed.
    """
    check_folder(flag, rir_dir)
    pairs = _are_pairs(rir_dir)
    scan = Scan(rir_dir)
    problems, found = list(scan.problems), []
    for file in scan.files:
        try:
            found.append(_read(os.path.join(rir_dir, file.path), sample_rate, pairs))
        except AudioError as error:
            problems.append(str(error))
    refuse(flag, rir_dir, [], problems, allow_bad_files=False)
    if not found:
        raise DatasetError(f"--{flag}={rir_dir}: it holds no recording; expected impulse responses, or a folder made by kws_tf.rooms.")
    if not pairs:
        longest = max(one.shape[-1] for one in found)
        found = [_padded(one, longest) for one in found]
        found = [np.concatenate(pair) for pair in zip(found, found[1:] + found[:1], strict=True)]
    longest = max(pair.shape[-1] for pair in found)
    logging.info("Rooms: %s of %s, %.2f s.", counted(len(found), "pair"), "simulated rooms" if pairs else "recorded impulse responses",
                 longest / sample_rate)
    return np.stack([_padded(pair, longest) for pair in found]).astype(np.float32)


def _are_pairs(rir_dir):
    path = os.path.join(rir_dir, _PAIRS_FILE)
    if not os.path.exists(path):
        return False
    try:
        with open(path, encoding="utf-8") as file:
            channels = json.load(file)["channels"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}). Make the rooms again: python -m kws_tf.rooms.") from error
    return channels == ["voice", "noise"]


def _read(path, sample_rate, pairs):
    """[channels, samples]: two of a pair, else one."""
    recording = audio.read(path)
    samples = recording.samples.astype(np.float64).T
    if pairs and len(samples) != 2:
        raise AudioError(f"{path}: expected two channels, voice and noise, as {_PAIRS_FILE} says; found {len(samples)}.")
    if recording.sample_rate != sample_rate:
        samples = np.stack([audio.resample(channel, recording.sample_rate, sample_rate) for channel in samples])
    if not pairs:
        samples = samples[:1, np.argmax(np.abs(samples[0])):]
    samples = samples[:, :round(LONGEST_S * sample_rate)]
    energy = np.sum(samples[0] ** 2)
    if energy == 0:
        raise AudioError(f"{path}: the impulse response is silent.")
    return samples / np.sqrt(energy)


def _padded(signal, n_samples):
    return np.pad(signal, [(0, 0)] * (signal.ndim - 1) + [(0, n_samples - signal.shape[-1])])
