import math

import pytest

from kws_tf.errors import ConfigError
from kws_tf.evaluation.intervals import change_interval, hours_to_show, poisson_upper_bound, sign_test, wilson_interval


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


@pytest.mark.parametrize("gained, lost, trials", [(2, 5, 1200), (0, 0, 420), (0, 3, 60), (12, 2, 50), (30, 0, 30)])
def test_change_interval_solves_its_defining_equation(gained, lost, trials):
    """|gained - lost - n d| = z sqrt(n (2 q + d (1 - d))) with the q that makes the counts likeliest, searched for here."""
    ends = change_interval(gained, lost, trials)
    assert -1 <= ends[0] <= (gained - lost) / trials <= ends[1] <= 1
    for change in ends:
        if abs(change) > 1 - 1e-6:
            continue
        shares = [max(0.0, -change) + (1 - abs(change)) / 2 * step / 100000 for step in range(1, 100000)]

        def likelihood(share, change=change):
            return (gained * math.log(share + change) + lost * math.log(share)
                    + (trials - gained - lost) * math.log(1 - 2 * share - change))

        share = max(shares, key=likelihood)
        deviation = math.sqrt(trials * (2 * share + change * (1 - change)))
        assert abs(gained - lost - trials * change) == pytest.approx(1.959964 * deviation, rel=2e-3)


def test_change_interval_turns_with_the_counts():
    low, high = change_interval(2, 5, 1200)
    assert change_interval(5, 2, 1200) == pytest.approx((-high, -low))
    with pytest.raises(ConfigError, match="received 3, 4 and 6"):
        change_interval(3, 4, 6)


def test_sign_test_counts_splits():
    assert sign_test(0, 0) == sign_test(3, 3) == 1
    assert sign_test(0, 5) == pytest.approx(2 / 32) and sign_test(5, 1) == pytest.approx(2 * 7 / 64)


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
