import numpy as np
import pytest

from kws_tf.front_end import framing, gain, logarithm, mel_bands, spectrum
from kws_tf.front_end.numpy_graph import NumpyGraph

DB_PER_NEPER = {1: 20 / np.log(10), 2: 10 / np.log(10)}


def log_of_bands(bands, shifts):
    """logarithm on bands [scales, n], in real units."""
    graph = NumpyGraph()
    x = graph.input(bands[None, :, None, :].astype(np.int16), mel_bands.BAND_SCALE)
    result = logarithm.logarithm(graph, x, shifts)
    return result.value[0, 0, :, 0] * result.scale


def test_every_value_of_one_scale():
    values = np.arange(1, 32768)
    edges, ratio = logarithm.knots((0,))
    error = log_of_bands(values[None], (0,)) + np.log(edges[0][0]) + logarithm.chord_centre(ratio) - np.log(values)
    error_db = np.abs(error) * DB_PER_NEPER[1]
    assert error_db[values >= 64].max() < 0.08
    assert error_db.max() < 0.6                                         # one step of the log and lines that end within a step of bands
    assert np.median(error_db[values >= 64]) < 0.05


def test_every_octave_of_three_scales():
    shifts = spectrum.POWER_SHIFTS
    values = np.unique(np.rint(np.geomspace(1, 2**29, 20000)))
    bands = np.stack([np.minimum(np.floor(values / 2.0 ** (shifts[0] - shift) + 0.5), 32767) for shift in shifts])
    edges, ratio = logarithm.knots(shifts)
    error = log_of_bands(bands, shifts) + np.log(edges[0][0]) + logarithm.chord_centre(ratio) - np.log(values)
    error_db = np.abs(error) * DB_PER_NEPER[2]
    assert error_db[values >= 64].max() < 0.11                          # chord, and half a step of 64 after a hand-over
    assert error_db.max() < 0.9


def test_the_logarithm_never_falls():
    shifts = spectrum.POWER_SHIFTS
    values = np.unique(np.rint(np.geomspace(1, 2**29, 20000)))
    bands = np.stack([np.minimum(np.floor(values / 2.0 ** (shifts[0] - shift) + 0.5), 32767) for shift in shifts])
    assert np.diff(log_of_bands(bands, shifts)).min() >= 0


def test_knots_hand_over_without_gap_or_overlap():
    shifts = spectrum.POWER_SHIFTS
    edges, ratio = logarithm.knots(shifts)
    for part in edges:
        np.testing.assert_allclose(part[1:] / part[:-1], ratio)
    for i in range(len(shifts) - 1):
        assert edges[i][-1] == 2.0**logarithm.HANDOVER_BITS
        assert edges[i + 1][0] * 2.0 ** (shifts[i] - shifts[i + 1]) == edges[i][-1]
    assert edges[0][0] <= 1 and edges[-1][-1] >= 32767


@pytest.mark.parametrize("exponent", [1, 2])
@pytest.mark.parametrize("doublings", [0, 3, 10])
def test_the_level_undoes_the_gain(doublings, exponent):
    graph = NumpyGraph()
    peak = 2 ** (15 - doublings) - 1
    frame = np.zeros((1, 30, 1, 16), np.int16)
    frame[0, 3, 0, 5] = peak
    _, steps = gain.amplify(graph, graph.input(frame, framing.PCM_SCALE))
    bounds = np.array([10.0, 500.0, 46080.0])
    result = logarithm.level(graph, steps, bounds, (0,), exponent)
    edges, ratio = logarithm.knots((0,))
    expected = np.log(bounds * 2.0**-15 * edges[0][0]) + logarithm.chord_centre(ratio) - exponent * doublings * np.log(2)
    np.testing.assert_allclose(result.value[0, 0, :, 0] * result.scale, expected, atol=2 * logarithm.LOG_SCALE)


@pytest.mark.parametrize("exponent", [1, 2])
def test_silence_is_below_the_lowest_floor(exponent):
    graph = NumpyGraph()
    _, steps = gain.amplify(graph, graph.input(np.zeros((1, 30, 1, 16), np.int16), framing.PCM_SCALE))
    result = logarithm.level(graph, steps, np.array([700.0]), (0,), exponent)
    assert result.value.item() * result.scale < -logarithm.LARGEST_LOG or result.value.item() * result.scale < -27
