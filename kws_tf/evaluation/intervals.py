"""Confidence intervals of counted outcomes."""

import math

from kws_tf.errors import ConfigError

Z_95 = 1.959963984540054
CONFIDENCE = 0.95


def wilson_interval(successes, trials, z=Z_95):
    """Wilson's score interval of a proportion; unlike the normal approximation it holds near 0 and 1 and for few trials.

        centre = (p + z^2 / 2n) / (1 + z^2 / n)
        half   = z / (1 + z^2 / n) * sqrt(p (1 - p) / n + z^2 / 4n^2)

    E. B. Wilson: "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.

    Args:
        successes, trials: counts, trials at least 1.
        z: quantile of the normal distribution; the default gives 95 %.

    Returns:
        low, high in [0, 1].

    Raises:
        ConfigError: counts that cannot be.

    Example:
        >>> wilson_interval(81, 100)
        (0.7222..., 0.8749...)
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ConfigError(f"wilson_interval: expected 0 <= successes <= trials and at least one trial; received {successes} of {trials}.")
    share = successes / trials
    stretch = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / stretch
    half = z / stretch * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def change_interval(gained, lost, trials, z=Z_95):
    """Tango's score interval of the change in a proportion when the same items were judged twice; it holds for few changes and for none.

        |gained - lost - n d| = z * sqrt(n (2 q + d (1 - d))),   n = trials,

    is solved for d, where q is the likeliest share of lost items if the true change is d. T. Tango: "Equivalence test and confidence
    interval for the difference in proportions for the paired-sample design", Statistics in Medicine 17, 1998.

    Args:
        gained, lost: items that only the second, only the first judgement has right.
        trials: all items.
        z: quantile of the normal distribution; the default gives 95 %.

    Returns:
        low, high in [-1, 1].

    Raises:
        ConfigError: counts that cannot be.

    Example:
        >>> change_interval(2, 5, 1200)
        (-0.0082..., 0.0023...)
    """
    if trials < 1 or gained < 0 or lost < 0 or gained + lost > trials:
        raise ConfigError(f"change_interval: expected gained + lost <= trials, none negative and at least one trial; received {gained}, "
                          f"{lost} and {trials}.")
    return -_largest_change(lost, gained, trials, z), _largest_change(gained, lost, trials, z)


def _largest_change(gained, lost, trials, z):
    low, high = (gained - lost) / trials, 1.0
    for _ in range(60):
        change = (low + high) / 2
        slope = (2 * trials - gained + lost) * change - gained - lost
        root = math.sqrt(slope * slope + 8 * trials * lost * change * (1 - change))
        variance = trials * ((root - slope) / (2 * trials) + change * (1 - change))
        inside = (trials * change - gained + lost) ** 2 <= z * z * variance
        low, high = (change, high) if inside else (low, change)
    return low


def sign_test(gained, lost):
    """Exact McNemar test: how likely a split of the changes as uneven as this is if gains and losses are equally likely, in (0, 1]."""
    changes, fewer = gained + lost, min(gained, lost)
    return min(1.0, 2 * sum(math.comb(changes, count) for count in range(fewer + 1)) / 2**changes)


def poisson_upper_bound(events, confidence=CONFIDENCE):
    """The largest mean number of events that explains seeing so few: one-sided exact bound of a Poisson mean.

        bound = chi2.ppf(confidence, 2 * (events + 1)) / 2          0 events: 3.00, 1: 4.74, 2: 6.30, 3: 7.75

    Divided by the hours that were listened to, it bounds the rate of false accepts. F. Garwood: "Fiducial limits for the Poisson
    distribution", Biometrika 28, 1936.

    Args:
        events: count, at least 0.
        confidence: probability that the bound holds.

    Raises:
        ConfigError: a count that cannot be.

    Example:
        >>> poisson_upper_bound(0)
        2.9957...
    """
    from scipy.stats import chi2

    if events < 0:
        raise ConfigError(f"poisson_upper_bound: expected a count of at least 0; received {events}.")
    return float(chi2.ppf(confidence, 2 * (events + 1)) / 2)


def hours_to_show(rate_per_hour, events=0, confidence=CONFIDENCE):
    """Hours of audio that must pass with at most so many events before the bound falls to a rate.

    Raises:
        ConfigError: a rate that is not positive.
    """
    if not rate_per_hour > 0:
        raise ConfigError(f"hours_to_show: the rate must be positive; received {rate_per_hour!r}.")
    return poisson_upper_bound(events, confidence) / rate_per_hour
