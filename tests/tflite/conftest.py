"""The float32 graph of the small network, and of hand-made ones."""

import numpy as np
import pytest

from kws_tf.config import FeatureConfig, ModelConfig


@pytest.fixture(scope="session", autouse=True)
def _conversions_are_shared(convert_once):
    pass


@pytest.fixture(scope="session")
def float_content(small_network, convert_once):
    """Bytes of the small network as the converter makes them."""
    return convert_once(small_network.model, small_network.features.shape[1:])


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


@pytest.fixture(scope="session")
def block_network():
    """A quantised graph of four small blocks of BC-ResNet over 40 frames, with dilations 1, 2, 2 and 4: three rows, two channels.

    (graph, features float32 [8, 40, 3, 2])
    """
    from kws_tf.tflite.convert import quantise_calibrated
    from kws_tf.tflite.joint_past import share_row_scale

    features = np.random.default_rng(4).normal(size=(8, 40, 3, 2)).astype(np.float32)
    graph = quantise_calibrated(float_blocks((1, 2, 2, 4)), features, compact=True)
    share_row_scale(graph)
    return graph, features


def float_blocks(dilations, frames=40):
    """The float32 graph of block_network, as the converter and row_products leave it."""
    from tensorflow.lite.python import schema_py_generated as schema

    from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
    from kws_tf.tflite.nodes import depthwise
    from kws_tf.tflite.row_products import Rows, product

    random = np.random.default_rng(5)

    def tensor(name, *shape):
        return Tensor(name, (1, *shape), "float32")

    def pointwise(source, target):
        options = schema.Conv2DOptionsT()
        options.padding, options.fusedActivationFunction = schema.Padding.VALID, schema.ActivationFunctionType.NONE
        options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
        weights = constant("w", random.normal(size=(target.shape[3], 1, 1, source.shape[3])).astype(np.float32))
        bias = constant("b", random.normal(size=target.shape[3]).astype(np.float32))
        return Node("CONV_2D", [source, weights, bias], [target], options)

    def mean(source, target):
        return depthwise(source, np.full((1, 1, 3, 2), 1 / 3, np.float32), np.zeros(2, np.float32), target)

    source, x = tensor("x", frames, 3, 2), tensor("start", frames, 3, 2)
    nodes = [pointwise(source, x)]
    nodes[0].options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    for number, dilation in enumerate(dilations):
        name = f"block{number}"
        m, z, gate, swish, t = (tensor(f"{name}/{each}", frames, 1, 2) for each in ("mean", "z", "gate", "swish", "t"))
        padded, y = tensor(f"{name}/Pad", frames + 2 * dilation, 1, 2), tensor(f"{name}/y", frames, 3, 2)
        widths = constant("i", np.array([(0, 0), (2 * dilation, 0), (0, 0), (0, 0)], np.int32))
        over_time = depthwise(padded, random.normal(size=(1, 3, 1, 2)).astype(np.float32), np.float32([0.2, -0.1]), z)
        over_time.options.dilationHFactor = dilation
        multiply = schema.MulOptionsT()
        multiply.fusedActivationFunction = schema.ActivationFunctionType.NONE
        nodes += [mean(x, m), Node("PAD", [m, widths], [padded], schema.PadOptionsT()), over_time, Node("LOGISTIC", [z], [gate]),
                  Node("MUL", [z, gate], [swish], multiply), pointwise(swish, t)]
        matrix = np.eye(3)[:, :, None] + random.normal(0, 0.3, (3, 3, 2))
        rows = Rows.of(x).product(matrix).affine(np.ones((3, 2)), random.normal(0, 0.5, (3, 2))) + Rows.of(t)
        nodes += product(rows, y, schema.ActivationFunctionType.RELU)
        x = y
    pooled, logits = tensor("pooled", frames, 1, 2), tensor("logits", frames, 1, 3)
    return Graph([*nodes, mean(x, pooled), pointwise(pooled, logits)], [source], [logits])


@pytest.fixture(scope="session")
def step_through():
    """Integers of every frame of a recording, stepped through a StepGraph with its states outside."""
    from kws_tf.runtime.interpreter import open_interpreter
    from kws_tf.tflite.flatbuffer import Graph, write

    def run(step, values, n_frames, interpreter=None):
        graph = Graph(step.graph.nodes, [*step.graph.inputs, *(state.before for state in step.states)],
                      [*step.graph.outputs, *(state.after for state in step.states)])
        _, opened = open_interpreter(write(graph), interpreter=interpreter, kernels="reference")
        inputs = [detail["index"] for detail in sorted(opened.get_input_details(), key=lambda detail: _place(detail, graph.inputs))]
        outputs = [detail["index"] for detail in sorted(opened.get_output_details(), key=lambda detail: _place(detail, graph.outputs))]
        states = [np.full(state.before.shape, state.before.spec.zero_point, np.int8) for state in step.states]
        found = []
        for start in range(0, len(values), n_frames):
            for index, value in zip(inputs, [values[None, start:start + n_frames], *states], strict=True):
                opened.set_tensor(index, value)
            opened.invoke()
            first, *states = [opened.get_tensor(index) for index in outputs]
            found.append(first.reshape(n_frames, -1))
        return np.concatenate(found)

    def _place(detail, tensors):
        return [tensor.name for tensor in tensors].index(detail["name"])
    return run
