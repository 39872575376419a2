import keras
import numpy as np
import pytest
import tensorflow as tf

from kws_tf.augment import SpecAugment, frequency_mask_rows
from kws_tf.config import AugmentConfig
from kws_tf.errors import ConfigError


def test_presets_of_the_paper_and_the_nearest_for_other_widths():
    assert [frequency_mask_rows(tau) for tau in (0.625, 1, 1.5, 2, 3, 6, 8)] == [0, 0, 1, 3, 5, 7, 7]
    assert [frequency_mask_rows(tau) for tau in (0.25, 1.2, 1.25, 1.3, 1.75, 2.5, 2.6, 4.5, 5, 20)] == [0, 0, 0, 1, 1, 3, 5, 5, 7, 7]


def test_sets_the_masks_of_each_clip_to_zero():
    features = np.random.default_rng(1).uniform(-5, -1, (3, 7, 5, 1)).astype(np.float32)
    draws = {
        "frequency_start": np.array([[0, 3], [1, 1], [4, 0]], np.int32), "frequency_width": np.array([[1, 2], [2, 1], [0, 0]], np.int32),
        "time_start": np.array([[6, 0], [2, 4], [0, 0]], np.int32), "time_width": np.array([[1, 0], [1, 2], [0, 0]], np.int32)}
    expected = features.copy()
    expected[0, :, [0, 3, 4]] = 0
    expected[0, 6] = 0
    expected[1, :, [1, 2]] = 0
    expected[1, [2, 4, 5]] = 0
    masks = SpecAugment(AugmentConfig(frequency_mask_rows=3, time_mask_frames=3), n_frames=7, n_features=5, tau=1)
    got = np.asarray(masks.apply(features, draws))
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(got[2], features[2])


def test_masks_drawn(seeds, as_numpy):
    draws = as_numpy(SpecAugment(AugmentConfig(), n_frames=30, n_features=10, tau=2).draw(4000, seeds))
    assert sorted(draws) == ["frequency_start", "frequency_width", "time_start", "time_width"]
    for axis, widest, size in (("frequency", 3, 10), ("time", 20, 30)):
        start, width = draws[f"{axis}_start"], draws[f"{axis}_width"]
        assert start.shape == width.shape == (4000, 2) and start.dtype == width.dtype == np.int32
        np.testing.assert_allclose(np.bincount(width.ravel()) * widest / 8000, 1, atol=0.2, err_msg=f"{axis} widths are 0 .. {widest - 1}")
        assert start.min() == 0 and (start + width).max() == size and (start[width == 0]).max() == size
        assert (start[:, 0] != start[:, 1]).mean() > 0.8
        for number in range(2):
            assert len({*zip(start[:, number].tolist(), width[:, number].tolist(), strict=True)}) > 0.9 * widest * (size - widest / 2)


def test_share_of_clips_that_get_masks(seeds, as_numpy):
    draws = as_numpy(SpecAugment(AugmentConfig(spec_prob=0.25, frequency_masks=1), 98, 40, tau=8).draw(4000, seeds))
    masked = (draws["frequency_width"] > 0).any(1) | (draws["time_width"] > 0).any(1)
    assert masked.mean() == pytest.approx(0.25 * (1 - 1 / 7 / 400), abs=0.03)
    assert draws["frequency_width"].shape == (4000, 1)


@pytest.mark.parametrize(("augment", "tau", "kinds"), [
    (AugmentConfig(), 1, set()),
    (AugmentConfig(), 0.625, set()),
    (AugmentConfig(), 1.5, {"frequency", "time"}),
    (AugmentConfig(frequency_mask_rows=0), 1, {"time"}),
    (AugmentConfig(frequency_mask_rows=4), 1, {"frequency", "time"}),
    (AugmentConfig(frequency_mask_rows=4, time_masks=0), None, {"frequency"}),
    (AugmentConfig(frequency_masks=0), 2, {"time"}),
    (AugmentConfig(spec_prob=0.0), 8, set()),
])
def test_which_masks_are_on(augment, tau, kinds, seeds):
    masks = SpecAugment(augment, 98, 40, tau)
    assert masks.enabled == bool(kinds)
    draws = masks.draw(3, seeds)
    assert set(draws) == {f"{kind}_{what}" for kind in kinds for what in ("start", "width")}
    if not kinds:
        features = np.ones((3, 98, 40, 1), np.float32)
        np.testing.assert_array_equal(masks.apply(features, draws), features)


def test_same_inside_a_graph_and_new_draws_at_every_call():
    masks = SpecAugment(AugmentConfig(), 30, 10, tau=3)
    features = keras.random.normal((4, 30, 10, 1), seed=1)

    def step(seeds):
        draws = masks.draw(4, seeds)
        return masks.apply(features, draws), draws

    graph_seeds, eager_seeds = keras.random.SeedGenerator(3), keras.random.SeedGenerator(3)
    graph = tf.function(lambda: step(graph_seeds))
    results = [np.asarray(graph()[0]) for _ in range(3)]
    for result in results:
        np.testing.assert_array_equal(result, step(eager_seeds)[0])
    assert (results[0] != results[1]).any() and (results[1] != results[2]).any()


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match="time masks of up to 20 do not fit features of 16; use --time_mask_frames=16 or less"):
        SpecAugment(AugmentConfig(), 16, 40, tau=2)
    with pytest.raises(ConfigError, match="frequency masks of up to 9 do not fit features of 8; use --frequency_mask_rows=8 or less"):
        SpecAugment(AugmentConfig(frequency_mask_rows=9), 98, 8, tau=1)
