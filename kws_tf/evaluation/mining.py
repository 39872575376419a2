"""Hard negatives: the pieces of recordings without keywords that a model takes for keywords, cut out for training."""

import csv
import dataclasses
import hashlib
import io
import pathlib

import numpy as np
import soundfile

from kws_tf import atomic_file, audio
from kws_tf.detector_settings import level_of
from kws_tf.errors import ConfigError
from kws_tf.evaluation.mined_clips import COLUMNS, TABLE, read
from kws_tf.evaluation.score_track import find_recordings, score_recordings
from kws_tf.runtime import model_file
from kws_tf.runtime.detection import configure, score_samples

_LONGEST_STEM = 60


@dataclasses.dataclass(frozen=True)
class Mined:
    """What was cut.

    Args:
        rows: one dict per clip by falling score, with the COLUMNS; file is relative to the output folder.
        n_known: clips of them that were there already.
        n_events: all events that were found. hours: of audio.
        csv_file: path of the table.
    """

    rows: list
    n_known: int
    n_events: int
    hours: float
    csv_file: pathlib.Path


def background_label(labels):
    """The class for what is no keyword: _unknown_, or the only label that is named like it.

    Raises:
        ConfigError: there is none, or more than one.
    """
    hidden = [label for label in labels if label.startswith("_") and label.endswith("_")]
    if "_unknown_" in hidden:
        return "_unknown_"
    if len(hidden) != 1:
        raise ConfigError(f"--label is missing: the class for clips that are no keyword; the labels are {', '.join(labels)}.")
    return hidden[0]


def mine(model_path, recordings, output, *, threshold=0.5, label="", limit=1000, keywords=(), workers=None, progress=True, **options):
    """Cuts what a streaming model wrongly takes for a keyword.

    A clip is as long as those the network was trained with and ends where the score is highest: the audio that the network had heard.
    The table keeps what was mined into this folder for the same model before, and is written ahead of the clips.

    Args:
        model_path: a streaming model: .tflite file or export folder.
        recordings: folder or file of recordings without the keywords.
        output: folder, such as <data set>/training; clips go to <output>/<label>/ as 16-bit WAV, the table to <output>.
        threshold: mean score, 0 to 1, from which on a piece is hard; lower than in use, to find what is nearly taken for a keyword too.
        label: class of the clips; "" for background_label. limit: at most so many clips, those with the highest scores.
        keywords: see runtime.detection.configure.
        workers, progress, options: see score_track.score_recordings.

    Returns:
        Mined.

    Raises:
        ModelFileError, ConfigError, DatasetError, AudioError: model, label, folders or recordings that cannot be used.
    """
    manifest, _ = model_file.read(model_path)
    rate, length = manifest.sample_rate, manifest.clip_samples
    # One clip per window: the next event starts when the window has passed.
    keywords, settings, _ = configure(manifest, keywords=keywords, threshold=level_of(threshold),
                                      refractory_scores=-(-length // score_samples(manifest)))
    label = label or background_label(manifest.labels)
    if label in keywords:
        raise ConfigError(f"--label={label}: this is a keyword; clips without it must go to another class.")
    table = pathlib.Path(output) / TABLE.format(manifest.model_id[:8])
    earlier = read(table) if table.exists() else []
    paths = find_recordings(recordings)
    root = pathlib.Path(recordings) if pathlib.Path(recordings).is_dir() else pathlib.Path(recordings).parent
    tracks = score_recordings(model_path, paths, workers=workers, progress=progress, **options)
    events = [(track, event) for track in tracks for event in track.events(manifest.labels, keywords, settings)]
    events.sort(key=lambda pair: -pair[1].score)
    folder = pathlib.Path(output) / label
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--output={output}: this folder cannot be made ({error.strerror}).") from error
    chosen = events[:limit]
    rows, clips, n_known = [None] * len(chosen), {}, 0
    for name in dict.fromkeys(track.name for track, _ in chosen):
        pcm = audio.read_pcm(name, rate)
        stem = pathlib.Path(name).relative_to(root).with_suffix("").as_posix().replace("/", "__")
        stem = stem[-_LONGEST_STEM:].lstrip(".")              # a data set takes no hidden files
        for index, event in [(index, event) for index, (track, event) in enumerate(chosen) if track.name == name]:
            start = max(0, event.peak_sample - length)
            content = _wav(pcm[start:start + length], rate)
            file, known = _place(folder, f"{stem}_{round(1000 * start / rate):07d}", content, clips)
            n_known += known
            if not known:
                clips[file] = content
            rows[index] = {"file": file.relative_to(output).as_posix(), "recording": name, "start_seconds": round(start / rate, 3),
                           "keyword": event.keyword, "score": round(event.score / 255, 4)}
    files = {row["file"] for row in rows}
    _write_table(table, sorted([*rows, *(row for row in earlier if row["file"] not in files)], key=lambda row: -row["score"]))
    for file, content in clips.items():
        atomic_file.write_bytes(file, content)
    return Mined(rows, n_known, len(events), sum(track.hours for track in tracks), table)


def _place(folder, stem, content, clips):
    """Where a clip goes; beside another clip of that name, on disk or among `clips`, it gets a name with its hash.

    Returns:
        path, whether the clip is there.
    """
    for name in (stem, f"{stem}_{hashlib.sha256(content).hexdigest()[:8]}"):
        file = folder / f"{name}.wav"
        if file not in clips and not file.exists():
            return file, False
        if (clips[file] if file in clips else file.read_bytes()) == content:
            return file, True
    raise ConfigError(f"{file}: exists and holds another clip. Remove it.")


def _wav(pcm, sample_rate):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.ascontiguousarray(pcm), sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def _write_table(path, rows):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_file.write_text(path, text.getvalue())
