import numpy as np
import pytest

from kws_tf.front_end import framing, gain
from kws_tf.front_end.graph import RELU6_STEPS
from kws_tf.front_end.numpy_graph import NumpyGraph

PEAKS = sorted({0, 1, 2, 3, 32767} | {2**k + d for k in range(2, 15) for d in (-1, 0, 1)})


def amplify(frames):
    graph = NumpyGraph()
    amplified, steps = gain.amplify(graph, graph.input(frames.astype(np.int16), framing.PCM_SCALE))
    return amplified.value, steps.value


def frames_with_peak(peak, sign=1):
    frames = np.random.default_rng(peak).integers(-peak, peak + 1, (1, 30, 1, 16))
    frames[0, 11, 0, 7] = sign * peak
    return frames


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("peak", PEAKS)
def test_the_gain_is_the_largest_power_of_two_that_fits(peak, sign):
    frames = frames_with_peak(peak, sign)
    amplified, steps = amplify(frames)
    doublings = int(steps[0, 0, 0] @ gain.step_channels().doublings) // RELU6_STEPS
    expected = next(n for n in range(gain.DOUBLINGS, -1, -1) if peak * 2**n < 2**15 or n == 0)
    assert doublings == expected
    np.testing.assert_array_equal(amplified, frames * 2**expected)


def test_minus_32768_is_not_amplified():
    frames = np.full((1, 30, 1, 16), -32768)
    np.testing.assert_array_equal(amplify(frames)[0], frames)


def test_frames_are_amplified_one_by_one():
    frames = np.concatenate([frames_with_peak(peak) for peak in PEAKS])
    together, _ = amplify(frames)
    alone = np.concatenate([amplify(frame[None])[0] for frame in frames])
    np.testing.assert_array_equal(together, alone)


def test_steps_are_all_or_nothing_and_the_last_one_means_silence():
    for peak in PEAKS:
        _, steps = amplify(frames_with_peak(peak))
        assert set(np.unique(steps)) <= {0, RELU6_STEPS}
        assert (steps[0, 0, 0, -1] == RELU6_STEPS) == (peak == 0)


def test_increments_fit_int8_and_sum_to_the_largest_gain():
    channels = gain.step_channels()
    assert channels.increments.max() <= 127
    assert 1 + channels.increments.sum() == 2**gain.DOUBLINGS
    assert channels.doublings.sum() == gain.DOUBLINGS
