"""Streaming graphs against the offline network: every network, padding, front end, hop, kind of state and type."""

import keras
import numpy as np
import pytest

from kws_tf.config import FEATURE_PRESETS, FeatureConfig
from kws_tf.errors import ConversionError
from kws_tf.layers import TemporalPadding
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.step_graph import State
from kws_tf.tflite.streaming import check_states, join_clips, prepare, streaming_graph

WINDOW = 24
FRAMES = 84
STATES = ("external", "internal")
FEATURES = {"mels40": FeatureConfig(), "mels80": FeatureConfig(n_mels=80), "mfcc20": FeatureConfig(kind="mfcc", n_mfcc=20),
            "sparknet": FEATURE_PRESETS["sparknet"], "mlperf_tiny": FEATURE_PRESETS["mlperf_tiny"]}
QUICK = [
    ({"tau": 1.0}, "mels40"),
    ({"model": "sparknet", "padding": "mixed", "lookahead_stages": 2}, "sparknet"),
    ({"model": "ds_cnn", "channels": 16, "padding": "symmetric"}, "mlperf_tiny"),
]
FURTHER = [
    ({"tau": 1.0, "padding": "symmetric"}, "mfcc20"), ({"tau": 1.0, "padding": "mixed", "lookahead_stages": 2}, "mels80"),
    ({"model": "sparknet"}, "sparknet"), ({"model": "sparknet", "padding": "symmetric"}, "mels40"),
    ({"model": "ds_cnn", "channels": 16}, "mlperf_tiny"),
    ({"model": "ds_cnn", "channels": 16, "padding": "mixed", "lookahead_stages": 1}, "mlperf_tiny"),
]


def recording(rows, n_frames=FRAMES, seed=0, batch=()):
    return np.random.default_rng(seed).normal(-2, 3, (*batch, n_frames, rows, 1)).astype(np.float32)


def offline(network, features, window):
    """What every frame must score, in numpy but for the network up to its mean; frames before the recording count as zeros."""
    frames = np.asarray(network.frame_embeddings(features[None]))[0]
    logits = frames @ np.asarray(network.classifier.kernel) + np.asarray(network.classifier.bias)
    return np.stack([logits[max(0, t + 1 - window):t + 1].sum(axis=0) / window for t in range(len(logits))])


def ident(value):
    return "-".join(map(str, value.values())) if isinstance(value, dict) else value


