"""Recordings of background noise for augmentation."""

import os

import numpy as np
from absl import logging

from kws_tf.counted import counted
from kws_tf.dataset import decode
from kws_tf.dataset.checks import check_folder, refuse
from kws_tf.dataset.clip_cache import ClipCache
from kws_tf.dataset.scan import Scan
from kws_tf.errors import DatasetError


def load_noise(noise_dir, sample_rate, *, fraction=1.0, cache_dir="", audio_backend="auto", allow_bad_files=False, progress=True):
    """Every recording below a folder, at any depth, as 16-bit PCM from the cache.

    A folder that has a subfolder `training` is split like a data set: only that subfolder is used, and the log says so.

    Args:
        noise_dir: folder.
        sample_rate: Hz of the model.
        fraction: share of each recording, from its start, that is used; the rest stays unheard, for silence clips or tests made of it.
        cache_dir, audio_backend, allow_bad_files: as in DataConfig.
        progress: show progress bars.

    Returns:
        list of int16 [samples], read-only views, in the order of the paths; at least one.

    Raises:
        DatasetError: the folder is missing, holds no recording, or holds files that cannot be used.
    """
    check_folder("noise_dir", noise_dir)
    root = os.path.join(noise_dir, "training")
    if os.path.isdir(root):
        logging.info("Noise: only the subfolder training of %s is used for augmentation.", noise_dir)
    else:
        root = noise_dir
    scan = Scan(root)
    decoder = decode.choose(audio_backend)
    cache = ClipCache(root, f"noise {os.path.basename(os.path.realpath(noise_dir))}", sample_rate=sample_rate, decoder=decoder,
                      cache_dir=cache_dir, progress=progress)
    entry, unreadable = cache.open(scan.files)
    refuse("noise_dir", noise_dir, [], scan.problems + unreadable + entry.problems, allow_bad_files)
    recordings = [entry.clip(i)[:max(1, round(fraction * row.n_samples))] for i, row in enumerate(entry.rows) if not row.problem]
    if not recordings:
        raise DatasetError(f"--noise_dir={noise_dir}: it holds no recording; expected WAV, FLAC or Ogg files of background noise.")
    seconds = sum(map(len, recordings)) / sample_rate
    logging.info("Noise: %s, %.1f s (the first %g %% of each).", counted(len(recordings), "recording"), seconds, 100 * fraction)
    if not any(np.any(recording) for recording in recordings):
        raise DatasetError(f"--noise_dir={noise_dir}: all recordings are digital silence.")
    return recordings
