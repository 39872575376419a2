"""Which voice variants of espeak-ng are one speaker, and splits of a data set in which no speaker is in two."""

import itertools
import re

from kws_tf.counted import counted
from kws_tf.errors import ConfigError

# Share of common settings from which on two variants sound like one speaker: beyond it lie renamed copies and small retouches.
_SAME_SPEAKER = 0.45
# Robots, echoes, whispers and monsters are no speakers that a device will hear; "fast" is the plain voice by another name.
_EFFECTS = re.compile(r"robo|ricishay|whisper|demonic|announcer|^fast$", re.IGNORECASE)
_NOT_ACOUSTIC = {"language", "name", "gender", "status", "maintainer"}


def natural(variants):
    """The variants that are meant to sound like a person.

    Args:
        variants: Espeak.variants.
    """
    return tuple(variant for variant in variants if not _EFFECTS.search(variant.identifier))


def group_by_speaker(variants, data_path):
    """Joins the variants that are one speaker: numbered takes of one name, and near-copies by the settings in their files.

    Similarity is |A and B| / |A or B| of the two sets of settings (formants, pitch, roughness, ...), joined transitively.

    Args:
        variants: Espeak.variants, or some of them.
        data_path: Espeak.data_path.

    Returns:
        Tuple of speakers; each is a tuple of Voice, in the order of `variants`.
    """
    settings = {variant.identifier: _settings(data_path / "voices" / "!v" / variant.identifier) for variant in variants}
    leader = {variant.identifier: variant.identifier for variant in variants}
    for one, other in itertools.combinations(variants, 2):
        first, second = one.identifier, other.identifier
        if _take_of(first) == _take_of(second) or _similarity(settings[first], settings[second]) > _SAME_SPEAKER:
            old, new = leader[second], leader[first]
            leader = {name: new if group == old else group for name, group in leader.items()}
    groups = {}
    for variant in variants:
        groups.setdefault(leader[variant.identifier], []).append(variant)
    return tuple(tuple(group) for group in groups.values())


def split(speakers, shares, rng):
    """Deals speakers to splits, women and men apart, so that every split hears both. Of few, every split gets one at least.

    Args:
        speakers: from `group_by_speaker`.
        shares: split name -> share of the speakers, together 1, as {"training": 0.7, "testing": 0.3}.
        rng: numpy Generator.

    Returns:
        Split name -> tuple of speakers.

    Raises:
        ConfigError: the shares are not positive numbers with sum 1, or there are fewer speakers than splits.
    """
    if min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ConfigError(f"speakers: the shares of the splits must be positive and add up to 1; received {dict(shares)}.")
    if len(speakers) < len(shares):
        raise ConfigError(f"speakers: {counted(len(speakers), 'speaker')}, too few for {', '.join(shares)}, which share none. Give --voice "
                          "more often, or an engine with more speakers before this one: --engine=espeak --engine=...")
    dealt = {name: [] for name in shares}
    for gender in sorted({speaker[0].gender for speaker in speakers}):
        group = [speaker for speaker in speakers if speaker[0].gender == gender]
        group = [group[index] for index in rng.permutation(len(group))]
        start, end = 0, 0.0
        for name, share in shares.items():
            end += share * len(group)
            dealt[name] += group[start:round(end)]
            start = round(end)
    for group in dealt.values():
        if not group:
            several = [name for name in shares if len(dealt[name]) > 1]
            group.append(dealt[max(several, key=lambda name: len(dealt[name]) / shares[name])].pop())
    return {name: tuple(group) for name, group in dealt.items()}


def _settings(path):
    lines = (re.split("#|//", line)[0].split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    return {tuple(words) for words in lines if words and words[0] not in _NOT_ACOUSTIC}


def _similarity(first, second):
    return len(first & second) / max(1, len(first | second))


def _take_of(identifier):
    """The name without the number of the take: steph2 -> steph. The one-letter names m1 ... f5 are different speakers."""
    name = identifier.rstrip("0123456789")
    return name if len(name) > 1 else identifier
