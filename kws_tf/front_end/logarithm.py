"""Stage 5: the natural logarithm of the mel bands, as a sum of saturating straight lines."""

import functools

import numpy as np

from kws_tf.front_end import gain
from kws_tf.front_end.graph import RELU6_SCALE, RELU6_STEPS

LOG_SCALE = 2.0**-10
LARGEST_LOG = 31.0
BITS = 15
# Ratio of neighbouring knots. The error of a chord grows with its square: +-0.065 dB here, of magnitude and of power.
MAGNITUDE_RATIO = 2.0 ** (1 / 2)
POWER_RATIO = 2.0 ** (7 / 10)
# A finer scale of the bands is trusted up to this many bits. Above, single bins may have saturated.
HANDOVER_BITS = 13
STEEPEST = 120
DOUBLING_WEIGHT, SILENCE_WEIGHT = 4, 127


@functools.lru_cache(maxsize=8)
def knots(shifts):
    """Where the straight lines meet: ascending knots for each scale of the bands.

    One scale covers 1 ... 2**15. Of several scales, each 2**(shift - next shift) times finer than the next, the first covers
    1 ... 2**13, and the next goes on from there in its own coarser steps; so every octave has lines in exactly one scale, and the
    logarithm is the plain sum of them all.

    Args:
        shifts: tuple of the shifts of the scales, finest first.

    Returns:
        (list of float64 arrays, ratio): each knot is `ratio` times the one before.
    """
    ratio = MAGNITUDE_RATIO if len(shifts) == 1 else POWER_RATIO
    octaves = np.log2(ratio)
    edges = []
    for index, shift in enumerate(shifts):
        top = BITS if index == len(shifts) - 1 else HANDOVER_BITS
        if index == 0:
            n_lines = int(np.ceil(top / octaves - 1e-9))
            edges.append(2.0 ** (top - octaves * np.arange(n_lines, -1, -1)))
        else:
            bottom = HANDOVER_BITS - (shifts[index - 1] - shift)
            n_lines = int(np.ceil((top - bottom) / octaves - 1e-9))
            edges.append(2.0 ** (bottom + octaves * np.arange(n_lines + 1)))
    return edges, ratio


def chord_centre(ratio):
    """Half the largest distance between ln and its chord from 1 to ratio: added to the chord, it makes the error symmetric."""
    t = np.linspace(1, ratio, 2000)
    return (np.log(t) - np.log(ratio) * (t - 1) / (ratio - 1)).max() / 2


def logarithm(graph, bands, shifts):
    """ln of the bands, counted from the lowest knot of the finest scale.

    Line j is clamp((band - knot_j) / (knot_{j+1} - knot_j), 0, 1): a convolution with weight 127 on one scale and bias -127 knot_j,
    rescaled so that the next knot gives RELU6_STEPS, and ReLU6. Where two knots are closer than one step of the bands, a slope of
    STEEPEST is enough for the line to end within that step. Largest sum: 127 * STEEPEST * 2**15 = 0.47 * 2**30. All lines rise by the
    same ln(ratio), so the second convolution adds them with equal weights and the only error left is that of the chords.

    Args:
        graph: Graph. bands: Tensor [frames, scales, 1, n_mels]. shifts: tuple, see knots.

    Returns:
        Tensor [1, frames, n_mels, 1] in steps of LOG_SCALE, at least 0.
    """
    n_frames, n_scales, _, n_mels = bands.shape
    edges, ratio = knots(shifts)
    scale_of = np.repeat(np.arange(n_scales), [len(part) - 1 for part in edges])
    low, width = np.concatenate([part[:-1] for part in edges]), np.concatenate([np.diff(part) for part in edges])
    n_lines = len(low)
    weights = np.zeros((n_lines, n_scales, 1, 1), int)
    weights[np.arange(n_lines), scale_of] = 127
    slopes = np.minimum(RELU6_STEPS / (127 * width), STEEPEST)
    rows = graph.reshape(bands, (1, n_frames * n_scales, n_mels, 1))
    lines = graph.convolve(rows, weights, slopes * RELU6_SCALE / bands.scale, RELU6_SCALE, bias=-127 * low, relu6=True,
                           row_stride=n_scales, name="log_lines")
    return graph.convolve(lines, np.full((1, 1, 1, n_lines), 127), np.log(ratio) / (127 * RELU6_STEPS * RELU6_SCALE), LOG_SCALE, name="log")


def level(graph, steps, band_bounds, shifts, exponent):
    """What has to be added to `logarithm` to make it the logarithm of the mel bands of the frame before its amplification.

    level[band] = ln(value of the lowest knot) + chord centre - exponent * ln 2 * (number of doublings).
    A band at the lowest knot k is band_bound * k * 2**(-15 - finest shift). Digital silence takes off 127 / 4 doublings more, which
    puts it below any allowed floor.

    Args:
        graph: Graph. steps: Tensor from gain.amplify. band_bounds: float [n_mels]. shifts: see knots.
        exponent: 1 for magnitude, 2 for power.

    Returns:
        Tensor [1, frames, n_mels, 1] in steps of LOG_SCALE.
    """
    n_frames, _, _, n_steps = steps.shape
    n_mels = len(band_bounds)
    edges, ratio = knots(shifts)
    lowest = np.log(band_bounds * edges[0][0] * 2.0 ** (-BITS - shifts[0])) + chord_centre(ratio)
    weights = -DOUBLING_WEIGHT * gain.step_channels().doublings
    weights[-1] = -SILENCE_WEIGHT
    weight_scale = exponent * np.log(2) / (DOUBLING_WEIGHT * RELU6_STEPS * RELU6_SCALE)
    offsets = graph.convolve(steps, np.tile(weights, (n_mels, 1)).reshape(n_mels, 1, 1, n_steps), weight_scale, LOG_SCALE,
                             bias=lowest / (RELU6_SCALE * weight_scale), name="level")
    return graph.reshape(offsets, (1, n_frames, n_mels, 1))
