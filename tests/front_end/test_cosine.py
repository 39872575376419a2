import numpy as np
import pytest

from kws_tf import mel
from kws_tf.config import FEATURE_PRESETS
from kws_tf.front_end import cosine, logarithm, mel_bands
from kws_tf.front_end.numpy_graph import NumpyGraph

MFCC_PRESETS = [name for name, features in FEATURE_PRESETS.items() if features.kind == "mfcc"]


@pytest.mark.parametrize("name", MFCC_PRESETS)
def test_coefficients_are_those_of_the_float_transform(name):
    features = FEATURE_PRESETS[name]
    log_mel = np.random.default_rng(7).integers(-12000, 9000, (1, 5, features.n_mels, 1)).astype(np.int16)
    graph = NumpyGraph()
    result = cosine.cosine_transform(graph, graph.input(log_mel, logarithm.LOG_SCALE), features)
    assert result.shape == (1, 5, features.n_mfcc, 1)
    expected = log_mel[0, :, :, 0] * logarithm.LOG_SCALE @ mel.dct_matrix(features.n_mfcc, features.n_mels)
    np.testing.assert_allclose(result.value[0, :, :, 0] * result.scale, expected, atol=0.6 * result.scale)


@pytest.mark.parametrize("name", MFCC_PRESETS)
@pytest.mark.parametrize("value", ["floor", "loudest"])
def test_the_scale_holds_the_extremes(name, value):
    features = FEATURE_PRESETS[name]
    log = np.log(features.log_floor if value == "floor" else mel_bands.band_bounds(features).max())
    graph = NumpyGraph()
    x = graph.input(np.full((1, 1, features.n_mels, 1), round(log / logarithm.LOG_SCALE), np.int16), logarithm.LOG_SCALE)
    result = cosine.cosine_transform(graph, x, features)
    assert result.value[0, 0, 0, 0] * result.scale == pytest.approx(log * np.sqrt(features.n_mels), rel=1e-3)
    assert np.abs(result.value[0, 0, 1:, 0]).max(initial=0) <= 2
