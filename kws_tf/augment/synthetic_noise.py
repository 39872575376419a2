"""Noise for the silence class where no noise was recorded."""

import numpy as np

COLOURS = {"white": 0.0, "pink": 0.5, "brown": 1.0}
LEVEL_DBFS = -30.0


def synthetic_noise(sample_rate, duration_s, seed):
    """White, pink and brown Gaussian noise, one recording of each.

    Spectra fall with 0, 3 and 6 dB per octave above 20 Hz and are flat below, without a constant offset. The root mean square of
    each is -30 dB of full scale. The noise recordings that come with Speech Commands and Arabic Speech Commands lie between -55 and
    -30 dB; much louder noise would teach a network that only noise is silence.

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
        noise *= 32768 * 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(noise**2))
        recordings.append(np.clip(np.round(noise), -32768, 32767).astype(np.int16))
    return recordings
