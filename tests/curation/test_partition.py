import collections

import numpy as np
import pytest

from kws_tf.curation import partition
from kws_tf.curation.partition import Item
from kws_tf.errors import ConfigError, DatasetError

SHARES = {"training": 0.7, "validation": 0.1, "testing": 0.2}


def items_of(n_groups=60, seed=1):
    """Groups of 1 to 9 clips of three classes, one of them rare."""
    rng = np.random.default_rng(seed)
    return [Item(f"{group}/{take}", str(rng.choice(["a", "b", "c"], p=[0.6, 0.3, 0.1])), f"g{group}")
            for group in range(n_groups) for take in range(rng.integers(1, 10))]


def shares_of(items, dealt):
    counts = collections.Counter((item.label, dealt[item.group]) for item in items)
    totals = collections.Counter(item.label for item in items)
    return {key: n / totals[key[0]] for key, n in counts.items()}


def test_every_class_comes_near_its_share():
    items = items_of()
    dealt = partition.deal_balanced(items, SHARES, 3)
    assert set(dealt) == {item.group for item in items}
    for (_label, split), share in shares_of(items, dealt).items():
        assert share == pytest.approx(SHARES[split], abs=0.08)
    assert dealt == partition.deal_balanced(items[::-1], SHARES, 3) != partition.deal_balanced(items, SHARES, 4)


def test_few_groups_still_reach_every_split():
    items = [Item(f"{group}{take}", "a", group) for group, n in (("x", 50), ("y", 2), ("z", 1)) for take in range(n)]
    dealt = partition.deal_balanced(items, SHARES, 1)
    assert sorted(dealt.values()) == ["testing", "training", "validation"] and dealt["x"] == "training"
    with pytest.raises(DatasetError, match="2 groups cannot be dealt to 3 splits"):
        partition.deal_balanced([item for item in items if item.group != "z"], SHARES, 1)


def test_by_hash_new_clips_move_no_other():
    items = items_of(600)
    dealt = partition.deal_by_hash(items, SHARES, 3)
    more = partition.deal_by_hash([*items, *(Item(f"new{n}", "a", f"new{n}") for n in range(50))], SHARES, 3)
    assert {group: more[group] for group in dealt} == dealt and len(more) == len(dealt) + 50
    counts = collections.Counter(dealt.values())
    for split, share in SHARES.items():
        assert counts[split] / 600 == pytest.approx(share, abs=0.05)
    assert dealt != partition.deal_by_hash(items, SHARES, 4)
    with pytest.raises(DatasetError, match="split: validation and testing got none of 1 group; leave --stable away, or give more"):
        partition.deal_by_hash([Item("a", "a", "g4")], SHARES, 3)


@pytest.mark.parametrize("deal", [partition.deal_balanced, partition.deal_by_hash])
def test_wrong_shares_are_refused(deal):
    with pytest.raises(ConfigError, match="sum 1; received 0.7, 0.2. Set --shares"):
        deal(items_of(), {"training": 0.7, "testing": 0.2}, 1)


def test_equal_sounds_join_their_groups():
    items = [Item(name, "a", group) for name, group in (("1", "p"), ("2", "q"), ("3", "q"), ("4", "r"), ("5", "s"))]
    joined = partition.join_equal(items, ["x", "x", "y", "y", "z"])
    assert [item.group for item in joined] == ["p", "p", "p", "p", "s"]
    assert [item.path for item in joined] == ["1", "2", "3", "4", "5"]


def test_clusters_keep_alike_clips_together():
    rng = np.random.default_rng(1)
    colours = rng.normal(size=(4, 16)) * 3
    features = np.stack([np.repeat(colours[index % 4] + rng.normal(size=16) * 0.1, 16) for index in range(40)]).astype(np.float32)
    groups = partition.by_cluster(features, 4, seed=2)
    assert len(set(groups)) == 4 and all(groups[index] == groups[index % 4] for index in range(40))
    assert partition.by_cluster(features[:1], 4, seed=2) == ["cluster0000"]
