"""Turns a float32 graph into an int8 one, given the range of every tensor."""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor

# Version of each operator in its int8 form, in tflite-runtime 2.14 and TFLite Micro.
INT8_VERSIONS = {
    "ADD": 2, "AVERAGE_POOL_2D": 2, "CONCATENATION": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "GREATER": 2,
    "L2_NORMALIZATION": 2, "LOGISTIC": 2, "MAXIMUM": 2, "MAX_POOL_2D": 2, "MEAN": 2, "MINIMUM": 2, "MUL": 2, "PAD": 2, "RELU": 2,
    "RESHAPE": 1, "SELECT_V2": 1, "SUB": 2, "TANH": 2, "TRANSPOSE": 2,
}
# Axis of the output channels in the weights; None for one scale per tensor.
WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": None}
# Operators whose kernels do not rescale: the output, and constants beside the input, take the scale of the input.
KEEP_SCALE = {"AVERAGE_POOL_2D", "CONCATENATION", "MAXIMUM", "MAX_POOL_2D", "MINIMUM", "PAD", "RESHAPE", "TRANSPOSE"}
FIXED_SCALE = {"L2_NORMALIZATION": (1 / 128, 0), "LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
LARGEST_BIAS = 1 << 30


def quantise(graph, ranges, largest=None):
    """The int8 form of a float graph: inputs, outputs and everything between.

    Weights are symmetric with one scale per output channel (one per tensor for matrix products), biases int32 in the product of the
    scales of input and weights, all other values asymmetric with one scale per tensor.

    Args:
        graph: flatbuffer.Graph, float32, every weighted node with a bias; left as it is.
        ranges: id(tensor) -> (low, high) of inputs and computed tensors, low <= 0 <= high. Tensors that are concatenated must have
            one scale: they get a range that holds those of all.
        largest: id(node) -> weight that the one scale of all weights of a node spans, for nodes that have no scale per output.

    Returns:
        Graph with one node per node of the float graph, in the same order.

    Raises:
        ConversionError: an operator that has no int8 form here.
    """
    ranges, largest = {**ranges, **_concatenated_ranges(graph, ranges)}, largest or {}
    converted = {id(tensor): _activation(tensor, *affine(*ranges[id(tensor)])) for tensor in graph.inputs}
    nodes = []
    for node in graph.nodes:
        if node.operator not in INT8_VERSIONS:
            raise ConversionError(f"int8 conversion: operator {node.operator} ({node.output.name}) has no int8 form here; "
                                  f"known are {', '.join(sorted(INT8_VERSIONS))}.")
        output = converted[id(node.output)] = _output(node, converted, ranges)
        source = converted.get(id(node.inputs[0]))
        if node.operator in WEIGHTED:
            span = largest.get(id(node), prototype_length(graph, node))
            inputs = [source, *_weights_and_bias(node, float(source.scales[0]), span)]
        else:
            grid = source if node.operator in KEEP_SCALE else output if node.operator == "SELECT_V2" else None
            inputs = [converted[id(tensor)] if id(tensor) in converted else _constant(tensor, grid) for tensor in node.inputs]
        nodes.append(Node(node.operator, inputs, [output], node.options, INT8_VERSIONS[node.operator]))
    return Graph(nodes, [converted[id(tensor)] for tensor in graph.inputs], [converted[id(tensor)] for tensor in graph.outputs])


def _concatenated_ranges(graph, ranges):
    """One range for all tensors that end in the same concatenations, through nodes that keep the scale: id(tensor) -> (low, high)."""
    origin = {}
    groups = {}
    for node in graph.nodes:
        computed = [origin.get(id(tensor), id(tensor)) for tensor in node.inputs if tensor is not None and tensor.data is None]
        if node.operator == "CONCATENATION":
            members = set().union(*(groups.get(each, {each}) for each in computed))
            groups.update(dict.fromkeys(members, members))
        if node.operator in KEEP_SCALE and computed:
            origin[id(node.output)] = computed[0]
    return {each: (min(ranges[other][0] for other in members), max(ranges[other][1] for other in members))
            for each, members in groups.items()}


def prototype_length(graph, node):
    """The largest length of a row of weights, for the matrix product of cosines; None for any other node.

    Behind an L2_NORMALIZATION every input has length 1, so no output exceeds that length, and no row of the same length has a larger
    element. With these ranges in the place of observed ones another row (kws_tf.enroll) changes nothing that is there.
    """
    before = graph.producer(node.inputs[0])
    if node.operator != "FULLY_CONNECTED" or before is None or before.operator != "L2_NORMALIZATION":
        return None
    return float(np.linalg.norm(node.inputs[1].data, axis=1).max())


def affine(low, high):
    """Scale and zero point with which int8 -128..127 spans [low, high]; low <= 0 <= high, and 0 is represented exactly."""
    scale = (high - low) / 255
    return scale, int(np.clip(round(-128 - low / scale), -128, 127))


def _activation(tensor, scale, zero_point):
    return Tensor(tensor.name, tensor.shape, "int8", None, np.array([scale], np.float32), np.array([zero_point], np.int64))


def _output(node, converted, ranges):
    tensor = node.output
    if tensor.dtype == "bool":
        return Tensor(tensor.name, tensor.shape, "bool")
    if node.operator in KEEP_SCALE:
        source = converted[id(node.inputs[0])]
        return _activation(tensor, source.scales[0], source.zero_points[0])
    if node.operator in FIXED_SCALE:
        return _activation(tensor, *FIXED_SCALE[node.operator])
    if getattr(node.options, "fusedActivationFunction", 0) == schema.ActivationFunctionType.RELU_N1_TO_1:
        return _activation(tensor, 1 / 128, 0)
    return _activation(tensor, *affine(*ranges[id(tensor)]))


def _constant(tensor, grid):
    """A constant operand: an integer parameter as it is, a float one on the given grid or on one of its own."""
    if tensor.dtype != "float32":
        return tensor
    if grid is None:
        scale, zero_point = affine(min(0.0, float(tensor.data.min())), max(0.0, float(tensor.data.max()), 1e-12))
    else:
        scale, zero_point = float(grid.scales[0]), int(grid.zero_points[0])
    stored = np.clip(np.rint(tensor.data / scale) + zero_point, -128, 127).astype(np.int8)
    return Tensor(tensor.name, tensor.shape, "int8", stored, np.array([scale], np.float32), np.array([zero_point], np.int64))


def _weights_and_bias(node, input_scale, largest=None):
    """int8 weights and int32 bias of a convolution or a matrix product; `largest`: weight to span in the place of the largest one."""
    weights, bias, axis = node.inputs[1], node.inputs[2], WEIGHTED[node.operator]
    if largest is not None:
        axis = None
    others = tuple(i for i in range(weights.data.ndim) if i != axis)
    scales = np.atleast_1d(np.abs(weights.data).max(axis=None if axis is None else others) if largest is None else largest) / 127.0
    # A channel of almost no weight must not get a scale in which its bias overflows 32 bits.
    floor = np.abs(bias.data) / (LARGEST_BIAS * input_scale)
    scales = np.maximum(scales, floor.max() if axis is None else floor)
    scales = np.where(scales > 0, scales, 1.0).astype(np.float32)
    spread = [1] * weights.data.ndim
    spread[axis or 0] = len(scales)
    stored = np.clip(np.rint(weights.data / scales.reshape(spread)), -127, 127).astype(np.int8)
    bias_scales = (np.float32(input_scale) * scales).astype(np.float32)
    stored_bias = np.rint(bias.data.astype(np.float64) / bias_scales).astype(np.int32)
    zeros = np.zeros(len(scales), np.int64)
    return (Tensor(weights.name, weights.shape, "int8", stored, scales, zeros, axis or 0),
            Tensor(bias.name, bias.shape, "int32", stored_bias, bias_scales, zeros, 0))
