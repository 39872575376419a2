"""Scores of whole recordings by the stream that users run, kept as bytes so that any setting of the detector costs nothing to try."""

import concurrent.futures
import dataclasses
import pathlib
import time

import numpy as np
from tqdm import tqdm

from kws_tf import audio, worker_pool
from kws_tf.counted import counted
from kws_tf.dataset.scan import Scan
from kws_tf.errors import AudioError, DatasetError
from kws_tf.evaluation.recording_stream import RecordingStream
from kws_tf.runtime import detector
from kws_tf.runtime.detection import logits_spec, score_samples
from kws_tf.runtime.score_bytes import ScoreBytes

# Every process opens its model once and keeps it for all its recordings.
_OPENED = {}


@dataclasses.dataclass(frozen=True)
class Track:
    """Scores of one recording.

    Args:
        name: path of the file.
        scores: uint8 [scores, classes]. end_samples: int64 [scores], samples since the start at the end of every hop.
        n_samples: length of the recording. sample_rate: Hz.
        seconds: time of the processor, for reading and scoring.
    """

    name: str
    scores: np.ndarray
    end_samples: np.ndarray
    n_samples: int
    sample_rate: int
    seconds: float

    @property
    def hours(self):
        """Length of the recording in hours."""
        return self.n_samples / self.sample_rate / 3600

    def means(self, labels, keywords, settings):
        """uint8 [scores, keywords], see runtime.detector.mean_scores."""
        return detector.mean_scores(self.scores, labels, keywords, settings.window_scores, settings.warmup_scores)

    def events(self, labels, keywords, settings):
        """list of Event, see runtime.detector.detect."""
        return detector.detect(self.scores, self.end_samples, labels, keywords, settings)


def find_recordings(path):
    """The audio files of a folder, found recursively, or a single file.

    Args:
        path: folder or file.

    Returns:
        sorted list of paths.

    Raises:
        DatasetError: nothing there, no recordings, or files that are no audio.
    """
    path = pathlib.Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DatasetError(f"{path}: there is no such file or folder of recordings.")
    scan = Scan(path)
    if scan.problems:
        raise DatasetError(f"{path}: {len(scan.problems)} of the files cannot be used.", scan.problems)
    if not scan.files:
        raise DatasetError(f"{path}: no recordings in this folder.")
    return [path / file.path for file in scan.files]


def score_pcm(stream, pcm, name="", chunk_samples=1 << 20):
    """Scores of one recording, from a reset on.

    Args:
        stream: runtime.Stream.
        pcm: int16 [samples].
        name: for the track.
        chunk_samples: samples given to the stream at once; any number gives the same scores.

    Returns:
        Track.
    """
    begun = time.process_time()
    to_bytes = ScoreBytes(logits_spec(stream.manifest))
    stream.reset()
    chunks = [stream.logits(pcm[start:start + chunk_samples]) for start in range(0, max(1, len(pcm)), chunk_samples)]
    scores = to_bytes(np.concatenate(chunks))
    ends = score_samples(stream.manifest) * np.arange(1, len(scores) + 1)
    return Track(str(name), scores, ends, len(pcm), stream.manifest.sample_rate, time.process_time() - begun)


def score_recordings(model_path, paths, *, workers=None, progress=True, title="listening", **options):
    """Tracks of many files, in parallel processes.

    Args:
        model_path: a streaming model: .tflite file or export folder.
        paths: audio files.
        workers: processes; None takes one per processor, 1 computes in this process.
        progress: whether to show a bar. title: its text.
        options: interpreter and kernels, see runtime.Stream.

    Returns:
        list of Track, in the order of the paths.

    Raises:
        AudioError: files that cannot be read; all of them are listed.
        ModelFileError: the model cannot be used.
    """
    paths = [pathlib.Path(path) for path in paths]
    return _score_all(model_path, _score_file, paths, [_size(path) for path in paths], workers, progress, title, options)


def score_signals(model_path, signals, *, workers=None, progress=True, title="listening", **options):
    """As score_recordings, for PCM in memory.

    Args:
        signals: list of (name, int16 [samples]) at the rate of the model.
    """
    return _score_all(model_path, _score_signal, signals, [len(pcm) for _, pcm in signals], workers, progress, title, options)


def speed(tracks, wall_seconds):
    """How fast a set of recordings was scored.

    Returns:
        dict: audio_seconds; wall_seconds; processor_seconds of all processes, for reading and scoring; times_real_time (audio over
        wall-clock time) and times_real_time_per_core (audio over processor time, which other programs change less).
    """
    audio_seconds = sum(track.n_samples / track.sample_rate for track in tracks)
    busy = sum(track.seconds for track in tracks)
    return {"audio_seconds": audio_seconds, "wall_seconds": wall_seconds, "processor_seconds": busy,
            "times_real_time": audio_seconds / wall_seconds if wall_seconds else 0.0,
            "times_real_time_per_core": audio_seconds / busy if busy else 0.0}


def _score_all(model_path, function, items, sizes, workers, progress, title, options):
    workers = min(workers or worker_pool.processors(), len(items)) or 1
    tracks, problems = [None] * len(items), []
    opened = _open(model_path, options)  # a wrong model is told before any process starts
    # The longest first: the last process to end then ends early.
    order = sorted(range(len(items)), key=lambda index: -sizes[index])
    with tqdm(total=len(items), desc=title, unit="file", disable=not progress or None, leave=False) as bar:

        def take(index, result):
            bar.update()
            if isinstance(result, AudioError):
                problems.append(str(result))
            tracks[index] = result

        if workers == 1:
            for index in order:
                take(index, function(opened, items[index]))
        else:
            _in_processes(model_path, function, items, order, workers, options, take)
    if problems:
        raise AudioError("\n  ".join([f"{len(problems)} of {counted(len(items), 'recording')} cannot be used.", *sorted(problems)]))
    return tracks


def _in_processes(model_path, function, items, order, workers, options, take):
    with worker_pool.open_pool(workers) as pool:
        futures = {pool.submit(_run, str(model_path), options, function, items[index]): index for index in order}
        try:
            for future in concurrent.futures.as_completed(futures):
                take(futures[future], future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _open(model_path, options):
    return RecordingStream(model_path, **options)


def _run(model_path, options, function, item):
    if model_path not in _OPENED:
        _OPENED[model_path] = _open(model_path, options)
    return function(_OPENED[model_path], item)


def _score_file(stream, path):
    """A Track, or the AudioError: problems of all files are told together."""
    begun = time.process_time()
    try:
        track = score_pcm(stream, audio.read_pcm(path, stream.manifest.sample_rate), path)
        return dataclasses.replace(track, seconds=time.process_time() - begun)
    except AudioError as error:
        return error


def _score_signal(stream, item):
    return score_pcm(stream, item[1], item[0])


def _size(path):
    try:
        return path.stat().st_size
    except OSError:
        return 0
