import fractions
import math

import numpy as np
import pytest

from kws_tf.errors import ConfigError
from kws_tf.manifest import TensorSpec
from kws_tf.runtime.score_bytes import ScoreBytes, exponential_table


def spec(scale=0.25, dtype="int8"):
    return TensorSpec("logits", (1, 3), dtype, scale, 3)


def test_scores_of_a_file_with_one_probability_pass_as_they_are():
    scores = np.array([[200, 55], [0, 255]], np.uint8)
    np.testing.assert_array_equal(ScoreBytes(TensorSpec("probability", (1, 1), "uint8", 1 / 256, 0))(scores), scores)


def test_table_is_powers_of_e_and_small_literals():
    table = exponential_table(0.25)
    assert table[:4] == (65536, 51039, 39750, 30957) and len(table) == 256 and table[-1] == 0
    assert all(abs(entry - 65536 * math.exp(-0.25 * d)) <= 0.5 for d, entry in enumerate(table))


def test_integer_scores_by_exact_arithmetic():
    random = np.random.default_rng(1)
    for scale in (0.01, 0.11, 0.7):
        logits = random.integers(-128, 128, (50, 4)).astype(np.int8)
        found = ScoreBytes(spec(scale))(logits)
        table = exponential_table(scale)
        for row, scores in zip(logits.tolist(), found.tolist(), strict=True):
            powers = [table[max(row) - value] for value in row]
            exact = [fractions.Fraction(255 * power, sum(powers)) for power in powers]
            assert scores == [(255 * power + sum(powers) // 2) // sum(powers) for power in powers]
            assert all(abs(score - share) <= fractions.Fraction(1, 2) for score, share in zip(scores, exact, strict=True))


def test_they_are_the_probabilities_within_a_step_whatever_the_axes():
    logits = np.random.default_rng(2).integers(-128, 128, (2, 30, 5)).astype(np.int8)
    real = (logits.astype(np.float32) - 3) * np.float32(0.05)
    probabilities = np.exp(real) / np.exp(real).sum(-1, keepdims=True)
    scores = ScoreBytes(spec(0.05))(logits)
    assert scores.shape == logits.shape and np.abs(scores - 255 * probabilities).max() <= 0.51
    assert np.abs(scores.astype(int) - ScoreBytes(spec(0.0, "float32"))(real)).max() <= 1


def test_extremes():
    assert ScoreBytes(spec())(np.array([127, -128, -128], np.int8)).tolist() == [255, 0, 0]
    assert ScoreBytes(spec())(np.array([5, 5, 5], np.int8)).tolist() == [85, 85, 85]
    assert ScoreBytes(spec(0.0, "float32"))(np.array([1e30, 0, 0], np.float32)).tolist() == [255, 0, 0]


def test_wrong_types_are_refused():
    with pytest.raises(ConfigError, match="scale of quantised logits must be positive; received 0"):
        ScoreBytes(spec(0.0))
    with pytest.raises(ConfigError, match="int8 or float32, or uint8 scores; logits is int16"):
        ScoreBytes(spec(dtype="int16"))
    with pytest.raises(ConfigError, match="must be int8; received float32"):
        ScoreBytes(spec())(np.zeros(3, np.float32))
