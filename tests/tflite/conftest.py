"""The float32 graph of the small network, and of hand-made ones."""

import numpy as np
import pytest

from kws_tf.config import FeatureConfig, ModelConfig


@pytest.fixture(scope="session")
def float_content(small_network):
    """Bytes of the small network as the converter makes them."""
    from kws_tf.tflite.freeze import convert_float32

    return convert_float32(small_network.model, small_network.features.shape[1:])


@pytest.fixture
def float_graph(float_content):
    """A fresh graph of the small network, to be changed freely."""
    from kws_tf.tflite import flatbuffer

    return flatbuffer.read(float_content)


@pytest.fixture(scope="session")
def uneven_network():
    """Makes networks with statistics, scales and shifts as uneven as after training, in which every frame shows in the scores."""
    from kws_tf import models

    def make(features=None, n_frames=24, **settings):
        network = models.build(ModelConfig(**settings), features or FeatureConfig(), 3, n_frames, seed=1)
        random = np.random.default_rng(3)
        for variable in network.variables:
            if variable.path.endswith(("gamma", "moving_variance")):
                variable.assign(random.uniform(0.5, 1.5, variable.shape))
            elif variable.path.endswith(("beta", "moving_mean", "bias")):
                variable.assign(random.normal(0, 0.5, variable.shape))
            elif variable.path.endswith("kernel"):
                variable.assign(variable * 1.6)
        return network
    return make


@pytest.fixture(scope="session")
def play():
    """Steps a streaming graph through features, and pushes the delay out: real logits [frames, classes] of the frames of a recording."""
    from kws_tf.runtime.interpreter import open_interpreter
    from kws_tf.runtime.model import dequantise, quantise
    from kws_tf.tflite import flatbuffer

    def run(graph, section, features, *, raw=False, interpreter=None, state=None):
        _, opened = open_interpreter(flatbuffer.write(graph), interpreter=interpreter, kernels="reference")
        ins, outs = ({tensor["name"]: tensor["index"] for tensor in details}
                     for details in (opened.get_input_details(), opened.get_output_details()))
        source, target, n = graph.inputs[0].spec, graph.outputs[0].spec, section.hop_frames
        pushed = -(-(len(features) + section.delay_frames) // n) * n - len(features)
        values = np.concatenate([features, np.zeros((pushed, *features.shape[1:]), features.dtype)])
        values = quantise(values, source) if source.scale else values
        state = dict(state or {}) or {each.input: np.full(each.shape, each.zero_point, each.dtype) for each in section.states if each.input}
        logits = []
        for start in range(0, len(values), n):
            opened.set_tensor(ins[source.name], values[None, start:start + n])
            if section.valid:
                valid = np.arange(start, start + n) < len(features)
                opened.set_tensor(ins[section.valid], valid.reshape(1, n, 1, 1).astype(source.dtype))
            for name, value in state.items():
                opened.set_tensor(ins[name], value)
            opened.invoke()
            state = {each.input: opened.get_tensor(outs[each.output]) for each in section.states if each.input}
            logits.append(opened.get_tensor(outs[target.name]).reshape(section.hop_scores, -1).copy())
        late = section.delay_frames // section.stride_frames
        logits = np.concatenate(logits)[late:late + len(features) // section.stride_frames]
        return logits if raw or not target.scale else dequantise(logits, target)
    return run
