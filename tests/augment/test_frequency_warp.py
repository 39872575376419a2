"""The frequency warp: rows against the formula of the paper, written out again in numpy."""

import dataclasses

import keras
import numpy as np
import pytest

from kws_tf import features
from kws_tf.augment import FrequencyWarp
from kws_tf.config import FEATURE_PRESETS, FeatureConfig
from kws_tf.errors import ConfigError

PRESET = FeatureConfig()


@pytest.mark.parametrize("factor", [0.85, 1.2])
def test_the_ends_stay_at_half_the_rate_too(factor):
    features = FeatureConfig(sample_rate=8000, window_samples=240, hop_samples=80, fft_size=256, high_hz=4000.0)
    line = np.arange(40, dtype=np.float32)[None, None, :, None]
    got = np.asarray(FrequencyWarp(1.0, (0.85, 1.2), features).apply(line, {"frequency_warp": np.float32([factor])}))[0, 0, :, 0]
    assert (np.diff(got) > 0.2).all() and abs(got[-1] - 39) < 0.6, "no two rows show the same end of the axis"


def centres():
    mel = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 42)[1:-1]
    return 700 * (10 ** (mel / 2595) - 1)


def warped_hz(hz, factor):
    corner = 4800 * min(factor, 1) / factor
    return np.where(hz <= corner, factor * hz, 8000 - (8000 - factor * corner) / (8000 - corner) * (8000 - hz))


@pytest.mark.parametrize("factor", [0.85, 0.93, 1.0, 1.1, 1.2])
def test_what_was_at_a_frequency_comes_to_the_warped_one(factor):
    # Features whose value is the frequency of the row: after the warp, the row at warped_hz(f) holds f.
    hz = centres()
    line = np.tile(hz, (1, 3, 1))[..., None].astype(np.float32)
    got = np.asarray(FrequencyWarp(1.0, (0.85, 1.2), PRESET).apply(line, {"frequency_warp": np.float32([factor])}))
    assert got.shape == line.shape
    np.testing.assert_array_equal(got[0, 0], got[0, 2])
    expected = np.interp(hz, warped_hz(hz, factor), hz)
    np.testing.assert_allclose(got[0, 0, :, 0], expected, atol=2.5, rtol=5e-3)
    if factor == 1:
        np.testing.assert_allclose(got, line, rtol=1e-4)


def test_a_tone_moves_by_the_factor():
    preset = dataclasses.replace(PRESET, n_mels=80)
    tone = 0.3 * np.sin(2 * np.pi * 2000 * np.arange(4800) / 16000).astype(np.float32)[None]
    layer, warp = features.build(preset), FrequencyWarp(1.0, (0.85, 1.2), preset)
    for factor in (0.9, 1.15):
        moved = 0.3 * np.sin(2 * np.pi * 2000 * factor * np.arange(4800) / 16000).astype(np.float32)[None]
        got = np.asarray(warp.apply(layer(tone), {"frequency_warp": np.float32([factor])}))[0, 5, :, 0]
        assert abs(int(got.argmax()) - int(np.asarray(layer(moved))[0, 5, :, 0].argmax())) <= 1


def test_some_clips_are_chosen_and_each_has_its_own_factor(seeds, as_numpy):
    drawn = as_numpy(FrequencyWarp(0.5, (0.9, 1.1), PRESET).draw(4000, seeds))["frequency_warp"]
    chosen = drawn[drawn != 1]
    assert len(chosen) / 4000 == pytest.approx(0.5, abs=0.03) and len(set(chosen.tolist())) > 1900
    assert 0.9 <= chosen.min() < 0.91 and 1.09 < chosen.max() < 1.1


def test_each_clip_is_warped_by_its_own_factor():
    clips = np.random.default_rng(1).uniform(-13, 3, (3, 5, 40, 1)).astype(np.float32)
    warp = FrequencyWarp(1.0, (0.85, 1.2), PRESET)
    together = np.asarray(warp.apply(clips, {"frequency_warp": np.float32([0.9, 1.0, 1.1])}))
    for row, factor in enumerate((0.9, 1.0, 1.1)):
        alone = np.asarray(warp.apply(clips[row:row + 1], {"frequency_warp": np.float32([factor])}))
        np.testing.assert_allclose(together[row], alone[0], atol=1e-5)
    assert np.abs(together - clips)[[0, 2]].max() > 1 and together.min() >= -13 - 1e-4 and together.max() <= 3 + 1e-4


def test_mfcc_is_refused():
    with pytest.raises(ConfigError, match="rows of mfcc features are no frequencies.*--warp_prob=0"):
        FrequencyWarp(0.5, (0.9, 1.1), FEATURE_PRESETS["sparknet"])


def test_same_in_a_graph(seeds):
    import tensorflow as tf

    warp = FrequencyWarp(0.5, (0.9, 1.1), PRESET)
    clips = np.random.default_rng(1).uniform(-13, 3, (4, 5, 40, 1)).astype(np.float32)
    graph = tf.function(warp.apply)
    draws = warp.draw(4, keras.random.SeedGenerator(3))
    np.testing.assert_allclose(graph(clips, draws), warp.apply(clips, draws), atol=2e-3)
