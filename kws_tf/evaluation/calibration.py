"""Chooses threshold and window of the detector on validation recordings, and says what their hours can show."""

import dataclasses
import pathlib

import numpy as np
from absl import logging
from tqdm import tqdm

from kws_tf import audio
from kws_tf.counted import counted
from kws_tf.dataset.scan import subfolders
from kws_tf.detector_settings import HIGHEST_SCORE, DetectorPreset, DetectorPresets, DetectorSettings, release_for
from kws_tf.errors import AudioError, ConfigError, DatasetError
from kws_tf.evaluation import annotations, detection
from kws_tf.evaluation.annotations import Word
from kws_tf.evaluation.intervals import hours_to_show
from kws_tf.evaluation.report_text import number
from kws_tf.evaluation.score_track import find_recordings, score_recordings, score_signals
from kws_tf.evaluation.sweep import Sweep
from kws_tf.runtime import model_file
from kws_tf.runtime.detection import configure, score_samples

# Name of the preset, and its false accepts per hour as a multiple of the target.
PRESETS = (("sensitive", 4.0), ("balanced", 1.0), ("strict", 0.25))
DEFAULT = "balanced"
WINDOWS_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5)
FAINT_NOISE = 4.0
TAIL_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Spoken:
    """Recordings with the keywords, ready to be scored.

    Args:
        signals: list of (name, int16 [samples]), or paths of audio files. words: list of Words of each.
    """

    signals: list
    words: list


def calibrate(model_path, ambient, positives, target_per_hour, *, keywords=(), windows_seconds=WINDOWS_SECONDS, refractory_seconds=1.0,
              release_ratio=0.75, workers=None, progress=True, **options):
    """Sweeps threshold and window of the detector and picks three presets.

    A preset is the setting with the fewest misses among those with at most rate * hours false accepts, rounded down; of equal ones that
    with fewer false accepts, then the higher threshold, then the shorter window. Where the hours are too few to tell "strict" from
    "balanced", its threshold is raised half-way to 1 beyond that of "balanced".

    Args:
        model_path: a streaming model: .tflite file or export folder.
        ambient: folder or file of recordings without the keywords; best some hours of the place where the device will be.
        positives: folder of clips, <keyword>/**, or a JSON file of annotations; events beside the words of the latter are false accepts
            too, and their hours count.
        target_per_hour: false accepts per hour that "balanced" aims at; "sensitive" aims at four times, "strict" at a quarter of it.
        keywords: labels to look for; () for all but those such as _unknown_.
        windows_seconds: lengths of the mean to try. refractory_seconds, release_ratio: see DetectorSettings.of_probability.
        workers, progress, options: see score_track.score_recordings.

    Returns:
        DetectorPresets; the figures of each are in `measured`: target_per_hour, false_accepts, hours, per_hour, upper_bound_per_hour,
        words, hits, misses, miss_rate, miss_interval, supported (whether the bound is within the target), note.

    Raises:
        DatasetError, AudioError: recordings that cannot be used. ConfigError: values out of range. ModelFileError: no streaming model.
    """
    if not target_per_hour > 0:
        raise ConfigError(f"--target_fa_per_hour must be positive; received {target_per_hour!r}.")
    manifest, _ = model_file.read(model_path)
    keywords = configure(dataclasses.replace(manifest, detector=None), keywords=keywords)[0]
    period = score_samples(manifest) / manifest.sample_rate
    candidates = [DetectorSettings.of_probability(0.5, period, window_seconds=seconds, refractory_seconds=refractory_seconds,
                                                  release_ratio=release_ratio) for seconds in sorted(windows_seconds)]
    spoken = read_positives(positives, keywords, manifest)
    quiet_files = find_recordings(ambient)
    scored = {"workers": workers, "progress": progress, **options}
    quiet = score_recordings(model_path, quiet_files, title="without the keywords", **scored)
    continuous = isinstance(spoken.signals[0], pathlib.Path)
    score = score_recordings if continuous else score_signals
    tracks = score(model_path, spoken.signals, title="with the keywords", **scored)
    detection.check_lengths(tracks, spoken.words)
    sweep = Sweep(manifest.labels, keywords, quiet, tracks, spoken.words, count_positive=continuous)
    found = [(settings, point) for base in tqdm(candidates, desc="sweep", unit="window", disable=not progress or None, leave=False)
             for settings, point in settings_and_points(sweep, base, release_ratio)]
    return DetectorPresets(keywords, DEFAULT, choose(found, sweep, target_per_hour, release_ratio))


def settings_and_points(sweep, base, release_ratio):
    """[(DetectorSettings, point)] of every threshold with the window and pause of `base`."""
    every = [with_threshold(base, threshold, release_ratio) for threshold in range(1, HIGHEST_SCORE + 1)]
    return [(settings, sweep.point(settings)) for settings in every]


