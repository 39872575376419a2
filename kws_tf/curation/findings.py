"""The checks of a data set: each looks at the measurements of all clips and names those that have a fault."""

import collections
import typing

import numpy as np

from kws_tf.config import SPLITS
from kws_tf.counted import counted

_CLIPPED, _DC, _QUIET_DBFS, _SHORT_OF_MEDIAN = 0.002, 0.02, -50.0, 0.35
_CUT_DB = -12.0
_FEW_CLIPS, _IMBALANCE = 10, 10.0
_NEEDED_SPLITS = ("training", "validation")


class Finding(typing.NamedTuple):
    """A fault.

    Args:
        check: name of the check. severity: "error" (figures measured on this set cannot be trusted, or training refuses it) or "warning".
        text: what was found, in words. paths: the clips, first the one to look at; may be empty.
        advice: what to do.
    """

    check: str
    severity: str
    text: str
    paths: tuple[str, ...] = ()
    advice: str = ""


def examine(facts, silence_labels=("_silence_",)):
    """All checks that need nothing but the measurements.

    Args:
        facts: list of ClipFacts. silence_labels: classes whose clips may be silent, short of sound or loud at their ends.

    Returns:
        List of Finding, in the order of the checks.
    """
    readable = [fact for fact in facts if not fact.problem]
    spoken = [fact for fact in readable if fact.label not in silence_labels]
    checks = (unreadable(facts), missing_splits(facts), same_content(readable), shared_speakers(readable), mixed_formats(readable),
              clipping(readable), offset(readable), silence(spoken), quiet(spoken), durations(spoken), cut_off(spoken),
              class_balance(readable))
    return [finding for found in checks for finding in found]


def unreadable(facts):
    """Files that cannot be decoded."""
    return [Finding("unreadable", "error", f"{fact.path}: {fact.problem}", (fact.path,), "Mend or remove it.")
            for fact in facts if fact.problem]


def missing_splits(facts):
    """Splits and classes that training needs. A folder without any split is not laid out for training yet, and passes."""
    present, labels = {fact.split for fact in facts}, {fact.label for fact in facts}
    if present.isdisjoint(SPLITS):
        return []
    found = [Finding("layout", "error", f"there is no {split} clip", (), "Deal the clips to splits: python -m kws_tf.split.")
             for split in _NEEDED_SPLITS if split not in present]
    if len(labels) < 2:
        found.append(Finding("layout", "error", f"there is no class but {', '.join(labels)}", (), "A classifier needs two or more."))
    return found


def same_content(facts):
    """The same sound twice: in two splits, under two labels, or in one place."""
    by_sound = collections.defaultdict(list)
    for fact in facts:
        if not fact.silent:
            by_sound[fact.sound].append(fact)
    found = []
    for same in by_sound.values():
        if len(same) < 2:
            continue
        paths, splits, labels = _paths(same), sorted({fact.split for fact in same}), sorted({fact.label for fact in same})
        listed = ", ".join(paths)
        if len(splits) > 1:
            found.append(Finding("leak by content", "error", f"the same sound is in {' and '.join(splits)}: {listed}", paths,
                                 "Keep it in one split."))
        elif len(labels) > 1:
            found.append(Finding("contradiction", "error", f"the same sound has the labels {' and '.join(labels)}: {listed}", paths,
                                 "Keep the right one."))
        else:
            found.append(Finding("copy", "warning", f"the same sound {len(same)} times: {listed}", paths, "Keep one of them."))
    return found


def shared_speakers(facts):
    """Speakers who are heard in two splits: a model recognises the voice, not the word."""
    splits = collections.defaultdict(lambda: collections.defaultdict(list))
    for fact in facts:
        if fact.speaker:
            splits[fact.speaker][fact.split].append(fact.path)
    found = []
    for speaker, own in sorted(splits.items()):
        if len(own) > 1:
            where = ", ".join(f"{split} ({counted(len(paths), 'clip')})" for split, paths in own.items())
            found.append(Finding("leak by speaker", "error", f"speaker {speaker} is in {where}",
                                 tuple(path for paths in own.values() for path in paths[:2]),
                                 "Split again by speaker: python -m kws_tf.split."))
    return found


def mixed_formats(facts):
    """Rates and channels other than those of most clips; often these files are from elsewhere, or were resampled wrongly."""
    found = []
    for name, unit in (("sample_rate", "Hz"), ("channels", "channels")):
        counts = collections.Counter(getattr(fact, name) for fact in facts)
        if len(counts) > 1:
            usual = counts.most_common(1)[0][0]
            odd = [fact for fact in facts if getattr(fact, name) != usual]
            kinds = ", ".join(f"{n} of {value} {unit}" for value, n in counts.most_common())
            found.append(Finding("mixed formats", "warning", f"{kinds}; not {usual} {unit}: {_some(odd)}", _paths(odd),
                                 "They are converted when loaded; check that the header tells the truth."))
    return found


