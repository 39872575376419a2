"""Background noise from random numbers: white, pink, brown, and the hum of mains-powered machines."""

import types

import numpy as np

from kws_tf.errors import ConfigError

_LOWEST_HZ = 20.0


def coloured(n_samples, sample_rate, slope_db, rng):
    """Gaussian noise whose power falls by a constant slope per octave above 20 Hz, shaped in the frequency domain.

    Args:
        n_samples: length. sample_rate: Hz.
        slope_db: dB per octave, 0 white, -3.01 pink (1/f), -6.02 brown (1/f^2).
        rng: numpy Generator.

    Returns:
        float64 [samples] with mean 0 and mean square 1.
    """
    frequency = np.fft.rfftfreq(n_samples, 1 / sample_rate)
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    octaves = np.log2(np.maximum(frequency, _LOWEST_HZ) / _LOWEST_HZ)
    return _normalised(np.fft.irfft(spectrum * 10 ** (slope_db * octaves / 20), n_samples))


def white(n_samples, sample_rate, rng):
    """Equal power per hertz."""
    return coloured(n_samples, sample_rate, 0.0, rng)


def pink(n_samples, sample_rate, rng):
    """Equal power per octave, as rain or a fan."""
    return coloured(n_samples, sample_rate, -10 * np.log10(2), rng)


def brown(n_samples, sample_rate, rng):
    """Power falling by 6 dB per octave, as distant traffic."""
    return coloured(n_samples, sample_rate, -20 * np.log10(2), rng)


def hum(n_samples, sample_rate, rng):
    """Harmonics of 50 or 60 Hz mains with random levels and phases, over a floor of pink noise 15 dB below."""
    mains_hz = rng.choice((50.0, 60.0)) * rng.uniform(0.995, 1.005)
    harmonics = np.arange(1, min(24, int(sample_rate / 2 / mains_hz)) + 1)
    levels = rng.uniform(0.1, 1.0, len(harmonics)) / harmonics ** rng.uniform(0.3, 1.2)
    phases = rng.uniform(0, 2 * np.pi, len(harmonics))
    # The sum of harmonics is a polynomial in one rotating phasor: no sine per harmonic and sample.
    phasor = np.exp(2j * np.pi * mains_hz / sample_rate * np.arange(n_samples))
    tone = np.polynomial.polynomial.polyval(phasor, np.append(0, levels * np.exp(1j * phases))).imag
    return _normalised(_normalised(tone) + 10 ** (-15 / 20) * pink(n_samples, sample_rate, rng))


NOISES = types.MappingProxyType({"white": white, "pink": pink, "brown": brown, "hum": hum})


def make(kind, n_samples, sample_rate, rng):
    """Noise of a named kind.

    Args:
        kind: a name of NOISES.
        n_samples: length. sample_rate: Hz.
        rng: numpy Generator.

    Returns:
        float64 [samples] with mean 0 and mean square 1.

    Raises:
        ConfigError: an unknown kind.
    """
    if kind not in NOISES:
        raise ConfigError(f"noise: kind must be one of {', '.join(NOISES)}; received {kind!r}.")
    return NOISES[kind](n_samples, sample_rate, rng)


def _normalised(signal):
    signal = signal - signal.mean()
    return signal / np.sqrt(np.mean(np.square(signal)))