@pytest.mark.parametrize("settings, features", [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in FURTHER)], ids=ident)
def test_every_frame_equals_the_offline_network(settings, features, uneven_network, play):
    config = FEATURES[features]
    network, x = uneven_network(config, **settings), recording(config.n_features)
    in_float = prepare(network, WINDOW)
    in_int8 = prepare(network, WINDOW, recording(config.n_features, 3 * WINDOW, seed=1, batch=(6,)))
    stride = in_float.stride_frames
    expected = offline(network, x, WINDOW // stride)
    assert np.ptp(expected, axis=0).min() > 0.02 and len(x) > 3 * WINDOW

    reference = None
    for hop in (stride, 2 * stride, 3 * stride):
        for state in STATES:
            scores = play(*streaming_graph(in_float, config, hop, state), x)
            np.testing.assert_allclose(scores, expected, atol=1e-5, err_msg=f"float32 {hop} {state}")
            integers = play(*streaming_graph(in_int8, config, hop, state), x, raw=True)
            reference = integers if reference is None else reference
            assert integers.dtype == np.int8
            np.testing.assert_array_equal(integers, reference, err_msg=f"int8 {hop} {state}")
    target = in_int8.graph.outputs[0].spec
    error = (reference.astype(np.float64) - target.zero_point) * target.scale - expected
    assert np.sqrt(np.mean(error ** 2)) < 0.25 * np.std(expected)
    assert len(np.unique(reference, axis=0)) > len(expected) / 3


def test_the_compact_form_has_the_same_integers_for_every_hop_and_state(uneven_network, play):
    network, x = uneven_network(tau=0.625), recording(40, FRAMES, seed=3)
    prepared = prepare(network, WINDOW, recording(40, 3 * WINDOW, seed=1, batch=(6,)), compact=True)
    expected = offline(network, x, WINDOW)
    reference = play(*streaming_graph(prepared, FeatureConfig(), 1, "internal"), x, raw=True)
    for hop, state in ((1, "external"), (2, "internal"), (3, "external")):
        np.testing.assert_array_equal(play(*streaming_graph(prepared, FeatureConfig(), hop, state), x, raw=True), reference)
    target = prepared.graph.outputs[0].spec
    error = (reference.astype(np.float64) - target.zero_point) * target.scale - expected
    assert np.sqrt(np.mean(error ** 2)) < 0.3 * np.std(expected) and len(np.unique(reference, axis=0)) > len(expected) / 3


@pytest.fixture(scope="module")
def small(uneven_network):
    """(network, float32 StreamingNetwork, int8 StreamingNetwork) of a SparkNet that looks ahead: quick, and with every kind of state."""
    network = uneven_network(model="sparknet", channels=8, padding="mixed", lookahead_stages=1)
    return network, prepare(network, WINDOW), prepare(network, WINDOW, recording(40, 3 * WINDOW, seed=1, batch=(6,)))


def test_cosines_are_of_the_mean_embedding(uneven_network, play):
    """A classifier that does not commute with the mean: the state is a window of embeddings."""
    network, x = uneven_network(model="sparknet", channels=8, arcface=True), recording(40)
    frames = np.asarray(network.frame_embeddings(x[None]))[0]
    # Frames before the recording count as zeros.
    means = np.stack([frames[max(0, t + 1 - WINDOW):t + 1].sum(axis=0) / WINDOW for t in range(len(frames))])
    scores = play(*streaming_graph(prepare(network, WINDOW), FeatureConfig(), 2, "internal"), x)
    np.testing.assert_allclose(scores, np.asarray(network.classifier(means)), atol=1e-4)
    in_int8 = prepare(network, WINDOW, recording(40, 3 * WINDOW, seed=1, batch=(6,)))
    graph, section = streaming_graph(in_int8, FeatureConfig(), 1, "external")
    integers = play(graph, section, x, raw=True)
    assert next(state.shape for state in section.states if state.name == "average") == (1, WINDOW - 1, 1, frames.shape[1])
    np.testing.assert_array_equal(play(*streaming_graph(in_int8, FeatureConfig(), 3, "internal"), x, raw=True), integers)
    assert len(np.unique(integers, axis=0)) > 20


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_every_state_matters(kind, small, play):
    """The mutation that the equality test must see: a state that is not passed on."""
    graph, section = streaming_graph(small[1 + (kind == "int8")], FeatureConfig(), 1, "external")
    x = recording(40)
    expected = play(graph, section, x, raw=True)
    assert {state.name for state in section.states} >= {"average", "valid/earlier"}
    for state in section.states:
        broken = [each for each in section.states if each is not state]
        start = {each.input: np.full(each.shape, each.zero_point, each.dtype) for each in section.states}
        lost = play(graph, _Section(section, broken), x, raw=True, state=start)
        assert np.abs(lost.astype(np.float64) - expected).max() > 1e-3, state.name


class _Section:
    """A section that passes on only some of its states."""

    def __init__(self, section, states):
        self._section, self.states = section, states

    def __getattr__(self, name):
        return getattr(self._section, name)


def test_a_fresh_start_forgets_everything_older_than_the_state(small, play):
    """No drift: what lies further back than receptive field and window together leaves no trace in the integers."""
    graph, section = streaming_graph(small[2], FeatureConfig(), 3, "internal")
    x = recording(40, 900)
    memory = 71 + WINDOW + section.delay_frames
    late = play(graph, section, x[-(memory + 60):], raw=True)
    np.testing.assert_array_equal(play(graph, section, x, raw=True)[-60:], late[-60:])
    assert np.any(play(graph, section, x[-20:], raw=True) != late[-20:])


@pytest.mark.parametrize("hop", [1, 2])
def test_integers_of_whole_recording_and_step_are_the_same(small, hop, play):
    """Nothing is quantised twice: weights, scales and zero points of the step are those of the graph over the whole recording."""
    network = small[2]
    graph, section = streaming_graph(network, FeatureConfig(), hop, "external")
    whole = {tensor.name: tensor for tensor in network.graph.tensors() if tensor.data is None}
    shared = [tensor for tensor in graph.tensors() if tensor.name in whole]
    assert len(shared) > 10
    for tensor in shared:
        assert (tensor.spec.scale, tensor.spec.zero_point) == (whole[tensor.name].spec.scale, whole[tensor.name].spec.zero_point)
    for state in section.states:
        before, after = (next(spec for spec in (entry.spec for entry in side) if spec.name == name)
                         for side, name in ((graph.inputs, state.input), (graph.outputs, state.output)))
        assert (before.shape, before.dtype, before.scale, before.zero_point) == (after.shape, after.dtype, after.scale, after.zero_point)
        assert (before.scale, before.zero_point) == (state.scale, state.zero_point)


def test_a_state_that_comes_out_otherwise_is_refused():
    before = flatbuffer.Tensor("line", (1, 4, 1, 8), "int8", None, np.array([0.5], np.float32), np.array([3]))
    after = flatbuffer.Tensor("line/next", (1, 4, 1, 8), "int8", None, np.array([0.25], np.float32), np.array([3]))
    check_states([State("line", before, before)])
    with pytest.raises(ConversionError, match="state line goes in as .* and comes out as"):
        check_states([State("line", before, after)])


def test_internal_state_is_hidden_and_starts_at_real_zero(small):
    graph, section = streaming_graph(small[2], FeatureConfig(), 1, "internal")
    assert [tensor.name for tensor in graph.inputs] == ["features", "valid"] and len(graph.outputs) == 1
    assert all(not state.input and not state.output for state in section.states)
    starts = [node.inputs[1] for node in graph.initialiser.nodes if node.operator == "ASSIGN_VARIABLE"]
    assert len(starts) == len(section.states)
    for start, state in zip(starts, section.states, strict=True):
        assert start.shape == state.shape and np.all(start.data == state.zero_point)
    again = flatbuffer.read(flatbuffer.write(graph))
    assert [node.operator for node in again.nodes] == [node.operator for node in graph.nodes]
    assert [node.operator for node in again.initialiser.nodes] == [node.operator for node in graph.initialiser.nodes]


def test_section_of_the_manifest(small):
    _, section = streaming_graph(small[1], FeatureConfig(), 2, "external")
    assert (section.hop_frames, section.hop_samples, section.window_frames, section.stride_frames) == (2, 320, WINDOW, 1)
    assert section.delay_frames > 0 and section.delay_ms == 10 * section.delay_frames and section.valid == "valid"


def test_an_unwrapped_temporal_layer_makes_conversion_fail():
    """The mutation check: one layer over time without TemporalPadding, deep inside, stops the conversion and is named."""
    inside = keras.Sequential([keras.layers.DepthwiseConv2D((3, 1), padding="same", name="bare_conv")], name="block")
    network = keras.Sequential([keras.Input((None, 40, 1)), TemporalPadding(3), keras.layers.Conv2D(4, (3, 40), name="stem"), inside,
                                keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)], name="mutant")
    with pytest.raises(ConversionError, match="mutant/block/bare_conv.*mixes frames"):
        prepare(network, WINDOW)


