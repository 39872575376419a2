"""Stage 1: every frame is amplified by the power of two that brings its peak close to full scale (block floating point).

A 16-bit DFT of quiet speech would lose its low bits: without this stage the log-mel of speech at -36 dBFS is off by 0.9 dB (median).
The gain is 2**n, so the product is exact, and the logarithm is corrected by n * ln 2 (logarithm.level).
"""

import typing

import numpy as np

from kws_tf.front_end.graph import RELU6_SCALE, RELU6_STEPS

DOUBLINGS = 10
LARGEST_INCREMENT = 127


class StepChannels(typing.NamedTuple):
    """Comparisons of the peak of a frame, one entry per channel.

    Args:
        thresholds: the channel is on where the peak is below it.
        increments: what it adds to the gain while it is on.
        doublings: 1 for the channel that stands for a doubling in the level stage, 0 for one that only adds to the gain.
    """

    thresholds: np.ndarray
    increments: np.ndarray
    doublings: np.ndarray


def step_channels():
    """The channels of `steps`.

    Doubling j adds 2**(j-1) to the gain. int8 weights end at 127, so from j = 8 on several channels with one threshold share the sum;
    the first of them carries the doubling. The last channel is digital silence: it changes no gain, but lets the level stage tell
    zeros, whose features are the log floor, from a spectrum below the resolution of the frame.

    Returns:
        StepChannels.
    """
    thresholds, increments, doublings = [], [], []
    for j in range(1, DOUBLINGS + 1):
        rest = 2 ** (j - 1)
        doublings.extend([1] + [0] * ((rest - 1) // LARGEST_INCREMENT))
        while rest > 0:
            thresholds.append(2 ** (15 - j))
            increments.append(min(rest, LARGEST_INCREMENT))
            rest -= increments[-1]
    return StepChannels(np.array([*thresholds, 1]), np.array([*increments, 0]), np.array([*doublings, 0]))


def amplify(graph, frames):
    """Multiplies each frame by 2**n, the largest with n <= DOUBLINGS that keeps its peak below 2**15.

    peak  = max |x|: over the rows of a frame with its columns as channels, as the pooling kernels do it fastest, then over columns.
    steps = 1 where peak < threshold, else 0: a convolution 127 * (threshold - peak) whose smallest positive value, 127, is scaled by
            120 beyond the end of ReLU6, so that every output is exactly 0 or RELU6_STEPS. The largest sum is 127 * 120 *
            (32768 + 2**14) = 0.70 * 2**30.
    gain  = 1 + sum of increments = 2**n, in units of 2**(DOUBLINGS - 14), so that the largest, 2**DOUBLINGS, is 2**14 steps.

    Args:
        graph: Graph. frames: Tensor [frames, rows, 1, columns].

    Returns:
        (amplified, steps): a Tensor like frames, and a Tensor [frames, 1, 1, step channels] of 0 or RELU6_STEPS.
    """
    graph.stage = "gain"
    n_frames, rows, _, columns = frames.shape
    channels = step_channels()
    n_steps = len(channels.thresholds)
    peak = graph.max_pool(graph.absolute(frames), (rows, 1))
    peak = graph.max_pool(graph.reshape(peak, (n_frames, columns, 1, 1)), (columns, 1))
    steps = graph.convolve(peak, np.full((n_steps, 1, 1, 1), -127), 120 * RELU6_SCALE / frames.scale, RELU6_SCALE,
                           bias=127 * channels.thresholds, relu6=True, name="steps")
    gain = graph.convolve(steps, channels.increments.reshape(1, 1, 1, n_steps), 1 / (RELU6_SCALE * RELU6_STEPS), 2.0 ** (DOUBLINGS - 14),
                          bias=[RELU6_STEPS], name="gain")
    return graph.multiply(frames, gain, frames.scale), steps
