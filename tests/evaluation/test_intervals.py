import math

import pytest

from kws_tf.errors import ConfigError
from kws_tf.evaluation.intervals import wilson_interval


@pytest.mark.parametrize("successes, trials, low, high", [
    # Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
    (29, 29, 0.8830, 1.0),
])
def test_published_values(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_solves_its_defining_equation():
    """The ends are the proportions p with |successes/trials - p| = z sqrt(p (1 - p) / trials)."""
    for end in wilson_interval(393, 408):
        assert abs(393 / 408 - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / 408), rel=1e-6)


@pytest.mark.parametrize("successes, trials", [(0, 0), (-1, 5), (6, 5)])
def test_refuses_counts_that_cannot_be(successes, trials):
    with pytest.raises(ConfigError, match=f"received {successes} of {trials}"):
        wilson_interval(successes, trials)
