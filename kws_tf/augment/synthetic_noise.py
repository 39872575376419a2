"""Noise for the silence class where no noise was recorded."""

import numpy as np

COLOURS = {"white": 0.0, "pink": 0.5, "brown": 1.0}


def synthetic_noise(sample_rate, duration_s, seed):
    """White, pink and brown Gaussian noise, one recording of each.

    Spectra fall with 0, 3 and 6 dB per octave above 20 Hz and are flat below, without a constant offset. Each recording is scaled
    to a peak of full scale, so that an amplitude of 1 means as loud as 16 bits allow.

    Args:
        sample_rate: Hz.
        duration_s: seconds of each recording.
        seed: int of a numpy Generator.

    Returns:
        Three arrays int16 [samples].
    """
    rng = np.random.default_rng(seed)
    n_samples = round(duration_s * sample_rate)
    hz = np.maximum(np.fft.rfftfreq(n_samples, 1 / sample_rate), 20.0)
    recordings = []
    for exponent in COLOURS.values():
        spectrum = np.fft.rfft(rng.standard_normal(n_samples)) * hz**-exponent
        spectrum[0] = 0
        noise = np.fft.irfft(spectrum, n_samples)
        recordings.append(np.round(noise * (32767 / np.abs(noise).max())).astype(np.int16))
    return recordings
