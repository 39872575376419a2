"""What can be measured of one clip: levels, defects, where its sound lies, hashes, and light features."""

import dataclasses
import hashlib
import pathlib

import numpy as np
import tqdm

from kws_tf import audio, worker_pool
from kws_tf.config import FeatureConfig
from kws_tf.errors import AudioError
from kws_tf.runtime.features import FeatureExtractor

RATE = 16000
# Light features: bands of log-mel over as many stretches of time.
BANDS, STRETCHES = 16, 16
_FRAMES = FeatureConfig(window_samples=400, hop_samples=160, n_mels=BANDS)
_EDGE_S = 0.03
_CLIPPED_RUN = 3
_CHUNK = 64
_SOUND_DB = 30.0
SILENT_DBFS = -70.0


@dataclasses.dataclass(frozen=True)
class ClipFacts:
    """Measurements of a clip.

    Args:
        path: relative to the data set. split, label: its folders. speaker: "" if unknown.
        problem: why it cannot be read, "" if it can; then all that follows is empty.
        sample_rate, channels: as stored. duration_s: seconds.
        rms_dbfs: root mean square of the loudest 0.3 s, re full scale. peak: largest absolute sample, 1 is full scale.
        dc: mean. clipped: share of samples in runs of at least three at the largest value, above half of full scale.
        start_db, end_db: level of the first and last 30 ms, re the loudest 30 ms.
        centre: where the energy lies, 0 (start) to 1 (end). spoken_s: length of the part within 30 dB of the loudest 30 ms.
        content: hash of the file. sound: hash of the samples at 16 kHz.
        features: float32 [BANDS * STRETCHES], log-mel of the spoken part, mean 0.
    """

    path: str
    split: str
    label: str
    speaker: str = ""
    problem: str = ""
    sample_rate: int = 0
    channels: int = 0
    duration_s: float = 0.0
    rms_dbfs: float = 0.0
    peak: float = 0.0
    dc: float = 0.0
    clipped: float = 0.0
    start_db: float = 0.0
    end_db: float = 0.0
    centre: float = 0.5
    spoken_s: float = 0.0
    content: str = ""
    sound: str = ""
    features: np.ndarray | None = None

    @property
    def silent(self):
        """Whether nothing can be heard in it."""
        return not self.problem and self.rms_dbfs < SILENT_DBFS


def measure(root, path, split, label, speaker=""):
    """Measures one clip.

    Args:
        root: folder of the data set. path: relative to it. split, label, speaker: what the path says.

    Returns:
        ClipFacts.
    """
    own = {"path": path, "split": split, "label": label, "speaker": speaker}
    file = pathlib.Path(root, path)
    try:
        recording = audio.read(file)
        pcm = audio.to_pcm(recording, RATE)
        content = hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()
    except (AudioError, OSError) as error:
        return ClipFacts(**own, problem=str(error).replace(f"{file}: ", ""))
    signal = recording.samples.mean(axis=1, dtype=np.float64) / (32768 if recording.samples.dtype == np.int16 else 1)
    mean = float(signal.mean())
    energy, edge = _frame_energies(signal - mean, recording.sample_rate)
    level = 10 * np.log10(np.maximum(energy, 1e-12))
    loudest = level.max()
    spoken = np.flatnonzero(level > loudest - _SOUND_DB)
    return ClipFacts(
        **own, sample_rate=recording.sample_rate, channels=recording.samples.shape[1], duration_s=len(signal) / recording.sample_rate,
        rms_dbfs=_loudest_rms_dbfs(energy), peak=float(np.abs(signal).max()), dc=mean, clipped=_clipped_share(signal),
        start_db=float(level[0] - loudest), end_db=float(level[-1] - loudest),
        centre=float(np.sum(energy * (np.arange(len(energy)) + 0.5)) / max(len(energy) * energy.sum(), 1e-12)) if energy.sum() > 0 else 0.5,
        spoken_s=float((spoken[-1] - spoken[0] + 1) * edge), content=content,
        sound=hashlib.blake2b(pcm.tobytes(), digest_size=16).hexdigest(), features=light_features(pcm))


def measure_all(root, clips, *, n_workers=1, progress=True):
    """Measures many clips in parallel.

    Args:
        root: folder of the data set.
        clips: list of (path, split, label, speaker).
        n_workers: processes. progress: show a progress bar, if there is a terminal.

    Returns:
        List of ClipFacts in the same order.
    """
    jobs = [(root, *clip) for clip in clips]
    return list(tqdm.tqdm(worker_pool.imap(_measure, jobs, n_workers, _CHUNK), total=len(jobs), desc="measuring", unit="clip",
                          disable=None if progress else True))


def light_features(pcm):
    """Log-mel of the spoken part on a fixed grid, whatever its place, length, level and offset: float32 [BANDS * STRETCHES], mean 0.

    Args:
        pcm: int16 [samples] at 16 kHz.
    """
    if len(pcm) < _FRAMES.window_samples + _FRAMES.hop_samples:
        pcm = np.pad(pcm, (0, _FRAMES.window_samples + _FRAMES.hop_samples - len(pcm)))
    centred = np.clip(pcm.astype(np.int32) - round(float(pcm.mean())), -32768, 32767).astype(np.int16)
    frames = FeatureExtractor(_FRAMES)(centred).astype(np.float64)
    loudness = frames.max(axis=1)
    spoken = np.flatnonzero(loudness > loudness.max() - _SOUND_DB * np.log(10) / 10)
    frames = frames[spoken[0]:spoken[-1] + 1]
    # A floor 50 dB below the loudest band: what lies deeper is noise, or nothing.
    frames = np.maximum(frames, frames.max() - 50 * np.log(10) / 10)
    place = (np.arange(STRETCHES) + 0.5) * len(frames) / STRETCHES - 0.5
    grid = np.stack([np.interp(place, np.arange(len(frames)), band) for band in frames.T])
    return (grid - grid.mean()).ravel().astype(np.float32)


def _measure(job):
    return measure(*job)


def _frame_energies(signal, rate):
    """Mean square of stretches of 30 ms, at least one, and their length in seconds."""
    size = max(1, round(_EDGE_S * rate))
    n = max(1, len(signal) // size)
    if len(signal) < size:
        return np.array([np.mean(signal**2)]), _EDGE_S
    # The last stretch ends with the clip.
    energy = np.mean(signal[:n * size].reshape(n, size) ** 2, axis=1)
    energy[-1] = np.mean(signal[-size:] ** 2)
    return energy, _EDGE_S


def _loudest_rms_dbfs(energy):
    width = min(len(energy), 10)
    best = np.convolve(energy, np.ones(width) / width, "valid").max()
    return float(10 * np.log10(max(best, 1e-12)))


def _clipped_share(signal):
    peak = np.abs(signal).max()
    if peak < 0.5:
        return 0.0
    at_limit = np.abs(signal) >= peak * (1 - 2e-4)
    same = at_limit[:-1] & at_limit[1:] & (np.sign(signal[:-1]) == np.sign(signal[1:]))
    # Runs of three and more: a sample whose neighbour and the one after it are at the limit too.
    run = same[:-1] & same[1:]
    marked = np.zeros(len(signal), bool)
    for offset in range(_CLIPPED_RUN):
        marked[offset:offset + len(run)] |= run
    return float(marked.mean())
