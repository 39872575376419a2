import dataclasses

import numpy as np
import pytest

from kws_tf import mel
from kws_tf.config import FEATURE_PRESETS, FeatureConfig
from kws_tf.errors import ConversionError
from kws_tf.front_end import dft, framing
from kws_tf.front_end.numpy_graph import NumpyGraph

GEOMETRIES = {
    "480/512": FeatureConfig(),
    "400/512": FeatureConfig(window_samples=400),
    "640/1024": FeatureConfig(window_samples=640, hop_samples=320, fft_size=1024),
    "240/256 at 8 kHz": FeatureConfig(sample_rate=8000, window_samples=240, hop_samples=80, fft_size=256, n_mels=20, high_hz=4000.0),
    "480/480": FeatureConfig(fft_size=480),
    "half the band": FEATURE_PRESETS["mlperf_tiny"],
}


def spectrum(features, pcm):
    """Complex spectrum [kept, half] of one window, in real units, and its split."""
    split = dft.plan(features)
    graph = NumpyGraph()
    frames = graph.input(pcm.reshape(1, split.rows, 1, split.columns), framing.PCM_SCALE)
    result = dft.transform(graph, frames, split)
    real, imaginary = result.value[0] * result.scale
    return real + 1j * imaginary, split


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_spectrum_is_that_of_numpy(name):
    features = GEOMETRIES[name]
    pcm = np.random.default_rng(3).integers(-20000, 20001, features.window_samples).astype(np.int16)
    result, split = spectrum(features, pcm)
    expected = np.fft.rfft(pcm / 32768 * mel.hann_window(features.window_samples), features.fft_size)[split.bins]
    # bins above N/2 come as their mirror image, whose imaginary part has the other sign
    error = np.minimum(np.abs(result - expected), np.abs(result.conj() - expected))
    step = split.bound / 32768
    assert error.max() < 2.5 * step
    assert np.sqrt(np.mean(error**2)) < 0.7 * step


@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_bin_with_mel_weight_is_there_and_its_copies_are_counted(name):
    features = GEOMETRIES[name]
    split = dft.plan(features)
    used = np.flatnonzero(dft.mel_weights(features).any(1))
    assert set(used) <= set(split.bins.ravel())
    counts = np.zeros(features.fft_size // 2 + 1)
    np.add.at(counts, split.bins, 1 / split.copies)
    np.testing.assert_allclose(counts[used], 1)


def test_rows_without_mel_weight_are_left_out():
    full, half = dft.plan(GEOMETRIES["480/512"]), dft.plan(GEOMETRIES["half the band"])
    assert len(full.kept) == full.columns
    assert len(half.kept) == half.columns // 2 + (half.columns > 2 * len(half.kept))
    assert len(half.kept) * 2 <= half.columns + 1


@pytest.mark.parametrize("name", ["480/512", "640/1024", "half the band"])
def test_no_signal_saturates_a_bin_with_mel_weight(name):
    features = GEOMETRIES[name]
    n = np.arange(features.window_samples)
    used = np.flatnonzero(dft.mel_weights(features).any(1))
    for bin_index in (used[0], used[len(used) // 3], features.fft_size // 8, features.fft_size // 4, used[-1]):
        if bin_index not in used:
            continue
        for phase in (0, np.pi / 4, np.pi / 2):
            square = np.where(np.cos(2 * np.pi * bin_index * n / features.fft_size + phase) >= 0, 32767, -32768).astype(np.int16)
            result, split = spectrum(features, square)
            inside = np.isin(split.bins, used)
            assert np.abs(result.real[inside]).max() < split.bound * (1 - 2 / 32768)
            expected = np.abs(np.fft.rfft(square / 32768 * mel.hann_window(n.size), features.fft_size))[split.bins]
            assert np.abs(np.abs(result) - expected)[inside].max() < 4 * split.bound / 32768


def test_the_first_bound_is_half_the_rows():
    split = dft.plan(FeatureConfig())
    assert split.first_bound == pytest.approx(split.rows / 2)


def test_the_bound_is_tight():
    # a square wave of a quarter of the sampling rate, 45 degrees off, reaches sum w / sqrt(2)
    assert 240 / np.sqrt(2) < dft.plan(FeatureConfig()).bound < 1.01 * 240 / np.sqrt(2) + 1


def test_the_cheapest_split_is_chosen():
    assert dft.plan(FeatureConfig()).columns == 32
    assert dft.plan(GEOMETRIES["640/1024"]).columns == 32


@pytest.mark.parametrize(("window", "size"), [(401, 512), (441, 512), (1102, 2048)])
def test_window_and_fft_without_a_common_divisor_are_refused(window, size):
    features = dataclasses.replace(FeatureConfig(), window_samples=window, fft_size=size)
    with pytest.raises(ConversionError, match=rf"window_samples={window} and fft_size={size} need a common divisor.*--window_samples=\d+"):
        dft.plan(features)


def test_the_suggested_window_works():
    with pytest.raises(ConversionError) as caught:
        dft.plan(FeatureConfig(window_samples=441, fft_size=512))
    suggestion = str(caught.value).split("--window_samples=")[1].split()[0]
    split = dft.plan(FeatureConfig(window_samples=int(suggestion), fft_size=512))
    assert split.rows * split.columns == int(suggestion)


def test_a_window_too_long_is_refused():
    with pytest.raises(ConversionError, match="window_samples=16384 is too long"):
        dft.plan(FeatureConfig(window_samples=16384, fft_size=16384))