def with_threshold(settings, threshold, release_ratio):
    """The settings with another threshold and its release."""
    return dataclasses.replace(settings, threshold=threshold, release=release_for(threshold, release_ratio))


def choose(found, sweep, target_per_hour, release_ratio):
    """Picks the presets.

    Args:
        found: list of (DetectorSettings, point of Sweep.point). sweep: the Sweep. target_per_hour, release_ratio: see calibrate.

    Returns:
        tuple of DetectorPreset, in the order of PRESETS.
    """
    chosen = {}
    for name, factor in PRESETS:
        target = factor * target_per_hour
        allowed = int(target * sweep.hours)
        possible = [pair for pair in found if pair[1]["false_accepts"] <= allowed]
        note = ""
        if not possible:
            fewest = min(point["false_accepts"] for _, point in found)
            possible = [pair for pair in found if pair[1]["false_accepts"] == fewest]
            note = f"no setting has {counted(allowed, 'false accept')} or fewer; this has the fewest"
        best = min(possible, key=lambda pair: (pair[1]["misses"], pair[1]["false_accepts"], -pair[0].threshold, pair[0].window_scores))
        settings, point = best
        if name == "strict" and settings == chosen["balanced"][0]:
            raised = (settings.threshold + 255 + 1) // 2
            moved = "; the threshold is raised half-way to 1" if raised > settings.threshold else ", whose threshold is 1 already"
            settings = with_threshold(settings, raised, release_ratio)
            point = sweep.point(settings)
            note = note or "these hours cannot tell it from balanced" + moved
        elif name == "balanced" and settings == chosen["sensitive"][0]:
            note = note or "these hours cannot tell it from sensitive"
        chosen[name] = settings, figures(point, sweep, target, note)
    return tuple(DetectorPreset(name, *chosen[name]) for name, _ in PRESETS)


def figures(point, sweep, target_per_hour, note):
    """What is stored with a preset, see calibrate."""
    false = detection.false_accept_figures(point["false_accepts"], sweep.hours)
    supported = false["upper_bound_per_hour"] <= target_per_hour
    if not supported:
        events = point["false_accepts"]
        needed = number(hours_to_show(target_per_hour, events))
        promise = (f"best effort: {sweep.hours:.2f} hours with {counted(events, 'false accept')} show fewer than "
                   f"{number(false['upper_bound_per_hour'])} per hour, not {number(target_per_hour)}; that needs {needed} hours "
                   f"{'with no more' if events else 'without one'}")
        note = f"{note}; {promise}" if note else promise
    return {"target_per_hour": target_per_hour, **false, **detection.miss_figures(point["hits"], sweep.n_words), "supported": supported,
            "note": note}


def read_positives(path, keywords, manifest):
    """The recordings with the keywords.

    Clips are put into faint noise: the length of the network's window before them, and a second after. A clip counts as the word from
    its start to its end.

    Args:
        path: folder of clips, <keyword>/**, or a JSON file of annotations.
        keywords: of the model. manifest: its Manifest.

    Returns:
        Spoken.

    Raises:
        DatasetError: a keyword without clips, or no such folder. AudioError: clips that cannot be read; all are listed.
    """
    path = pathlib.Path(path)
    if path.is_file():
        recordings = annotations.read(path)
        words, n_others = detection.own_words(recordings, keywords)
        if n_others:
            logging.info("%s: left out: %s that the model does not know.", path, counted(n_others, "word"))
        return Spoken([recording.path for recording in recordings], words)
    present = subfolders(path)
    missing = [keyword for keyword in keywords if keyword not in present]
    if missing:
        raise DatasetError(f"--positives={path}: no folder for {', '.join(missing)}; expected <keyword>/** for {', '.join(keywords)}, or a "
                           "JSON file of annotations.")
    others = [name for name in present if name not in keywords]
    if others:
        logging.info("%s: the folders %s are no keywords and are left out.", path, ", ".join(others))
    random, spoken, problems = np.random.default_rng(0), Spoken([], []), []
    for keyword in keywords:
        for file in find_recordings(path / keyword):
            try:
                pcm = audio.read_pcm(file, manifest.sample_rate)
            except AudioError as error:
                problems.append(str(error))
                continue
            lead, tail = manifest.clip_samples, round(TAIL_SECONDS * manifest.sample_rate)
            noise = np.rint(random.normal(0, FAINT_NOISE, lead + len(pcm) + tail)).astype(np.int64)
            noise[lead:lead + len(pcm)] = pcm
            spoken.signals.append((str(file), noise.astype(np.int16)))
            spoken.words.append([Word(lead / manifest.sample_rate, (lead + len(pcm)) / manifest.sample_rate, keyword)])
    if problems:
        raise AudioError("\n  ".join([f"--positives={path}: {counted(len(problems), 'clip')} cannot be used.", *problems]))
    return spoken
