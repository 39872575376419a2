"""One probability in the place of logits: against the float network, for two classes and more, in every runtime."""

import numpy as np
import pytest

from kws_tf import models
from kws_tf.config import FEATURE_PRESETS, ModelConfig
from kws_tf.errors import ConversionError
from kws_tf.manifest import TensorSpec
from kws_tf.micro_front_end import LARGEST_FEATURE
from kws_tf.runtime.interpreter import available, open_interpreter
from kws_tf.runtime.model import dequantise, quantise
from kws_tf.tflite import flatbuffer, lint, micro
from kws_tf.tflite.profiles import PROFILES
from kws_tf.tflite.streaming import prepare, streaming_graph

MICRO = FEATURE_PRESETS["micro"]
WINDOW = 24
INPUT = TensorSpec("features", (1, 3, 40), "int8", LARGEST_FEATURE / 255, -128)


@pytest.fixture(scope="module")
def recordings():
    """float32 [recordings, frames, 40, 1], smooth over time, with silent stretches."""
    random = np.random.default_rng(2)
    steps = random.uniform(-3, 3.2, (4, 96, 40, 1))
    return np.clip(np.cumsum(steps, axis=1) + 6, 0, LARGEST_FEATURE).astype(np.float32)


def made(uneven_network, recordings, n_classes, keyword, hop_frames=3, **settings):
    network = uneven_network(MICRO, WINDOW, **settings)
    if n_classes != 3:
        weights = network.get_weights()
        network = models.build(ModelConfig(**settings), MICRO, n_classes, WINDOW, seed=1)
        network.set_weights([old if old.shape == new.shape else old[..., :n_classes]
                             for old, new in zip(weights, network.get_weights(), strict=True)])
    prepared = prepare(network, WINDOW, recordings, input_range=(0.0, LARGEST_FEATURE), keyword=keyword)
    return network, prepared, streaming_graph(prepared, MICRO, hop_frames, "internal")


def probabilities(network, recording, keyword, rate=1):
    """Of every frame, by the float network: the sigmoid of the mean margin over the window, frames before the recording counting as 0."""
    embeddings = np.array(network.frame_embeddings(recording[None]))[0]
    weights, bias = (np.array(part) for part in network.classifier.weights)
    logits, window = embeddings @ weights + bias, WINDOW // rate
    mean = np.array([logits[max(0, t + 1 - window):t + 1].sum(0) / window for t in range(len(logits))])
    margins = mean[:, [keyword]] - np.delete(mean, keyword, axis=1)
    return 1 / (1 + np.exp(-margins.min(axis=1)))


def steps_of(graph, recording, hop_frames, run):
    values = quantise(recording[..., 0], INPUT)
    return np.array([run(values[None, start:start + hop_frames]).item() for start in range(0, len(values), hop_frames)])


def whole_recording(graph, recording):
    """Real margins of every frame by the int8 graph over a recording: [frames, margins]."""
    _, opened = open_interpreter(flatbuffer.write(graph), kernels="reference")
    opened.set_tensor(opened.get_input_details()[0]["index"], quantise(recording[None], INPUT))
    opened.invoke()
    stored = opened.get_tensor(opened.get_output_details()[0]["index"])[0, :, 0]
    return dequantise(stored, graph.outputs[0].spec)


def runners(content):
    for name in (name for name in available() if name != "tensorflow"):
        _, opened = open_interpreter(content, interpreter=name, kernels="reference")

        def run(values, opened=opened):
            opened.set_tensor(opened.get_input_details()[0]["index"], values)
            opened.invoke()
            return opened.get_tensor(opened.get_output_details()[0]["index"])
        yield name, run
    if not micro.unavailable():
        yield "tflite_micro", micro.MicroInterpreter(content)


@pytest.mark.parametrize(("settings", "n_classes", "keyword", "hop_frames"), [
    ({"model": "sparknet", "channels": 8}, 2, 1, 3), ({"model": "sparknet", "channels": 8}, 3, 0, 1),
    ({"model": "ds_cnn", "channels": 4}, 3, 1, 4),
])
def test_the_probability_is_that_of_the_network(settings, n_classes, keyword, hop_frames, uneven_network, recordings):
    network, prepared, (graph, section) = made(uneven_network, recordings, n_classes, keyword, hop_frames, **settings)
    assert (section.hop_scores, section.stride_frames) == (1, hop_frames)
    assert (graph.inputs[0].shape, graph.outputs[0].spec) == ((1, hop_frames, 40), TensorSpec("probability", (1, 1), "uint8", 1 / 256, 0))
    content = flatbuffer.write(graph)
    assert lint.lint(content, PROFILES["esphome"]) == []
    results = {name: steps_of(graph, recordings[0], hop_frames, run) for name, run in runners(content)}
    first, *others = results.values()
    for other in others:
        np.testing.assert_array_equal(first, other)
    operators = [node.operator for node in graph.nodes]
    head = ["RESHAPE", "LOGISTIC", "QUANTIZE"]
    head = head if n_classes == 2 else ["RESHAPE", "MAX_POOL_2D", "CONV_2D", *head]
    assert operators[-len(head):] == head and not {"TANH", "MINIMUM", "MAXIMUM"} & set(operators)
    # The line of the mean is shorter by the step.
    average = next(state for state in section.states if state.name == "average")
    per_step = hop_frames // prepared.stride_frames
    assert average.shape == (1, -(-WINDOW // prepared.stride_frames) - per_step, 1, n_classes - 1)
    # Against the integers of the whole recording: nothing but the logistic is rounded.
    margins = whole_recording(prepared.graph, recordings[0])[per_step - 1::per_step]
    largest = -margins[:, 0] if n_classes == 2 else margins.max(axis=1)
    assert np.abs(first - 256 / (1 + np.exp(largest))).max() <= 1
    # Against the float network: what 8 bits make of one that was never trained.
    expected = 256 * probabilities(network, recordings[0], keyword, prepared.stride_frames)[per_step - 1::per_step]
    assert np.abs(first - expected).max() < 8 and np.ptp(expected) > 10 and np.corrcoef(first, expected)[0, 1] > 0.97


@pytest.mark.parametrize(("settings", "hop_frames", "message"), [
    ({"model": "sparknet", "channels": 4, "padding": "symmetric"}, 3, "looks 35 frames ahead.*Train with --padding=causal"),
    ({"model": "sparknet", "channels": 4}, 24, "window of 24 frames must be longer than a step of 24"),
    ({"model": "sparknet", "channels": 4, "arcface": True}, 3, "linear classifier, which an ArcFace head is not"),
])
def test_what_devices_cannot_run_is_refused(settings, hop_frames, message, uneven_network, recordings):
    with pytest.raises(ConversionError, match=message):
        made(uneven_network, recordings, 3, 1, hop_frames, **settings)


def test_the_lint_names_the_operators_that_devices_lack(uneven_network, recordings):
    _, _, (graph, _) = made(uneven_network, recordings, 3, 1, model="sparknet", channels=4, gate="hard")
    found = lint.lint(flatbuffer.write(graph), PROFILES["esphome"])
    assert {finding.where for finding in found} == {"operator GREATER", "operator SELECT_V2"}
    assert all("its runtime has CALL_ONCE, VAR_HANDLE" in finding.message for finding in found)