def clipping(facts):
    """Clips with flat tops."""
    odd = sorted((fact for fact in facts if fact.clipped > _CLIPPED), key=lambda fact: -fact.clipped)
    return _one("clipping", "warning", odd, "{n} with flat tops in more than 0.2 % of the samples, worst first: {some}",
                lambda fact: f" ({100 * fact.clipped:.1f} %)", "Record them again with less gain.")


def offset(facts):
    """Clips whose mean is far from zero."""
    odd = sorted((fact for fact in facts if abs(fact.dc) > _DC), key=lambda fact: -abs(fact.dc))
    return _one("offset", "warning", odd, "{n} with a constant offset (DC) above 2 % of full scale: {some}",
                lambda fact: f" ({fact.dc:+.3f})", "Subtract the mean, or mend the recorder.")


def silence(facts):
    """Clips of a word in which nothing is heard."""
    odd = [fact for fact in facts if fact.silent]
    return _one("silence", "error", odd, "{n} without any sound, in classes of words: {some}", lambda fact: f" ({fact.rms_dbfs:.0f} dBFS)",
                "Remove them.")


def quiet(facts):
    """Clips that are far below the usual level."""
    odd = sorted((fact for fact in facts if not fact.silent and fact.rms_dbfs < _QUIET_DBFS), key=lambda fact: fact.rms_dbfs)
    return _one("very quiet", "warning", odd, "{n} below -50 dBFS at their loudest: {some}", lambda fact: f" ({fact.rms_dbfs:.0f} dBFS)",
                "Listen to them; 16 bits have little left there.")


def durations(facts):
    """Clips much shorter than is usual in the set."""
    if not facts:
        return []
    median = float(np.median([fact.duration_s for fact in facts]))
    odd = sorted((fact for fact in facts if fact.duration_s < _SHORT_OF_MEDIAN * median), key=lambda fact: fact.duration_s)
    return _one("too short", "warning", odd, f"{{n}} shorter than a third of the usual {median:.2f} s: {{some}}",
                lambda fact: f" ({fact.duration_s:.2f} s)", "Listen to them; the word may be missing.")


def cut_off(facts):
    """Words that begin before the clip or end after it: loud at the very edge, though there is silence elsewhere."""
    odd = [fact for fact in facts
           if not fact.silent and fact.spoken_s < 0.9 * fact.duration_s and max(fact.start_db, fact.end_db) > _CUT_DB]
    odd.sort(key=lambda fact: -max(fact.start_db, fact.end_db))
    return _one("cut off", "warning", odd, "{n} are within 12 dB of their loudest at the first or last 30 ms: {some}",
                lambda fact: f" ({'start' if fact.start_db > fact.end_db else 'end'})", "Cut them anew from the recording, with a margin.")


def class_balance(facts):
    """Classes that a split lacks, and those with too few clips."""
    counts = collections.Counter((fact.split, fact.label) for fact in facts)
    labels, found = sorted({fact.label for fact in facts}), []
    for split in sorted({fact.split for fact in facts}):
        own = {label: counts[split, label] for label in labels}
        missing = [label for label, n in own.items() if not n]
        if missing:
            found.append(Finding("class balance", "error", f"{split} has no clip of {', '.join(missing)}", (),
                                 "Every split needs every class."))
        present = {label: n for label, n in own.items() if n}
        scarce = [f"{label} ({n})" for label, n in present.items() if n < _FEW_CLIPS]
        if scarce:
            found.append(Finding("class balance", "warning", f"{split} has fewer than {_FEW_CLIPS} clips of {', '.join(scarce)}", (),
                                 "Figures of so few clips mean little; record or synthesise more."))
        elif max(present.values()) > _IMBALANCE * min(present.values()):
            text = ", ".join(f"{label} {n}" for label, n in sorted(present.items(), key=lambda item: -item[1]))
            found.append(Finding("class balance", "warning", f"{split} is lopsided: {text}", (),
                                 "Use --class_weights=balanced, or add clips."))
    return found


def _one(check, severity, odd, text, detail, advice):
    if not odd:
        return []
    return [Finding(check, severity, text.format(n=f"{len(odd)} clip{'s'[:len(odd) > 1]}", some=_some(odd, detail)), _paths(odd), advice)]


def _some(facts, detail=lambda fact: "", shown=5):
    more = f", and {len(facts) - shown} more" if len(facts) > shown else ""
    return ", ".join(f"{fact.path}{detail(fact)}" for fact in facts[:shown]) + more


def _paths(facts):
    return tuple(fact.path for fact in facts)
