"""The window of the network finds the word and never leaves the clip."""

import tracemalloc

import numpy as np
import pytest

from kws_tf import crop
from kws_tf.errors import ConfigError

RATE = 16000


def word_in_noise(at_samples, n_samples, *, length=6000, level=8000, noise=100, offset=0, seed=0):
    """A clip of faint noise with a loud word."""
    pcm = np.random.default_rng(seed).normal(offset, noise, n_samples)
    pcm[at_samples:at_samples + length] += level * np.sin(0.3 * np.arange(length)) * np.hanning(length)
    return np.rint(pcm).astype(np.int16)


def test_start_range_keeps_all_of_a_short_clip_and_fills_the_window_from_a_long_one():
    first, last = crop.start_range([7, 10, 14], 10)
    np.testing.assert_array_equal(first, [-3, 0, 0])
    np.testing.assert_array_equal(last, [0, 0, 4])


@pytest.mark.parametrize("name, expected", [("start", [0, 0, 0]), ("centre", [-2, 0, 2]), ("end", [-3, 0, 5])])
def test_fixed_starts(name, expected):
    np.testing.assert_array_equal(crop.fixed_starts([7, 10, 15], 10, name), expected)


def test_an_unknown_crop_is_refused():
    with pytest.raises(ConfigError, match="'random', 'energy'.*received 'middle'"):
        crop.fixed_starts([1], 1, "middle")


@pytest.mark.parametrize("offset", [0, 6000])
@pytest.mark.parametrize("noise", [0, 100, 1500])
@pytest.mark.parametrize("at_samples", [0, 300, 17000, 41000, 42000])
def test_the_energy_window_holds_the_whole_word(at_samples, noise, offset):
    pcm = word_in_noise(at_samples, 48000, noise=noise, offset=offset)
    start = crop.energy_start(pcm, RATE)
    assert 0 <= start <= 32000
    # The ends of the word fade out, so its middle 80 % is what must be inside.
    assert start <= at_samples + 600 and at_samples + 5400 <= start + RATE


def test_the_energy_window_centres_a_word_that_has_room_on_both_sides():
    start = crop.energy_start(word_in_noise(20000, 48000, noise=30), RATE)
    assert abs(start + 8000 - 23000) < 1000


def test_a_keyword_at_the_very_end_is_kept_where_a_cut_at_the_start_loses_it():
    pcm = word_in_noise(42000, 48000)
    energy = lambda window: np.square(window.astype(float)).sum()  # noqa: E731
    kept, start = crop.fit_clip(pcm, RATE, "energy")
    lost, _ = crop.fit_clip(pcm, RATE, "start")
    assert start == 32000 and energy(kept) > 0.99 * energy(pcm) and energy(lost) < 0.01 * energy(pcm)


def energy_start_in_words(pcm, clip_samples):
    """What the docstring says, position by position."""
    power = np.square(pcm.astype(np.float64) - pcm.astype(np.float64).mean())
    sums = np.concatenate([[0.0], np.cumsum(power)])
    positions = range(-clip_samples, len(pcm) + 1)
    energy = {at: sums[min(at + clip_samples, len(pcm))] - sums[max(at, 0)] for at in positions}
    inside = range(len(pcm) - clip_samples + 1)
    best = max(inside, key=lambda at: (energy[at], -at))
    enough = energy[best] - 0.02 * (energy[best] - min(energy[at] for at in inside))
    first, last = best, best
    while first - 1 in energy and energy[first - 1] >= enough:
        first -= 1
    while last + 1 in energy and energy[last + 1] >= enough:
        last += 1
    return min(max((first + last) // 2, 0), len(pcm) - clip_samples)


@pytest.mark.parametrize("seed", range(60))
def test_the_energy_window_is_the_one_of_the_rule(seed):
    rng = np.random.default_rng(seed)
    n_samples = int(rng.integers(1, 300))
    pcm = np.rint(rng.normal(0, rng.uniform(0, 9000), n_samples) * (rng.random(n_samples) < rng.random())).clip(-32768, 32767)
    clip_samples = int(rng.integers(1, n_samples + 1))
    assert crop.energy_start(pcm.astype(np.int16), clip_samples) == energy_start_in_words(pcm.astype(np.int16), clip_samples)


def test_a_long_recording_takes_little_memory():
    pcm = word_in_noise(2_000_000, 4_000_000)
    tracemalloc.start()
    crop.energy_start(pcm, RATE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(pcm)


@pytest.mark.parametrize("value", [0, -1, 32767])
def test_a_constant_clip_is_cut_in_the_middle(value):
    assert crop.energy_start(np.full(1001, value, np.int16), 500) == 250


def test_the_loudest_of_two_words_wins():
    pcm = word_in_noise(2000, 60000, level=3000) + word_in_noise(50000, 60000, level=9000, noise=0)
    assert crop.energy_start(pcm.astype(np.int16), RATE) > 35000


@pytest.mark.parametrize("name", ["energy", "start", "centre", "end"])
@pytest.mark.parametrize("length", [1, 6, 9, 10, 11, 25])
def test_fit_clip_keeps_every_sample_it_can_in_order(name, length):
    pcm = np.arange(1, length + 1, dtype=np.int16)
    window, position = crop.fit_clip(pcm, 10, name)
    padded = np.concatenate([np.zeros(10, np.int16), pcm, np.zeros(10, np.int16)])
    np.testing.assert_array_equal(window, padded[10 + position:20 + position])
    assert np.count_nonzero(window) == min(length, 10)
