"""Stage 3: magnitude or power of each bin, out of its real and imaginary part."""

import numpy as np

from kws_tf.front_end import fixed_point

PROJECTIONS = 5
# Fine, middle and coarse squares: each doubles this often before it saturates.
POWER_SHIFTS = (14, 7, 0)


def magnitude(graph, spectrum):
    """|X| without a root: the longest of PROJECTIONS projections of (|Re X|, |Im X|) on directions of the first quadrant.

    The directions are pi / (2 PROJECTIONS) apart, so the longest is at least cos(pi / (4 PROJECTIONS)) |X|; scaled to the middle of
    that range, the error is within +-0.6 % (0.05 dB) for 5 directions. |X| <= dft bound, the scale of the spectrum, so nothing
    saturates.

    Args:
        graph: Graph. spectrum: Tensor [frames, 2, rows, columns].

    Returns:
        Tensor [frames, 1, 1, rows * columns] with the scale of spectrum.
    """
    graph.stage = "magnitude"
    n_frames, _, rows, columns = spectrum.shape
    parts = graph.reshape(graph.absolute(spectrum), (n_frames, 1, 2, rows * columns))
    angles = (np.arange(PROJECTIONS) + 0.5) * (np.pi / 2) / PROJECTIONS
    centre = 2 / (1 + np.cos(np.pi / 4 / PROJECTIONS))
    directions, scale = fixed_point.quantise_int16(centre * np.stack([np.cos(angles), np.sin(angles)], -1)[None, None])
    lengths = graph.matrix_product(graph.constant(directions, scale, "directions"), parts, spectrum.scale, name="projections")
    return graph.max_pool(lengths, (1, PROJECTIONS))


def power(graph, spectrum, shift):
    """Half of |X|^2, in steps 2**shift times finer than would be needed to hold the largest, and saturating accordingly.

    Re^2 and Im^2 are each one product, saturated to int16; their mean is taken by the pooling kernel, which cannot overflow. Both round
    halves up; the mel stage takes the mean of that, rounding_bias, off again.

    Args:
        graph: Graph. spectrum: Tensor [frames, 2, rows, columns]. shift: 0 to 14.

    Returns:
        Tensor [frames, 1, rows, columns].
    """
    graph.stage = "power"
    step = spectrum.scale**2 * 2.0 ** (15 - shift)
    return graph.average_pool(graph.multiply(spectrum, spectrum, step), (2, 1))


def rounding_bias(shift):
    """By how many steps `power` is too large on average.

    The mean of two integers ends in a half every second time, which is rounded up: 1/4. A square divided by 2**(15 - shift) ends in
    exactly a half once in 2**(15 - shift) times: another half of that.
    """
    return 0.25 + 0.5 * 2.0 ** (shift - 15)
