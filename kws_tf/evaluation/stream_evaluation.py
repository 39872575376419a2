"""False accepts per hour, misses and latency of a streaming file on long recordings, by the stream and the detector that users run."""

import collections
import dataclasses
import time

import numpy as np

from kws_tf.config import to_dict
from kws_tf.evaluation import annotations, detection
from kws_tf.evaluation.clip_evaluation import model_identity
from kws_tf.evaluation.score_track import find_recordings, score_recordings, speed
from kws_tf.evaluation.sweep import Sweep
from kws_tf.recall_area import recall_area
from kws_tf.runtime import model_file
from kws_tf.runtime.detection import configure, score_samples

SNR_EDGES_DB = (0, 5, 10, 15, 20, 30)
LEVEL_EDGES_DBFS = (-50, -40, -30, -20, -10)
SHOWN_EVENTS = 200
SHOWN_MISSES = 200


def evaluate_stream(model_path, *, ambient=None, annotated=None, preset="", keywords=(), changes=None, workers=None, progress=True,
                    **options):
    """Listens to long recordings with a streaming file.

    Args:
        model_path: a .tflite file or its export folder.
        ambient: folder or file of recordings without the keywords; None if there are none.
        annotated: JSON file of annotations; None if there is none.
        preset, keywords, changes: what the detector does, see runtime.detection.configure.
        workers: processes; None takes one per processor.
        progress: whether to show bars.
        options: interpreter and kernels, see runtime.Stream.

    Returns:
        dict of JSON values: model; detector (preset, keywords, settings, score_seconds); speed (see score_track.speed); ambient (files and
        detection.false_accept_figures, by_keyword, events); annotated (recordings, detection.miss_figures, by_keyword, by_snr, by_level,
        by_speaker, by_source, repeats, false_accepts, latency, missed); sweep (every threshold, with the release in the same ratio);
        sweep_hours; recall_area (see kws_tf.recall_area). What was not given is None.

    Raises:
        ModelFileError: the file is no streaming model or cannot be used. ConfigError: no such preset or keyword.
        DatasetError, AudioError: recordings or annotations that cannot be used.
    """
    manifest, _ = model_file.read(model_path)
    keywords, settings, preset = configure(manifest, preset, keywords, **(changes or {}))
    recordings = annotations.read(annotated) if annotated else []
    words, n_others = detection.own_words(recordings, keywords) if recordings else ([], 0)
    ambient_files = find_recordings(ambient) if ambient else []
    begun = time.perf_counter()
    tracks = score_recordings(model_path, [*ambient_files, *(recording.path for recording in recordings)], workers=workers,
                              progress=progress, **options)
    figures = speed(tracks, time.perf_counter() - begun)
    quiet, spoken = tracks[:len(ambient_files)], tracks[len(ambient_files):]
    detection.check_lengths(spoken, words)
    report = {
        "model": model_identity(model_path, manifest),
        "labels": list(manifest.labels),
        "detector": {"preset": preset, "keywords": list(keywords), "settings": to_dict(settings),
                     "score_seconds": score_samples(manifest) / manifest.sample_rate},
        "speed": figures,
        "ambient": _ambient(quiet, manifest, keywords, settings, ambient) if quiet else None,
        "annotated": _annotated(spoken, words, manifest, keywords, settings, annotated, n_others) if spoken else None,
    }
    sweep = Sweep(manifest.labels, keywords, quiet, spoken, words, count_positive=not quiet)
    return report | sweep_figures(sweep, settings)


def sweep_figures(sweep, settings):
    """The sweep of all thresholds as JSON values.

    Args:
        sweep: Sweep. settings: DetectorSettings that give window, pause and the ratio of the release.

    Returns:
        dict: sweep (list of dicts: threshold, hits, misses, miss_rate, false_accepts, per_hour), sweep_hours, recall_area or None.
    """
    points = sweep.curve(settings)
    for point in points:
        point["per_hour"] = point["false_accepts"] / sweep.hours
        point["miss_rate"] = point["misses"] / sweep.n_words if sweep.n_words else None
    return {"sweep": points, "sweep_hours": sweep.hours,
            "recall_area": recall_area([point["false_accepts"] for point in points], [point["hits"] for point in points], sweep.n_words,
                                       sweep.hours) if sweep.n_words else None}


def _ambient(tracks, manifest, keywords, settings, path):
    events = [(track, event) for track in tracks for event in track.events(manifest.labels, keywords, settings)]
    events.sort(key=lambda pair: -pair[1].score)
    counts = collections.Counter(event.keyword for _, event in events)
    return {"path": str(path), "files": len(tracks),
            **detection.false_accept_figures(len(events), sum(track.hours for track in tracks)),
            "by_keyword": {keyword: counts[keyword] for keyword in keywords},
            "events": [{"recording": track.name, **event.line(manifest.sample_rate)} for track, event in events[:SHOWN_EVENTS]]}


def _annotated(tracks, words, manifest, keywords, settings, path, n_others):
    rate = manifest.sample_rate
    matches = [detection.match(track.events(manifest.labels, keywords, settings), own, rate)
               for track, own in zip(tracks, words, strict=True)]
    hours = sum(track.hours for track in tracks)
    false = [(track, event) for track, found in zip(tracks, matches, strict=True) for event in found.false_accepts]
    false.sort(key=lambda pair: -pair[1].score)
    groups = {"by_keyword": lambda word: (word.keyword, word.keyword or "any keyword"),
              "by_snr": detection.band("snr_db", SNR_EDGES_DB, "dB"), "by_level": detection.band("level_dbfs", LEVEL_EDGES_DBFS, "dBFS"),
              "by_speaker": detection.named("speaker"), "by_source": detection.named("source")}
    return {
        "path": str(path), "recordings": len(tracks), "hours": hours, "other_words": n_others,
        **detection.miss_figures(sum(len(found.hits) for found in matches), sum(map(len, words))),
        **{name: detection.by_group(matches, group_of) for name, group_of in groups.items()},
        "repeats": sum(len(found.repeats) for found in matches),
        "false_accepts": {**detection.false_accept_figures(len(false), hours),
                          "events": [{"recording": track.name, **event.line(rate)} for track, event in false[:SHOWN_EVENTS]]},
        "latency": detection.latency_figures(matches, rate),
        "missed": _missed(tracks, matches, manifest, keywords, settings),
    }


def _missed(tracks, matches, manifest, keywords, settings):
    """The missed words with the highest mean score of their keyword in the time in which an event would have counted, best first."""
    rate, lines = manifest.sample_rate, []
    for track, found in zip(tracks, matches, strict=True):
        means = track.means(manifest.labels, keywords, settings) if found.missed else None
        for word in found.missed:
            counted = np.array([word.start_seconds, word.end_seconds + detection.GRACE_SECONDS]) * rate
            first, last = np.searchsorted(track.end_samples, counted)
            own = [keywords.index(word.keyword)] if word.keyword else list(range(len(keywords)))
            best = int(means[first:last + 1, own].max(initial=0))
            lines.append({"recording": track.name, **dataclasses.asdict(word), "best_score": round(best / 255, 4)})
    return sorted(lines, key=lambda line: -line["best_score"])[:SHOWN_MISSES]
