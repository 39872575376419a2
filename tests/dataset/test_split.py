"""Batches hold the right samples at the right place, in an order that seed and epoch alone decide."""

import numpy as np
import pytest

from kws_tf.dataset.split import Split

LENGTHS = [5, 12, 8, 20, 8, 1, 33]


@pytest.fixture
def split():
    lengths = np.array(LENGTHS)
    pcm = np.arange(1, lengths.sum() + 1, dtype=np.int16)
    pcm.flags.writeable = False
    return Split("training", pcm=pcm, starts=np.cumsum(lengths) - lengths, lengths=lengths, labels=[0, 1, 2, 0, 1, 2, 0],
                 paths=[f"training/c{i}.wav" for i in range(7)])


def window(clip, position, n):
    """The definition: the clip in endless zeros, cut at position."""
    padded = np.concatenate([np.zeros(n, np.int16), clip, np.zeros(n, np.int16)])
    return padded[n + position:2 * n + position]


def test_clips_are_views_of_their_samples(split):
    assert split.n_clips == 7 and split.pcm(1).tolist() == list(range(6, 18)) and split.labels.dtype == np.int32
    assert not split.pcm(1).flags.writeable


@pytest.mark.parametrize("crop", ["start", "centre", "end", "energy", "random"])
def test_every_window_is_cut_as_defined_and_keeps_all_it_can(split, crop):
    indices = np.array([6, 0, 3, 3, 5, 2])
    positions = split.windows(indices, 8, crop, np.random.default_rng(0))
    batch = split.fit(indices, 8, crop, np.random.default_rng(0))
    assert batch.dtype == np.int16 and batch.shape == (6, 8)
    for row, i, position in zip(batch, indices, positions, strict=True):
        np.testing.assert_array_equal(row, window(split.pcm(i), position, 8))
        assert np.count_nonzero(row) == min(8, LENGTHS[i])


def test_positions_of_the_fixed_crops(split):
    assert split.windows([0, 1, 2], 8, "start").tolist() == [0, 0, 0]
    assert split.windows([0, 1, 2], 8, "centre").tolist() == [-2, 2, 0]
    assert split.windows([0, 1, 2], 8, "end").tolist() == [-3, 4, 0]


def test_random_windows_reach_every_legal_position_and_no_other(split):
    rng = np.random.default_rng(1)
    drawn = np.array([split.windows([0, 1, 2], 8, "random", rng) for _ in range(300)])
    assert set(drawn[:, 0]) == {-3, -2, -1, 0} and set(drawn[:, 1]) == set(range(5)) and set(drawn[:, 2]) == {0}


def test_the_energy_crop_finds_the_sound_of_a_long_clip_and_centres_a_short_one():
    pcm = np.zeros(100, np.int16)
    pcm[92:97] = [500, -900, 900, -900, 500]
    split = Split("testing", pcm=pcm, starts=[0, 90], lengths=[90, 10], labels=[0, 0], paths=["a", "b"])
    longer = Split("testing", pcm=pcm, starts=[0], lengths=[100], labels=[0], paths=["a"])
    assert split.windows([1], 16, "energy").tolist() == [-3]
    for _ in range(2):  # computed, then remembered
        assert longer.windows([0, 0], 16, "energy").tolist() == [84, 84]
    assert longer.fit([0], 16, "energy").ravel().tolist() == pcm[84:].tolist()
    assert longer.windows([0], 6, "energy").tolist() == [91]


def epoch_of(split, **settings):
    return list(split.batches(**{"batch_size": 3, "clip_samples": 8, "crop": "random", "shuffle": True, **settings}))


def together(batches):
    return [np.concatenate(column) for column in zip(*batches, strict=True)]


def test_every_clip_comes_once_with_its_label(split):
    pcm, labels, indices = together(epoch_of(split, crop="centre"))
    assert sorted(indices) == list(range(7)) and [len(batch[0]) for batch in epoch_of(split)] == [3, 3, 1]
    np.testing.assert_array_equal(labels, split.labels[indices])
    np.testing.assert_array_equal(pcm, split.fit(indices, 8, "centre"))


def test_without_shuffle_the_order_is_that_of_the_paths(split):
    assert together(epoch_of(split, shuffle=False))[2].tolist() == list(range(7))


def test_drop_remainder_leaves_out_the_last_batch_unless_it_is_full(split):
    assert [len(batch[0]) for batch in epoch_of(split, drop_remainder=True)] == [3, 3]
    assert [len(batch[0]) for batch in epoch_of(split, drop_remainder=True, batch_size=7)] == [7]
    assert epoch_of(split, drop_remainder=True, batch_size=8) == []


def test_seed_and_epoch_alone_decide_order_and_windows(split):
    reference = together(epoch_of(split, seed=5, epoch=2))
    for settings in ({}, {"batch_size": 2}, {"batch_size": 7}):
        for ours, expected in zip(together(epoch_of(split, seed=5, epoch=2, **settings)), reference, strict=True):
            np.testing.assert_array_equal(ours, expected)
    for settings in ({"seed": 6, "epoch": 2}, {"seed": 5, "epoch": 3}, {"seed": 2, "epoch": 5}):
        assert not np.array_equal(together(epoch_of(split, **settings))[0], reference[0])


def test_random_windows_change_from_epoch_to_epoch_without_shuffle(split):
    first, second = (together(epoch_of(split, shuffle=False, epoch=epoch))[0] for epoch in (0, 1))
    assert not np.array_equal(first, second)


def test_weights_draw_clips_in_proportion_and_by_the_seed():
    n = 400
    split = Split("training", pcm=np.arange(n, dtype=np.int16), starts=np.arange(n), lengths=np.ones(n, int), labels=np.arange(n) % 4,
                  paths=[str(index) for index in range(n)])
    weights = np.array([0.0, 1.0, 1.0, 6.0])[split.labels]

    def drawn(epoch):
        batches = split.batches(50, 1, "start", seed=1, epoch=epoch, shuffle=True, weights=weights)
        return np.concatenate([labels for _, labels, _ in batches])

    counts = np.bincount(drawn(0), minlength=4)
    assert counts.sum() == n and counts[0] == 0 and 0.65 < counts[3] / n < 0.85
    np.testing.assert_array_equal(drawn(0), drawn(0))
    assert (drawn(0) != drawn(1)).any()
