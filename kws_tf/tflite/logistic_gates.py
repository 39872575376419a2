"""The gates of SparkNet as LOGISTIC alone, for runtimes that have no MINIMUM and no TANH."""

import math

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.flatbuffer import Node, Tensor, constant

WEIGHTED = ("CONV_2D", "FULLY_CONNECTED")


def gates_to_logistic(graph):
    """Rewrites the soft gates of a float graph, in place; where there are none, nothing changes.

        relu(tanh(min(x, c)) + 1/2) = 2 * logistic(clip(2 * x, -2c, 2c)) - 1/2,   c = atanh(1/2)

    The factor 2 ahead goes into the weights of the convolution that gives x, the line behind into those that read the gate. Quantised
    with gate_ranges the two limits are the ends of the integers, and drop_saturations takes their nodes away: a gate is one LOGISTIC,
    with 128 steps from closed to open, both exact.

    Args:
        graph: flatbuffer.Graph, float32.
    """
    for tanh in [node for node in graph.nodes if node.operator == "TANH"]:
        parts = _match(graph, tanh)
        if parts is not None:
            _rewrite(graph, tanh, *parts)


def _match(graph, tanh):
    """(convolution, MINIMUM, ADD, reader) around the TANH of a soft gate; None if it is none."""
    limit, add = graph.producer(tanh.inputs[0]), graph.only_consumer(tanh.output)
    if limit is None or limit.operator != "MINIMUM" or add is None or add.operator != "ADD":
        return None
    top, half = (next((tensor.data for tensor in node.inputs if tensor.data is not None), np.zeros(2)) for node in (limit, add))
    convolution, reader = graph.producer(limit.inputs[0]), graph.only_consumer(add.output)
    fits = (top.size == half.size == 1 and math.isclose(top.item(), math.atanh(0.5), rel_tol=1e-5) and half.item() == 0.5
            and add.options.fusedActivationFunction == schema.ActivationFunctionType.RELU
            and convolution is not None and convolution.operator in WEIGHTED and graph.only_consumer(convolution.output) is limit
            and reader is not None and reader.operator in WEIGHTED and reader.inputs[0] is add.output)
    return (convolution, limit, add, reader) if fits else None


def _rewrite(graph, tanh, convolution, limit, add, reader):
    weights, *bias = convolution.inputs[1:]
    convolution.inputs[1:] = [constant(weights.name, 2 * weights.data), *(constant(each.name, 2 * each.data) for each in bias if each)]
    end = np.array(2 * math.atanh(0.5), np.float32)
    source = limit.inputs[0]
    floor, gate = (Tensor(f"{add.output.name}/{name}", tanh.output.shape, "float32") for name in ("floor", "logistic"))
    position = graph.nodes.index(limit)
    limit.inputs = [source, constant("c", end)]
    graph.nodes[position + 1:position + 1] = [Node("MAXIMUM", [limit.output, constant("c", -end)], [floor], limit.options),
                                              Node("LOGISTIC", [floor], [gate])]
    graph.nodes = [node for node in graph.nodes if node is not tanh and node is not add]
    weights, *bias = reader.inputs[1:]
    old = bias[0].data if bias and bias[0] is not None else np.zeros(len(weights.data), np.float32)
    shift = weights.data.reshape(len(weights.data), -1).sum(1) / 2
    reader.inputs = [gate, constant(weights.name, 2 * weights.data), constant(f"{weights.name}/bias", (old - shift).astype(np.float32))]


def gate_ranges(graph):
    """id(tensor) -> (low, high) of the convolutions ahead of gates, see gates_to_logistic."""
    found = {}
    for node in graph.nodes:
        if is_limited(graph, node):
            high = float(graph.only_consumer(node.output).inputs[1].data)
            # 127 is the upper end exactly; the lower one is a step short of it and still closes the gate.
            found[id(node.output)] = -127 / 128 * high, high
    return found


def is_limited(graph, node):
    """Whether the output of a node goes through both limits of a gate and nowhere else."""
    minimum = graph.only_consumer(node.output)
    maximum = graph.only_consumer(minimum.output) if minimum is not None and minimum.operator == "MINIMUM" else None
    return maximum is not None and maximum.operator == "MAXIMUM"


def drop_saturations(graph):
    """Removes MINIMUM and MAXIMUM with the largest or the smallest integer, which change nothing, in place.

    Args:
        graph: flatbuffer.Graph, int8.
    """
    for node in list(graph.nodes):
        if node.operator in ("MINIMUM", "MAXIMUM") and node.inputs[1].data is not None and node.output.dtype == "int8":
            end = 127 if node.operator == "MINIMUM" else -128
            if np.all(node.inputs[1].data == end):
                for reader in graph.consumers(node.output):
                    reader.inputs = [node.inputs[0] if tensor is node.output else tensor for tensor in reader.inputs]
                graph.nodes.remove(node)
