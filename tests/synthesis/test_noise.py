"""Colours of noise by the slope of their measured spectrum, and mains hum by its lines."""

import numpy as np
import pytest

from kws_tf.errors import ConfigError
from kws_tf.synthesis import noise

RATE = 16000


def band_power_db(signal, low_hz, high_hz):
    """Mean power density between two frequencies."""
    power = np.abs(np.fft.rfft(signal)) ** 2
    frequency = np.fft.rfftfreq(len(signal), 1 / RATE)
    return 10 * np.log10(power[(frequency >= low_hz) & (frequency < high_hz)].mean())


@pytest.mark.parametrize(("kind", "slope_db"), [("white", 0.0), ("pink", -3.01), ("brown", -6.02)])
def test_the_spectrum_falls_by_the_slope_of_the_colour(kind, slope_db):
    signal = noise.make(kind, 20 * RATE, RATE, np.random.default_rng(0))
    octaves = [(125, 250), (250, 500), (500, 1000), (1000, 2000), (2000, 4000), (4000, 8000)]
    levels = [band_power_db(signal, *octave) for octave in octaves]
    np.testing.assert_allclose(np.diff(levels), slope_db, atol=0.35)


@pytest.mark.parametrize("kind", noise.NOISES)
def test_noise_has_unit_power_and_comes_from_the_generator_alone(kind):
    signal = noise.make(kind, RATE, RATE, np.random.default_rng(3))
    assert signal.shape == (RATE,)
    assert np.mean(np.square(signal)) == pytest.approx(1)
    assert signal.mean() == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(signal, noise.make(kind, RATE, RATE, np.random.default_rng(3)))
    assert not np.array_equal(signal, noise.make(kind, RATE, RATE, np.random.default_rng(4)))


def test_hum_is_lines_at_multiples_of_the_mains():
    for seed in range(5):
        power = np.abs(np.fft.rfft(noise.hum(4 * RATE, RATE, np.random.default_rng(seed)) * np.hanning(4 * RATE))) ** 2
        frequency = np.fft.rfftfreq(4 * RATE, 1 / RATE)
        strongest = frequency[np.argmax(power)]
        mains = min((50, 60), key=lambda hz: abs(strongest / hz - round(strongest / hz)))
        assert strongest == pytest.approx(mains * round(strongest / mains), rel=0.006)
        near_lines = np.abs(frequency / mains - np.round(frequency / mains)) < 0.12
        assert power[near_lines].sum() > 0.9 * power.sum()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match="one of white, pink, brown, hum; received 'blue'"):
        noise.make("blue", 100, RATE, np.random.default_rng(0))