@pytest.mark.parametrize("arguments, message", [
    ({"hop_frames": 0, "state": "external"}, "--hop_frames must be a whole number, a multiple of 1 .* received 0"),
    ({"hop_frames": 1, "state": "hidden"}, "state is internal or external; received 'hidden'"),
    ({"hop_frames": 1, "state": "internal", "input_kind": "pcm"}, "PCM goes into int8 networks only"),
])
def test_bad_arguments_are_refused(small, arguments, message):
    with pytest.raises(ConversionError, match=message):
        streaming_graph(small[1], FeatureConfig(), **arguments)


@pytest.mark.parametrize("calibration", [np.zeros((0, 60, 40, 1)), np.zeros((2, 60, 20, 1)), np.full((1, 60, 40, 1), np.nan)])
def test_bad_calibration_is_refused(small, calibration):
    with pytest.raises(ConversionError, match=r"expected finite float32 \[recordings, frames, 40, 1\]"):
        prepare(small[0], WINDOW, calibration)


def test_clips_are_joined_in_random_order():
    clips = np.arange(10, dtype=np.int16)[:, None] * np.ones(3, np.int16)
    joined = join_clips(clips, 4, np.random.default_rng(0))
    assert joined.shape == (2, 12) and joined.dtype == np.int16
    parts = joined.reshape(8, 3)
    assert np.all(parts == parts[:, :1]) and len(np.unique(parts)) == 8 and np.any(np.diff(parts[:, 0]) < 0)
    assert join_clips(clips[:2], 4, np.random.default_rng(0)).shape == (1, 6)
