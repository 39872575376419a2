"""Where an integer network loses precision: the error of every layer against the float network, in dB."""

import dataclasses

import numpy as np

from kws_tf.tflite import flatbuffer
from kws_tf.tflite.convert import name_tensors
from kws_tf.tflite.cost import split
from kws_tf.tflite.executor import Execution
from kws_tf.tflite.freeze import convert_float32
from kws_tf.tflite.integer_form import integer_form
from kws_tf.tflite.simplify import simplify

CLIPS = 24


@dataclasses.dataclass(frozen=True)
class LayerError:
    """One computed tensor.

    Args:
        name: of the tensor. operator: that computes it.
        sqnr_db: signal to quantisation noise: 10 log10(variance of the float values / mean squared difference), dB.
    """

    name: str
    operator: str
    sqnr_db: float


def layer_errors(model, calibration, content):
    """Runs the float and the integer network side by side on CLIPS clips, spread over those that calibrated the file.

    Both start from the same features, so the rows show what the quantisation of the network does, each layer with the errors of all
    before it. The float side is the network in the form that was quantised: where a layer was rescaled before quantisation, its
    rescaled values are compared. Tensors that only one side has are left out.

    Args:
        model: built keras.Model that was exported.
        calibration: float32 [clips, time, frequency, 1], the clips that calibrated the file: they decide its form.
        content: bytes of its int8 file, with or without a front end.

    Returns:
        list of LayerError in the order of execution.
    """
    exact = flatbuffer.read(convert_float32(model, calibration.shape[1:]))
    simplify(exact)
    integer_form(exact, calibration)
    name_tensors(exact, model.name)
    whole = flatbuffer.read(content)
    nodes = split(whole)[1]
    quantised = flatbuffer.Graph(nodes, [_input(nodes)], whole.outputs)
    clips = calibration[np.linspace(0, len(calibration) - 1, min(CLIPS, len(calibration))).astype(int)]
    wanted = {node.output.name: node.output.shape for node in exact.nodes}
    rounded = {}
    run = Execution(quantised, clips)
    for node in quantised.nodes:
        values = run.advance(node)
        if wanted.get(node.output.name) == node.output.shape:
            rounded[node.output.name] = node.operator, values.numpy()
    rows, run = [], Execution(exact, clips)
    for node in exact.nodes:
        values = run.advance(node).numpy()
        if node.output.name in rounded and values.dtype == np.float32:
            operator, other = rounded.pop(node.output.name)
            rows.append(LayerError(node.output.name, operator, sqnr_db(values, other)))
    return rows


def sqnr_db(exact, rounded):
    """10 log10(variance of the exact values / mean squared difference); infinite where they are equal, both float arrays."""
    noise = np.mean(np.square(exact.astype(np.float64) - rounded))
    signal = np.var(exact.astype(np.float64))
    return float("inf") if noise == 0 else float(10 * np.log10(max(signal, 1e-30) / noise))


def _input(nodes):
    made = {id(tensor) for node in nodes for tensor in node.outputs}
    return next(tensor for node in nodes for tensor in node.inputs
                if tensor is not None and tensor.data is None and id(tensor) not in made)
