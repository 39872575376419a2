"""A stream gives what the offline network gives for all audio since the reset: every network, padding, front end and step size."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kws_tf import features as front_ends
from kws_tf.config import FeatureConfig
from kws_tf.errors import ConversionError
from kws_tf.layers import TemporalPadding
from kws_tf.streaming import StreamingModel

ROOT = pathlib.Path(__file__).parents[2]
WINDOW = 40
# Delay in frames of every network: half of what its kernels span over time, where they are symmetric.
CASES = [
    ({"tau": 1.0}, "mels40", (1, 3), 0),
    ({"tau": 1.0, "padding": "symmetric"}, "mels40", (1, 3), 58),
    ({"tau": 2.0, "padding": "symmetric"}, "mfcc20", (2,), 58),
    ({"tau": 2.0, "padding": "mixed", "lookahead_stages": 2}, "mels80", (3, 1), 8),
    ({"model": "sparknet"}, "sparknet", (1, 2, 3), 0),
    ({"model": "sparknet", "padding": "symmetric"}, "sparknet", (1, 2, 3), 35),
    ({"model": "sparknet", "padding": "mixed", "lookahead_stages": 2, "gate": "hard"}, "mels40", (2, 1), 12),
    ({"model": "ds_cnn", "channels": 16}, "mlperf_tiny", (2, 4), 0),
    ({"model": "ds_cnn", "channels": 16, "padding": "symmetric"}, "mlperf_tiny", (2, 6), 14),
    ({"model": "ds_cnn", "channels": 16, "padding": "mixed", "lookahead_stages": 1}, "mlperf_tiny", (4, 2), 8),
]


@pytest.mark.parametrize("settings, features, sizes, delay", CASES, ids=lambda value: str(value) if isinstance(value, (dict, str)) else "")
def test_every_frame_equals_the_offline_network(settings, features, sizes, delay, network, recording, offline, run_stream):
    model, x = network(features, **settings), recording(features)
    stream = StreamingModel(model, WINDOW)
    assert stream.delay_frames == delay and stream.stride_frames == (2 if settings.get("model") == "ds_cnn" else 1)
    assert x.shape[1] > 3 * WINDOW and stream.window_scores == WINDOW // stream.stride_frames

    expected = offline(model, x, stream.window_scores)
    assert np.ptp(expected, axis=1).min() > 0.02
    scores = run_stream(stream, x, sizes)
    assert scores.shape == expected.shape
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("settings", [{"tau": 0.625}, {"model": "sparknet", "padding": "symmetric"}])
def test_one_clip_after_a_reset_gives_the_ordinary_result(settings, network, recording, run_stream):
    model, x = network(n_frames=98, **settings), recording(n_frames=98)
    stream = StreamingModel(model, window_frames=98)
    np.testing.assert_allclose(run_stream(stream, x, (49,))[:, -1], model(x), atol=1e-5)
    assert stream.difference(x, 49) < 1e-5


def test_a_bias_ahead_of_the_first_padding_does_not_leak_into_the_end(recording):
    """The frames that push the last scores out are zeros for every layer over time, though a layer before it makes biases of them."""
    model = keras.Sequential([
        keras.Input((None, 40, 1)), keras.layers.Conv2D(4, (1, 40), bias_initializer=keras.initializers.Constant(2.0)),
        TemporalPadding(3, padding="symmetric"), keras.layers.Conv2D(4, (3, 1), activation="relu"),
        keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)])
    stream = StreamingModel(model, WINDOW)
    assert stream.difference(recording(n_frames=48), 4) < 1e-5
    with pytest.raises(ConversionError, match="divide the recording; received 5 frames per step for 48"):
        stream.difference(recording(n_frames=48), 5)


def test_odd_clip_of_a_network_with_stride(network, recording):
    """A causal DS-CNN never reads the last frame of an even number, so 49 frames and any other give the scores of 49."""
    model, x = network("mlperf_tiny", model="ds_cnn", channels=16), recording("mlperf_tiny", n_frames=50)
    stream = StreamingModel(model, window_frames=49)
    assert stream.window_scores == 25
    scores, _ = stream.step(x, stream.initial_state(2))
    assert scores.shape == (2, 25, 3)
    np.testing.assert_allclose(scores[:, -1], model(x[:, :49]), atol=1e-5)


# Values that the state keeps, in bytes at one byte each: the table of the published networks.
@pytest.mark.parametrize("settings, features, context, delay_lines", [
    ({"tau": 0.625, "padding": "symmetric"}, "mels40", 1564, 3200),
    ({"tau": 1.0}, "mels40", 2480, 0), ({"tau": 1.0, "padding": "symmetric"}, "mels40", 2480, 5280),
    ({"tau": 1.0, "padding": "mixed", "lookahead_stages": 2}, "mels40", 2480, 800),
    ({"tau": 2.0, "padding": "symmetric"}, "mels40", 4800, 10560), ({"tau": 8.0, "padding": "symmetric"}, "mels40", 18720, 42240),
    ({"model": "sparknet", "channels": 4, "padding": "symmetric"}, "sparknet", 560, 0),
    ({"model": "sparknet", "channels": 8}, "sparknet", 800, 0), ({"model": "sparknet", "channels": 16}, "sparknet", 1280, 0),
    ({"model": "sparknet", "channels": 32, "padding": "symmetric"}, "sparknet", 2240, 0),
])
def test_state_sizes(settings, features, context, delay_lines, network):
    stream = StreamingModel(network(features, **settings), window_frames=7)
    sizes = {"context": 0, "delay": 0, "validity": 0, "average": 0}
    for tensor in stream.state:
        sizes[tensor.purpose] += int(np.prod(tensor.shape))
    assert (sizes["context"], sizes["delay"], sizes["validity"]) == (context, delay_lines, stream.delay_frames)
    assert sizes["average"] == 7 * 3 + 7
    assert len({tensor.name for tensor in stream.state}) == len(stream.state)


def test_state_is_named_after_its_layers(network):
    stream = StreamingModel(network(tau=0.625, padding="mixed", lookahead_stages=1), window_frames=7)
    state = {tensor.name: (tensor.shape, tensor.purpose) for tensor in stream.state}
    assert state["stem_padding"] == ((4, 40, 1), "context")
    assert state["stage3_block2/temporal_padding"] == ((16, 1, 12), "context")
    assert state["stage0_block1/delay"] == ((1, 20, 5), "delay")
    assert state["head_padding"] == ((4, 5, 12), "context")
    assert sum(purpose == "delay" for _, purpose in state.values()) == 2
    zeros = stream.initial_state(5)
    assert {name: tuple(value.shape) for name, value in zeros.items()} == {name: (5, *shape) for name, (shape, _) in state.items()}
    assert not any(np.any(value) for value in zeros.values())


def test_every_state_tensor_matters(network, recording):
    """A state that loses one of its tensors gives other scores."""
    model, x = network(tau=0.625, padding="mixed", lookahead_stages=2), recording(batch=1, n_frames=80)
    stream = StreamingModel(model, window_frames=30)
    step = tf.function(stream.step)
    _, state = step(x[:, :40], stream.initial_state())
    expected, _ = step(x[:, 40:], state)
    for name, value in state.items():
        broken, _ = step(x[:, 40:], {**state, name: tf.zeros_like(value)})
        assert np.abs(broken - expected).max() > 1e-4, name


def test_step_is_pure_and_a_reset_is_the_initial_state(network, recording):
    model, x = network(model="sparknet"), recording(n_frames=12)
    stream = StreamingModel(model, WINDOW)
    zeros = stream.initial_state(2)
    first, state = stream.step(x, zeros)
    later, _ = stream.step(x, state)
    again, _ = stream.step(x, zeros)
    np.testing.assert_array_equal(first, again)
    assert np.abs(later - first).max() > 1e-3
    assert not any(np.any(value) for value in zeros.values())


def test_weights_are_shared(network, recording, offline):
    model, x = network(model="sparknet"), recording(n_frames=12)
    stream = StreamingModel(model, WINDOW)
    before, _ = stream.step(x, stream.initial_state(2))
    for variable in model.variables:
        if "float" in variable.dtype:
            variable.assign(variable * 1.1)
    after, _ = stream.step(x, stream.initial_state(2))
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, offline(model, x, WINDOW), atol=1e-5)


def test_a_step_is_one_graph_of_static_shapes(network):
    stream = StreamingModel(network(model="sparknet", padding="symmetric"), WINDOW)
    state = {tensor.name: tf.TensorSpec((1, *tensor.shape), tensor.dtype) for tensor in stream.state}
    graph = tf.function(stream.step).get_concrete_function(tf.TensorSpec((1, 2, 40, 1)), state).graph
    assert all(tensor.shape.is_fully_defined() for operation in graph.get_operations() for tensor in operation.outputs
               if tensor.dtype != tf.resource)
    assert not {"Shape", "While", "StatelessWhile"} & {operation.type for operation in graph.get_operations()}
    # What was listed while this graph was traced serves outside of it.
    assert stream.step(np.zeros((1, 2, 40, 1), np.float32), stream.initial_state())[0].shape == (1, 2, 3)


@pytest.mark.parametrize("settings", [{"tau": 0.625, "padding": "mixed", "lookahead_stages": 1}, {"model": "sparknet"}])
def test_silence_a_constant_and_full_scale_give_finite_scores(settings, network, run_stream):
    pcm = np.stack([np.zeros(8000), np.full(8000, 0.999), np.where(np.arange(8000) // 40 % 2, -1.0, 0.99997)]).astype(np.float32)
    x = np.asarray(front_ends.build(FeatureConfig())(pcm))
    scores = run_stream(StreamingModel(network(**settings), window_frames=20), x, (12,))
    assert scores.shape == (3, 48, 3) and np.isfinite(scores).all()
    assert np.abs(scores[0] - scores[2]).max() > 1e-3


def test_scores_before_the_recording_are_zeros(network, recording):
    stream = StreamingModel(network(model="sparknet", padding="symmetric"), WINDOW)
    scores, _ = stream.step(recording(n_frames=50), stream.initial_state(2))
    assert not np.any(scores[:, :35]) and np.abs(scores[:, 35:]).min() > 0


def test_single_frames_without_average(network, recording, offline):
    model, x = network(model="sparknet"), recording(n_frames=20)
    stream = StreamingModel(model, WINDOW, average="none")
    assert {tensor.purpose for tensor in stream.state} == {"context"}
    scores, _ = stream.step(x, stream.initial_state(2))
    np.testing.assert_allclose(scores, offline(model, x, window=1), atol=1e-5)


@pytest.mark.parametrize("arguments, message", [
    ({"average": "median"}, "average must be one of window, exponential, none; received 'median'"),
    ({"window_frames": 0}, "window_frames must be a whole number, at least 1; received 0"),
])
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ConversionError, match=message):
        StreamingModel(keras.Sequential(), **{"window_frames": 4, **arguments})


def test_a_network_that_is_not_built_is_refused():
    with pytest.raises(ConversionError, match=r"expected a network built for features .* received one that is not built"):
        StreamingModel(keras.Sequential([keras.layers.GlobalAveragePooling2D()], name="bare"), 4)


@pytest.mark.parametrize("shape", [(1, 3, 10, 1), (1, 2, 11, 1), (2, 10, 1)])
def test_frames_that_do_not_fit_are_refused(shape, network):
    stream = StreamingModel(network("mlperf_tiny", model="ds_cnn", channels=4), 10)
    with pytest.raises(ConversionError) as refused:
        stream.step(np.zeros(shape, np.float32), stream.initial_state())
    assert "takes features [batch, n, 10, 1], n a known multiple of 2" in str(refused.value)
    assert f"received shape {shape}" in str(refused.value)
    with pytest.raises(ConversionError, match="the state lacks first_padding"):
        stream.step(np.zeros((1, 2, 10, 1), np.float32), {})


@pytest.mark.slow
def test_torch_backend_gives_the_same(tmp_path, network, recording):
    pytest.importorskip("torch", reason="needs torch: pip install 'kws_tf[parity]'")
    model, x = network(tau=0.625, padding="mixed", lookahead_stages=1), recording(n_frames=30)
    stream = StreamingModel(model, WINDOW)
    scores, state = stream.step(x[:, :28], stream.initial_state(2))
    model.save_weights(tmp_path / "model.weights.h5")
    np.save(tmp_path / "features.npy", x)
    program = """
import sys
import keras, numpy as np
from kws_tf import models
from kws_tf.config import FeatureConfig, ModelConfig
from kws_tf.streaming import StreamingModel
folder = sys.argv[1]
model = models.build(ModelConfig(tau=0.625, padding="mixed", lookahead_stages=1), FeatureConfig(), 3, 98)
model.load_weights(folder + "/model.weights.h5")
x = np.load(folder + "/features.npy")
stream = StreamingModel(model, 40)
state, scores = stream.initial_state(2), []
for start in range(0, 28, 7):
    result, state = stream.step(x[:, start:start + 7], state)
    scores.append(keras.ops.convert_to_numpy(result))
np.save(folder + "/scores.npy", np.concatenate([*scores, keras.ops.convert_to_numpy(stream.flush(state))], axis=1))
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, cwd=ROOT, timeout=300,
                   env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)})
    expected = np.concatenate([scores, stream.flush(state)], axis=1)
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, atol=1e-5)
