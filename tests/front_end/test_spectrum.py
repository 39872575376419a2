import numpy as np
import pytest

from kws_tf.front_end import spectrum
from kws_tf.front_end.numpy_graph import NumpyGraph

SCALE = 171 * 2.0**-15


def bins(values, graph):
    """Complex integers [bins] as a spectrum tensor [1, 2, 1, bins]."""
    return graph.input(np.stack([values.real, values.imag])[None, :, None, :].astype(np.int16), SCALE)


def circle(radius, n=997):
    return np.rint(radius * np.exp(2j * np.pi * np.arange(n) / n))


@pytest.mark.parametrize("radius", [300, 5000, 32000])
def test_magnitude_is_within_six_permille_at_every_angle(radius):
    graph = NumpyGraph()
    values = circle(radius)
    result = spectrum.magnitude(graph, bins(values, graph))
    assert result.shape == (1, 1, 1, 997) and result.scale == pytest.approx(SCALE)
    error = result.value[0, 0, 0] / np.abs(values) - 1
    assert np.abs(error).max() < 0.0062 + 1.5 / radius
    assert error.max() > 0.005 and error.min() < -0.005


@pytest.mark.parametrize("shift", spectrum.POWER_SHIFTS)
def test_power_is_half_the_square_in_its_own_steps(shift):
    graph = NumpyGraph()
    values = np.rint(np.random.default_rng(4).normal(size=500) * 20000 * 2 ** (-shift / 2)) * np.exp(1j)
    values = np.rint(values.real) + 1j * np.rint(values.imag)
    result = spectrum.power(graph, bins(values, graph), shift)
    assert result.scale == pytest.approx(SCALE**2 * 2.0 ** (15 - shift))
    exact = np.abs(values) ** 2 / 2 * 2.0 ** (shift - 15)
    fits = np.maximum(values.real**2, values.imag**2) * 2.0 ** (shift - 15) < 32767
    assert fits.mean() > 0.8
    error = (result.value[0, 0, 0] - exact)[fits]
    assert np.abs(error).max() <= 1
    assert error.mean() == pytest.approx(spectrum.rounding_bias(shift), abs=0.05)


def test_power_saturates_each_part_on_its_own():
    graph = NumpyGraph()
    result = spectrum.power(graph, bins(np.array([30000 + 0j, 30000j, 30000 + 30000j, -30000 + 3j]), graph), 14)
    assert result.value[0, 0, 0].tolist() == [16384, 16384, 32767, 16386]


def test_the_coarsest_power_cannot_saturate():
    graph = NumpyGraph()
    result = spectrum.power(graph, bins(np.array([32767 + 32767j, -32768 - 32768j]), graph), 0)
    assert result.value[0, 0, 0].tolist() == [32766, 32767]
