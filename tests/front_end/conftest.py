"""Signals that the front end is tried on."""

import numpy as np
import pytest


def speech_like(n_samples, sample_rate, level_dbfs, seed=0):
    """Voiced syllables (harmonics under moving formants), hiss between them and noise 20 dB below: int16 [n_samples]."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_samples) / sample_rate
    pitch = 120 * (1 + 0.2 * np.sin(2 * np.pi * 1.7 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    voice = np.zeros(n_samples)
    for harmonic in range(1, int(0.45 * sample_rate / 150)):
        hz = 120 * harmonic
        formants = sum(np.exp(-((hz - centre * (1 + 0.2 * np.sin(2 * np.pi * 2.3 * t + k))) / width) ** 2)
                       for k, (centre, width) in enumerate([(500, 150), (1500, 200), (2500, 300)]))
        voice += np.sin(harmonic * phase) * (formants + 0.01) / harmonic
    syllables = np.clip(np.sin(2 * np.pi * 3 * t), 0, 1)
    signal = voice * syllables + 0.1 * rng.normal(size=n_samples) * (1 - syllables) ** 4
    signal += 0.1 * np.sqrt(np.mean(signal**2)) * rng.normal(size=n_samples)
    return np.rint(signal / np.abs(signal).max() * 32767 * 10 ** (level_dbfs / 20)).astype(np.int16)


@pytest.fixture(name="speech_like")
def speech_like_fixture():
    return speech_like
