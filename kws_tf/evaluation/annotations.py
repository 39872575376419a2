"""Long recordings with the places of the words in them, as JSON."""

import dataclasses
import json
import math
import pathlib

from kws_tf import atomic_file
from kws_tf.errors import DatasetError

WINDOWS_SUFFIX = "_ww_windows"
CONDITIONS = ("snr_db", "level_dbfs", "speaker", "room", "source", "clip")


@dataclasses.dataclass(frozen=True)
class Word:
    """One word in a recording.

    Args:
        start_seconds, end_seconds: where it is.
        keyword: the label; "" where the file does not say, then any keyword of the model is right.
        conditions: what is known of it, JSON values by name of CONDITIONS: snr_db (speech over noise), level_dbfs (mean power of the
            speech relative to a full-scale square wave), speaker, room, source (such as "real" or "synthetic"), clip (the file).
    """

    start_seconds: float
    end_seconds: float
    keyword: str = ""
    conditions: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class AnnotatedRecording:
    """A recording and its words, in order.

    Args:
        path: audio file. words: tuple of Word.
        length_seconds: as the annotation says; 0 if it does not.
        sample_rate: Hz, as the annotation says; 0 if it does not.
    """

    path: pathlib.Path
    words: tuple[Word, ...]
    length_seconds: float = 0.0
    sample_rate: int = 0


def read(path):
    """Reads annotations.

    Accepted are

        {"wav_file": "a.wav", "sampling_rate": 16000, "length_sec": 1200.0, "detection_windows": [[1.0, 1.6], ...],
         "keywords": ["jarvis", ...], "conditions": [{"snr_db": 10, ...}, ...]}

    where all but wav_file and detection_windows may be absent; a list of such objects; and the bare list [[1.0, 1.6], ...] of the MLPerf
    Tiny streaming task, in a file <name>_ww_windows.json beside <name>.wav.

    Args:
        path: JSON file; the audio files are named relative to its folder.

    Returns:
        list of AnnotatedRecording.

    Raises:
        DatasetError: not such a file, windows out of order or range, audio that is not there. All problems are listed.
    """
    path = pathlib.Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: no annotations can be read from this file ({error}).") from error
    if isinstance(content, list) and all(isinstance(entry, list) for entry in content):
        content = [{"wav_file": path.stem.removesuffix(WINDOWS_SUFFIX) + ".wav", "detection_windows": content}]
    entries = content if isinstance(content, list) else [content]
    problems, recordings = [], []
    for number, entry in enumerate(entries):
        try:
            recordings.append(_decode(entry, path.parent))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"lacks {error.args[0]}" if isinstance(error, KeyError) else str(error)
            problems.append(f"recording {number + 1}: {reason}")
    if problems:
        raise DatasetError(f"{path}: these annotations cannot be used.", problems)
    return recordings


def write(path, recordings):
    """Writes annotations as `read` takes them; audio files are named relative to the folder of the JSON file."""
    path = pathlib.Path(path)
    entries = [{
        "wav_file": pathlib.Path(recording.path).relative_to(path.parent).as_posix(),
        "sampling_rate": recording.sample_rate,
        "length_sec": recording.length_seconds,
        "detection_windows": [[round(word.start_seconds, 4), round(word.end_seconds, 4)] for word in recording.words],
        "keywords": [word.keyword for word in recording.words],
        "conditions": [word.conditions for word in recording.words],
    } for recording in recordings]
    atomic_file.write_text(path, json.dumps(entries, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _decode(entry, folder):
    if not isinstance(entry, dict):
        raise TypeError(f"expected an object with wav_file and detection_windows; received {entry!r:.60}")
    file, windows = folder / str(entry["wav_file"]), entry["detection_windows"]
    if not file.is_file():
        raise ValueError(f"{file}: there is no such audio file")
    if not isinstance(windows, list):
        raise TypeError(f"detection_windows must be a list of [start, end] in seconds; received {windows!r:.60}")
    keywords = entry.get("keywords", [""] * len(windows))
    conditions = entry.get("conditions", [{}] * len(windows))
    if len(keywords) != len(windows) or len(conditions) != len(windows):
        raise ValueError(f"{len(windows)} windows, but {len(keywords)} keywords and {len(conditions)} conditions")
    length = float(entry.get("length_sec", 0.0))
    words, earliest = [], 0.0
    for window, keyword, known in zip(windows, keywords, conditions, strict=True):
        start, end = (float(value) for value in window)
        if not (math.isfinite(end) and earliest <= start < end and (not length or end <= length)):
            raise ValueError(f"window {window} must begin after the one before it and end after its begin"
                             + (f", within {length:g} s" if length else ""))
        if not isinstance(known, dict):
            raise TypeError(f"conditions must be objects; received {known!r:.60}")
        words.append(Word(start, end, str(keyword), dict(known)))
        earliest = start
    return AnnotatedRecording(file, tuple(words), length, int(entry.get("sampling_rate", 0)))
