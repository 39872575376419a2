import dataclasses

import numpy as np
import pytest

from kws_tf import mel
from kws_tf.config import FeatureConfig
from kws_tf.front_end import dft, mel_bands
from kws_tf.front_end.numpy_graph import NumpyGraph

POWER = FeatureConfig()
MAGNITUDE = dataclasses.replace(POWER, spectrum="magnitude")


def full_scale_signals(n_samples):
    """Signals within +-1 that put much energy into few bands: tones, squares, chirps and noise."""
    n, rng = np.arange(n_samples), np.random.default_rng(5)
    for cycles in np.geomspace(1, n_samples / 2.1, 40):
        tone = np.cos(2 * np.pi * cycles * n / n_samples)
        yield from (tone, np.sign(tone))
        for width in (0.05, 0.2):
            yield np.cos(2 * np.pi * cycles * (n + width * n**2 / n_samples) / n_samples)
    yield from rng.choice([-1.0, 1.0], (20, n_samples))


@pytest.mark.parametrize("features", [POWER, MAGNITUDE, dataclasses.replace(MAGNITUDE, n_mels=80), dataclasses.replace(POWER, n_mels=20)],
                         ids=lambda features: f"{features.spectrum} {features.n_mels}")
def test_no_signal_exceeds_the_bounds(features):
    signals = np.array(list(full_scale_signals(features.window_samples)))
    spectrum = np.abs(np.fft.rfft(signals * mel.hann_window(features.window_samples), features.fft_size))
    bands = (spectrum**2 if features.spectrum == "power" else spectrum) @ mel.mel_matrix(features)
    share = bands.max(0) / mel_bands.band_bounds(features)
    assert share.max() < 1
    assert share.min() > 0.2                                            # nor are they so loose that bits are lost


@pytest.mark.parametrize("features", [POWER, MAGNITUDE], ids=lambda features: features.spectrum)
def test_bands_are_the_mel_matrix_over_the_bound(features):
    split = dft.plan(features)
    spectrum = np.random.default_rng(6).integers(0, 2000, features.fft_size // 2 + 1)
    graph = NumpyGraph()
    scale = 2.0**-5
    x = graph.input(spectrum[split.bins][None, None].astype(np.int16), scale)
    result = mel_bands.bands(graph, x, features, 1.0)
    expected = spectrum * scale @ mel.mel_matrix(features) / mel_bands.band_bounds(features)
    np.testing.assert_allclose(result.value[0, 0, 0] * result.scale, expected, rtol=0.004, atol=2.0**-15)


def test_the_offset_is_taken_off_every_bin():
    split = dft.plan(POWER)
    graph = NumpyGraph()
    x = graph.input(np.full((1, 1, *split.bins.shape), 1000, np.int16), 1.0)
    plain, reduced = (mel_bands.bands(graph, x, POWER, 0.05, offset).value for offset in (0.0, 100.0))
    np.testing.assert_allclose(reduced, 0.9 * plain, atol=1)
    assert plain.min() > 20


def test_a_power_of_two_changes_only_the_scales():
    # the three scales of the power spectrum then share one table in the file
    graph = NumpyGraph()
    weights = []
    graph.convolve = lambda x, integers, scales, scale, **_: weights.append((integers, scales))
    for value in (2.0, 2.0**8):
        mel_bands.bands(graph, graph.input(np.zeros((1, 1, *dft.plan(POWER).bins.shape), np.int16), 1.0), POWER, value)
    np.testing.assert_array_equal(weights[0][0], weights[1][0])
    np.testing.assert_allclose(weights[1][1] / weights[0][1], 128)
