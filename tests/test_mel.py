"""The feature tables against literal numbers and against librosa and scipy."""

import dataclasses

import numpy as np
import pytest

from kws_tf import mel
from kws_tf.config import FEATURE_PRESETS, GRAPH_PRESETS, FeatureConfig
from kws_tf.errors import ConfigError


def test_hann_window_is_periodic():
    np.testing.assert_allclose(mel.hann_window(8), [0, 0.146447, 0.5, 0.853553, 1, 0.853553, 0.5, 0.146447], atol=1e-6)
    assert mel.hann_window(480).sum() == pytest.approx(240)


def test_mel_scale_is_htk():
    assert mel.hz_to_mel(1000) == pytest.approx(999.9855, abs=1e-3)
    np.testing.assert_allclose(mel.mel_to_hz(mel.hz_to_mel([0, 60, 7600])), [0, 60, 7600], atol=1e-9)


def test_mel_matrix_of_two_bands():
    features = FeatureConfig(sample_rate=8000, window_samples=8, hop_samples=4, fft_size=8, n_mels=2, low_hz=0, high_hz=4000)
    # edges at 0, 715.35, 1430.71 and 2146.06 mel: 0, 620.6, 1791.4 and 4000 Hz; bins every 1000 Hz
    np.testing.assert_allclose(mel.mel_matrix(features), [[0, 0], [0.6760, 0.3240], [0, 0.9055], [0, 0.4528], [0, 0]], atol=1e-3)


@pytest.mark.parametrize("preset", sorted(GRAPH_PRESETS))
def test_mel_matrix_has_no_area_normalisation(preset):
    features = FEATURE_PRESETS[preset]
    weights = mel.mel_matrix(features)
    assert weights.shape == (features.fft_size // 2 + 1, features.n_mels)
    edges = mel.mel_to_hz(np.linspace(mel.hz_to_mel(features.low_hz), mel.hz_to_mel(features.high_hz), features.n_mels + 2))
    hz = np.arange(len(weights)) * features.sample_rate / features.fft_size
    between_centres = (hz >= edges[1]) & (hz <= edges[-2])
    np.testing.assert_allclose(weights[between_centres].sum(1), 1, atol=1e-12)
    assert (weights[(hz <= edges[0]) | (hz >= edges[-1])] == 0).all()


@pytest.mark.parametrize("preset", sorted(GRAPH_PRESETS))
def test_mel_matrix_equals_librosa(preset):
    filters = pytest.importorskip("librosa", reason="librosa (extra dev) is not installed").filters
    features = FEATURE_PRESETS[preset]
    expected = filters.mel(sr=features.sample_rate, n_fft=features.fft_size, n_mels=features.n_mels, fmin=features.low_hz,
                           fmax=features.high_hz, htk=True, norm=None, dtype=np.float64)
    np.testing.assert_allclose(mel.mel_matrix(features), expected.T, atol=1e-12)


def test_band_without_fft_bin_is_refused_with_a_way_out():
    features = FeatureConfig(n_mels=128)
    with pytest.raises(ConfigError, match=r"of 128 mel bands .* hold no FFT bin .*--n_mels or --fft_size=1024") as caught:
        mel.mel_matrix(features)
    assert "31.25 Hz apart" in str(caught.value)
    assert (mel.mel_matrix(dataclasses.replace(features, fft_size=1024)).sum(0) > 0).all()


def test_dct_matrix_of_four_bands():
    np.testing.assert_allclose(np.array([1, 2, 3, 4]) @ mel.dct_matrix(4, 4), [5, -2.230442, 0, -0.158513], atol=1e-6)


def test_dct_matrix_is_orthonormal_and_equals_scipy():
    fft = pytest.importorskip("scipy.fft", reason="scipy (extra train) is not installed")
    matrix = mel.dct_matrix(40, 40)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(40), atol=1e-12)
    np.testing.assert_allclose(mel.dct_matrix(13, 40), fft.dct(np.eye(40), type=2, norm="ortho")[:, :13], atol=1e-12)


def test_a_range_that_no_fft_can_resolve_is_told_at_once():
    with pytest.raises(ConfigError, match="Use fewer --n_mels or a wider range from --low_hz to --high_hz"):
        mel.mel_matrix(FeatureConfig(low_hz=1000.1, high_hz=1000.2))
