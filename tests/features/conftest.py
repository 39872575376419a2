"""Features written out in numpy, on their own: loops over frames, bands and bins, and no table of the package."""

import math

import numpy as np
import pytest


def htk_edges(low_hz, high_hz, n_mels):
    low, high = 1127 * math.log(1 + low_hz / 700), 1127 * math.log(1 + high_hz / 700)
    return [700 * (math.exp((low + (high - low) * point / (n_mels + 1)) / 1127) - 1) for point in range(n_mels + 2)]


def triangle(hz, left, centre, right):
    if left < hz <= centre:
        return (hz - left) / (centre - left)
    return (right - hz) / (right - centre) if centre < hz < right else 0.0


def log_mel_of_clip(clip, features):
    window = [math.sin(math.pi * n / features.window_samples) ** 2 for n in range(features.window_samples)]
    edges = htk_edges(features.low_hz, features.high_hz, features.n_mels)
    frames = []
    for start in range(0, len(clip) - features.window_samples + 1, features.hop_samples):
        frame = clip[start:start + features.window_samples].astype(np.float64) * window
        spectrum = np.abs(np.fft.fft(np.concatenate([frame, np.zeros(features.fft_size - len(frame))])))
        spectrum = spectrum**2 if features.spectrum == "power" else spectrum
        bands = [0.0] * features.n_mels
        for bin_number in range(features.fft_size // 2 + 1):
            hz = bin_number * features.sample_rate / features.fft_size
            for band in range(features.n_mels):
                bands[band] += triangle(hz, *edges[band:band + 3]) * spectrum[bin_number]
        frames.append([math.log(max(band, features.log_floor)) for band in bands])
    return np.array(frames)


def mfcc_of_frame(bands, n_mfcc):
    size = len(bands)
    sums = [sum(bands[m] * math.cos(math.pi * k * (m + 0.5) / size) for m in range(size)) for k in range(n_mfcc)]
    return [total * math.sqrt((1 if k == 0 else 2) / size) for k, total in enumerate(sums)]


@pytest.fixture(scope="session")
def reference_features():
    """Function (pcm [batch, samples], FeatureConfig) -> float64 [batch, time, frequency, 1]."""
    def compute(pcm, features):
        clips = [log_mel_of_clip(clip, features) for clip in pcm]
        if features.kind == "mfcc":
            clips = [np.array([mfcc_of_frame(frame, features.n_mfcc) for frame in clip]) for clip in clips]
        return np.array(clips)[..., None]
    return compute


@pytest.fixture(scope="session")
def speech_like():
    """float32 [3, 2000] in [-1, 1): a voiced sound that glides and falls off, over noise; loud, medium and faint."""
    rng = np.random.default_rng(7)
    time = np.arange(2000) / 16000
    voice = sum(np.sin(2 * np.pi * harmonic * (120 * time + 200 * time**2)) / harmonic for harmonic in range(1, 30))
    clip = voice * np.exp(-8 * time) * 0.3 + 0.02 * rng.standard_normal(2000)
    clips = clip * np.array([[1.0], [0.1], [0.02]])
    return (np.round(np.clip(clips, -1, 1 - 2**-15) * 32768) / 32768).astype(np.float32)
