"""States as resource variables: where they are read and written, and the same bytes in every interpreter, TFLite Micro included."""

import dataclasses

import numpy as np
import pytest

from kws_tf.config import FeatureConfig
from kws_tf.errors import ConversionError
from kws_tf.runtime.interpreter import available, open_interpreter
from kws_tf.tflite import flatbuffer, micro
from kws_tf.tflite.calibration import calibration_features
from kws_tf.tflite.streaming import prepare, streaming_graph

FEATURES = FeatureConfig(n_mels=20)
INTERPRETERS = [name for name in available() if name != "tensorflow"]
WINDOW = 24


def noise(n_samples, seed):
    return np.clip(np.random.default_rng(seed).normal(0, 3000, n_samples), -32768, 32767).astype(np.int16)


@pytest.fixture(scope="module", params=["causal", "symmetric"])
def network(request, uneven_network):
    settings = {"model": "sparknet", "channels": 4, "padding": request.param}
    clips = np.stack([noise(16000, seed) for seed in range(4)])
    return prepare(uneven_network(FEATURES, **settings), WINDOW, calibration_features(FEATURES, clips, "pcm"))


def inputs(section, pcm):
    """What every step of an internal file gets."""
    for start in range(0, len(pcm) - section.hop_samples + 1, section.hop_samples):
        step = [pcm[None, start:start + section.hop_samples]]
        yield [*step, np.ones((1, section.hop_frames, 1, 1), np.int8)] if section.valid else step


def in_interpreter(content, section, pcm, name):
    _, opened = open_interpreter(content, interpreter=name, kernels="reference")
    logits = []
    for step in inputs(section, pcm):
        for detail, value in zip(opened.get_input_details(), step, strict=True):
            opened.set_tensor(detail["index"], value)
        opened.invoke()
        logits.append(opened.get_tensor(opened.get_output_details()[0]["index"]).reshape(section.hop_scores, -1).copy())
    return np.concatenate(logits)


@pytest.mark.skipif(bool(micro.unavailable()), reason=micro.unavailable())
def test_tflite_micro_gives_the_same_bytes(network):
    pcm, expected = noise(160 * 84, 9), None
    for hop in (1, 2, 3):
        graph, section = streaming_graph(network, FEATURES, hop, "internal", "pcm")
        content = flatbuffer.write(graph)
        for _ in range(2):                                              # a new interpreter is a reset
            opened = micro.MicroInterpreter(content)
            found = np.concatenate([opened(*step).reshape(hop, -1) for step in inputs(section, pcm)])
            expected = found if expected is None else expected
            np.testing.assert_array_equal(found, expected)
        for name in INTERPRETERS:
            np.testing.assert_array_equal(in_interpreter(content, section, pcm, name), expected, err_msg=f"{name} {hop}")
    assert len(np.unique(expected, axis=0)) > 15


def test_a_variable_is_read_before_and_assigned_after(network):
    graph, section = streaming_graph(network, FEATURES, 1, "internal", "pcm")
    assert graph.nodes[0].operator == "CALL_ONCE"
    handles = {node.output.name: node for node in graph.nodes if node.operator == "VAR_HANDLE"}
    assert len(handles) == len(section.states)
    for handle in handles.values():
        users = [(index, node) for index, node in enumerate(graph.nodes) if any(tensor is handle.output for tensor in node.inputs)]
        (read, reader), (write, writer) = users
        assert (reader.operator, writer.operator) == ("READ_VARIABLE", "ASSIGN_VARIABLE")
        first = min(index for index, node in enumerate(graph.nodes) if any(tensor is reader.output for tensor in node.inputs))
        assert graph.nodes.index(handle) < read < first < write
        before, after = reader.output.spec, writer.inputs[1].spec
        assert dataclasses.replace(after, name=before.name) == before


def test_a_file_whose_initialiser_is_not_called_is_refused(network):
    graph, _ = streaming_graph(network, FEATURES, 1, "internal")
    with pytest.raises(ConversionError, match="2 subgraphs is not supported"):
        flatbuffer.read(flatbuffer.write(dataclasses.replace(graph, nodes=graph.nodes[1:])))
