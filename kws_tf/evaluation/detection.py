"""Events against what was really said: hits, misses, false accepts, latency."""

import bisect
import dataclasses

import numpy as np

from kws_tf.counted import counted
from kws_tf.errors import DatasetError
from kws_tf.evaluation.intervals import poisson_upper_bound, wilson_interval

GRACE_SECONDS = 1.0
# Ends of words in annotations are rounded, and may lie a little behind the last sample.
ROUNDING_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class Match:
    """The events of one recording, sorted by what they are.

    Args:
        hits: tuple of (word, event): the event that found the word.
        missed: words that none found.
        repeats: further events of a word that was found already.
        false_accepts: all other events.
    """

    hits: tuple
    missed: tuple
    repeats: tuple
    false_accepts: tuple


def match(events, words, sample_rate):
    """Assigns events to words.

    An event finds a word if it has its keyword (or the word has none) and starts from the start of the word to GRACE_SECONDS after its
    end. In the order of time, it takes the first such word that is not found yet; if all are found, it is a repeat.

    Args:
        events: list of runtime.Event, in order. words: list of annotations.Word, by rising start.
        sample_rate: Hz.

    Returns:
        Match.
    """
    found, repeats, false_accepts = {}, [], []
    starts, first = [word.start_seconds for word in words], 0
    for event in events:
        time = event.start_sample / sample_rate
        after = bisect.bisect_right(starts, time)
        while first < after and words[first].end_seconds + GRACE_SECONDS < time:
            first += 1
        possible = [index for index in range(first, after) if words[index].keyword in ("", event.keyword)
                    and time <= words[index].end_seconds + GRACE_SECONDS]
        free = [index for index in possible if index not in found]
        if free:
            found[free[0]] = event
        else:
            (repeats if possible else false_accepts).append(event)
    return Match(tuple((words[index], event) for index, event in sorted(found.items())),
                 tuple(word for index, word in enumerate(words) if index not in found), tuple(repeats), tuple(false_accepts))


def own_words(recordings, keywords):
    """The words of every recording that a model has to find: those with one of its keywords, or without a name.

    Args:
        recordings: list of AnnotatedRecording. keywords: of the model.

    Returns:
        list of lists of Word, and the number of words that were left out because they are no keywords.

    Raises:
        DatasetError: none is left.
    """
    own = [[word for word in recording.words if word.keyword in ("", *keywords)] for recording in recordings]
    n_all = sum(len(recording.words) for recording in recordings)
    n_own = sum(len(words) for words in own)
    if not n_own:
        found = sorted({word.keyword for recording in recordings for word in recording.words})
        raise DatasetError(f"no annotated word is a keyword of the model: annotated are {', '.join(found) or 'none'}; "
                           f"keywords are {', '.join(keywords)}.")
    return own, n_all - n_own


def check_lengths(tracks, words):
    """Refuses recordings that end before their last word: what is not there cannot be missed.

    Args:
        tracks: list of Track. words: list of lists of Word, of each track.

    Raises:
        DatasetError: lists every such recording.
    """
    problems = []
    for track, own in zip(tracks, words, strict=True):
        length, end = track.n_samples / track.sample_rate, max((word.end_seconds for word in own), default=0)
        if end > length + ROUNDING_SECONDS:
            problems.append(f"{track.name}: the last word ends at {end:.2f} s, the recording at {length:.2f} s.")
    if problems:
        raise DatasetError(f"the audio ends before the last annotated word in {counted(len(problems), 'recording')}; the file may be "
                           "another or a shortened one.", problems)


def false_accept_figures(events, hours):
    """False accepts per hour with their bound.

    Args:
        events: number of false accepts. hours: of audio.

    Returns:
        dict: false_accepts, hours, per_hour, upper_bound_per_hour (95 %, Poisson).
    """
    return {"false_accepts": int(events), "hours": hours, "per_hour": events / hours,
            "upper_bound_per_hour": poisson_upper_bound(events) / hours}


def miss_figures(hits, words):
    """Share of words that were missed.

    Returns:
        dict: words, hits, misses, miss_rate, miss_interval (Wilson, 95 %); the rates are None without words.
    """
    misses = words - hits
    return {"words": int(words), "hits": int(hits), "misses": int(misses), "miss_rate": misses / words if words else None,
            "miss_interval": list(wilson_interval(misses, words)) if words else None}


def latency_figures(matches, sample_rate):
    """Time from the end of the word to the event.

    Args:
        matches: list of Match. sample_rate: Hz.

    Returns:
        dict: events, median_seconds, p95_seconds (None without hits), seconds (all of them, sorted). Negative where the event comes
        before the annotated end.
    """
    seconds = np.sort([event.start_sample / sample_rate - word.end_seconds for found in matches for word, event in found.hits])
    return {"events": len(seconds), "median_seconds": float(np.median(seconds)) if len(seconds) else None,
            "p95_seconds": float(np.percentile(seconds, 95)) if len(seconds) else None, "seconds": [round(float(s), 3) for s in seconds]}


def by_group(matches, group_of):
    """Misses by a property of the words.

    Args:
        matches: list of Match.
        group_of: function of a Word that returns (position for sorting, name of the group), or None to leave it out.

    Returns:
        list of dicts in the order of the positions: group and the entries of miss_figures.
    """
    counts = {}
    for found in matches:
        for word, hit in [*((word, 1) for word, _ in found.hits), *((word, 0) for word in found.missed)]:
            group = group_of(word)
            if group is not None:
                hits, words = counts.get(group, (0, 0))
                counts[group] = hits + hit, words + 1
    return [{"group": name, **miss_figures(*counts[position, name])} for position, name in sorted(counts)]


def band(condition, edges, unit):
    """A `group_of` for by_group: bands of a numeric condition, such as 0 to 10 dB.

    Args:
        condition: name in Word.conditions. edges: rising numbers; the first and the last band are open. unit: of the edges.
    """
    def group(word):
        value = word.conditions.get(condition)
        if not isinstance(value, (int, float)):
            return None
        index = int(np.searchsorted(edges, value, side="right"))
        if index == 0:
            return index, f"below {edges[0]:g} {unit}"
        if index == len(edges):
            return index, f"{edges[-1]:g} {unit} and more"
        return index, f"{edges[index - 1]:g} to {edges[index]:g} {unit}"
    return group


def named(condition):
    """A `group_of` for by_group: the value of a condition, such as the speaker."""
    def group(word):
        value = word.conditions.get(condition)
        return None if value in (None, "") else (str(value), str(value))
    return group
