"""Confidence intervals of counted outcomes."""

import math

from kws_tf.errors import ConfigError

Z_95 = 1.959963984540054


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
