"""Dealing clips to splits: whole groups only, equal sounds together, every class in its share."""

import collections
import dataclasses
import hashlib

import numpy as np

from kws_tf.counted import counted
from kws_tf.errors import ConfigError, DatasetError


@dataclasses.dataclass(frozen=True)
class Item:
    """A clip to deal: its path below the source folder, its class, its group (clips of one group stay together)."""

    path: str
    label: str
    group: str


def join_equal(items, sounds):
    """Items with the groups joined that share a sound, so that no split hears what another holds.

    Args:
        items: list of Item. sounds: hash of each item's samples.

    Returns:
        List of Item in the same order; a joined group has the name of its first.
    """
    leader = {}

    def find(group):
        while leader.setdefault(group, group) != group:
            group = leader[group]
        return group

    first = {}
    for item, sound in zip(items, sounds, strict=True):
        one, other = find(item.group), find(first.setdefault(sound, item.group))
        leader[max(one, other)] = min(one, other)
    return [dataclasses.replace(item, group=find(item.group)) for item in items]


def deal_balanced(items, shares, seed):
    """Deals groups so that every class comes near its share in every split.

    Large groups first, in random order among equals; each goes to the split that lacks most of what the group has, as shares of
    each class.

    Args:
        items: list of Item. shares: dict of split to its share, together 1. seed: of the order.

    Returns:
        Dict of group to split.

    Raises:
        ConfigError: the shares are not positive numbers with sum 1.
        DatasetError: fewer groups than splits.
    """
    _check_shares(shares)
    groups = collections.defaultdict(collections.Counter)
    for item in items:
        groups[item.group][item.label] += 1
    if len(groups) < len(shares):
        raise DatasetError(f"split: {counted(len(groups), 'group')} cannot be dealt to {counted(len(shares), 'split')}. "
                           "Group by something finer, --by.")
    total = collections.Counter(item.label for item in items)
    wanted = {split: {label: share * n for label, n in total.items()} for split, share in shares.items()}
    names = sorted(groups)
    rng = np.random.default_rng(seed)
    order = sorted(rng.permutation(len(names)).tolist(), key=lambda index: -sum(groups[names[index]].values()))
    dealt, empty = {}, set(shares)
    for position, index in enumerate(order):
        counts = groups[names[index]]
        # The last groups go to splits that have none yet.
        open_splits = empty if len(order) - position <= len(empty) else shares
        best = max(sorted(open_splits), key=lambda split: sum(n * wanted[split][label] / total[label] for label, n in counts.items()))
        for label, n in counts.items():
            wanted[best][label] -= n
        dealt[names[index]] = best
        empty.discard(best)
    return dealt


def deal_by_hash(items, shares, seed):
    """Deals each group by the hash of its name alone: clips that are added later move no other. Shares are met on average.

    Args, Returns, Raises: as `deal_balanced`; a DatasetError if a split got none.
    """
    _check_shares(shares)
    ends = np.cumsum(list(shares.values()))
    splits = list(shares)
    dealt = {}
    for group in sorted({item.group for item in items}):
        place = int.from_bytes(hashlib.sha256(f"{seed}/{group}".encode()).digest()[:8], "big") / 2**64
        dealt[group] = splits[min(int(np.searchsorted(ends, place, side="right")), len(splits) - 1)]
    empty = [split for split in splits if split not in dealt.values()]
    if empty:
        raise DatasetError(f"split: {' and '.join(empty)} got none of {counted(len(dealt), 'group')}; leave --stable away, or give more.")
    return dealt


def by_cluster(features, n_clusters, seed):
    """Groups for recordings without names: clusters of clips that sound alike, by k-means on light features.

    A stand-in for speakers: voices and rooms that are alike come together, so a split hears fewer voices of another. It proves nothing.

    Args:
        features: float32 [clips, n], of `clip_facts.light_features`.
        n_clusters: at most so many. seed: of the start.

    Returns:
        List of group names.
    """
    from scipy.cluster.vq import kmeans2

    # Means over time: the colour of voice and room more than the word.
    n_bands = 16
    colour = features.reshape(len(features), n_bands, -1).mean(axis=2).astype(np.float64)
    colour = (colour - colour.mean(axis=0)) / (colour.std(axis=0) + 1e-6)
    n_clusters = min(n_clusters, len(np.unique(colour, axis=0)))
    _, found = kmeans2(colour, n_clusters, minit="++", seed=seed, missing="warn") if n_clusters > 1 else (None, np.zeros(len(colour), int))
    return [f"cluster{index:04d}" for index in found]


def _check_shares(shares):
    if min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ConfigError(f"split: shares must be positive numbers with sum 1; received {', '.join(f'{n:g}' for n in shares.values())}. "
                          "Set --shares.")
