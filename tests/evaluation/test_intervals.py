import math

import pytest

from kws_tf.errors import ConfigError
from kws_tf.evaluation.intervals import hours_to_show, poisson_upper_bound, wilson_interval


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


def test_poisson_bound_by_the_literature_and_by_its_definition():
    for events, bound in ((0, 2.996), (1, 4.744), (2, 6.296), (3, 7.754), (10, 16.962)):
        found = poisson_upper_bound(events)
        assert found == pytest.approx(bound, abs=5e-4)
        assert sum(math.exp(-found) * found ** k / math.factorial(k) for k in range(events + 1)) == pytest.approx(0.05)
    assert hours_to_show(0.5) == pytest.approx(5.991, abs=1e-3) and hours_to_show(0.5, 1) == pytest.approx(9.488, abs=1e-3)


def test_poisson_refusals():
    with pytest.raises(ConfigError, match="count of at least 0; received -1"):
        poisson_upper_bound(-1)
    with pytest.raises(ConfigError, match="rate must be positive; received 0"):
        hours_to_show(0)
