"""Writes the operators of the integer front end as nodes of a TFLite graph; the TensorFlow converter cannot make them."""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.front_end.graph import Graph, Tensor
from kws_tf.tflite import flatbuffer

# The version in which each builtin takes int16; tflite-runtime 2.14 and TFLite Micro know all of these.
VERSIONS = {"ABS": 3, "ADD": 4, "AVERAGE_POOL_2D": 3, "BATCH_MATMUL": 3, "CONCATENATION": 3, "CONV_2D": 4, "MAXIMUM": 4, "MAX_POOL_2D": 3,
            "MUL": 4, "PAD": 3, "QUANTIZE": 2, "RESHAPE": 1, "STRIDED_SLICE": 4, "TRANSPOSE": 2}


class TfliteGraph(Graph):
    """A TFLite graph under construction.

    Attributes:
        nodes: list of flatbuffer.Node so far.

    Example:
        graph = TfliteGraph()
        pcm = graph.input("pcm", (1, 16000), 2.0**-15)
        content = flatbuffer.write(graph.finish([pcm], [graph.absolute(pcm)]))
    """

    def __init__(self):
        super().__init__()
        self.nodes = []

    def input(self, name, shape, scale):
        """An int16 input of the graph."""
        return _tensor(_quantised(name, shape, "int16", scale))

    def constant(self, values, scale, name):
        values = np.asarray(values).astype(np.int16)
        name = f"{self.stage}/{name}"
        return _tensor(_quantised(name, values.shape, "int16", scale, data=values), integers=values)

    def apply(self, operator, name, inputs, shape, scale, *, zero_point=0, **options):
        operands = [tensor.value for tensor in inputs] + _constant_operands(operator, inputs, shape, options)
        output = _quantised(name, shape, "int8" if operator == "QUANTIZE" else "int16", scale, zero_point)
        self.nodes.append(flatbuffer.Node(operator, operands, [output], _attributes(operator, shape, options), VERSIONS[operator]))
        return _tensor(output, zero_point)

    def finish(self, inputs, outputs):
        """The nodes as a flatbuffer.Graph between these tensors."""
        return flatbuffer.Graph(list(self.nodes), [tensor.value for tensor in inputs], [tensor.value for tensor in outputs])


def _tensor(value, zero_point=0, integers=None):
    return Tensor(value.shape, float(value.scales[0]), value, integers, zero_point)


def _quantised(name, shape, dtype, scale, zero_point=0, data=None):
    """A flatbuffer.Tensor with one scale, or one per entry of its first axis."""
    scales = np.atleast_1d(np.asarray(scale, np.float32))
    return flatbuffer.Tensor(name, tuple(int(size) for size in shape), dtype, data, scales, np.full(scales.shape, zero_point, np.int64))


def _constant_operands(operator, inputs, shape, options):
    """Constants that TFLite passes as inputs of a node: weights and bias, shapes and axes; short names, for they cost bytes."""
    if operator == "CONV_2D":
        weights, bias, scales = options["weights"], options["bias"], options["weight_scales"]
        # one scale where all are equal: four or eight bytes per output less in the file
        scales = scales if np.ptp(scales) else scales[:1]
        return [_quantised("w", weights.shape, "int8", scales, data=weights),
                _quantised("b", bias.shape, "int64", np.float32(inputs[0].scale) * scales, data=bias)]
    vectors = []
    if operator == "RESHAPE":
        vectors = [shape]
    elif operator == "TRANSPOSE":
        vectors = [options["order"]]
    elif operator == "PAD":
        vectors = [[(0, count) for count in options["counts"]]]
    elif operator == "STRIDED_SLICE":
        vectors = [options["begin"], options["end"], (1,) * len(shape)]
    return [flatbuffer.constant("i", np.array(vector, np.int32)) for vector in vectors]


def _attributes(operator, shape, options):
    """The builtin options of one node."""
    attributes = _OPTION_TYPES[operator]()
    if operator == "CONV_2D":
        attributes.padding = schema.Padding.VALID
        attributes.strideH, attributes.strideW = options["row_stride"], 1
        attributes.dilationHFactor = attributes.dilationWFactor = 1
        activations = schema.ActivationFunctionType
        attributes.fusedActivationFunction = activations.RELU6 if options["relu6"] else activations.NONE
    elif operator in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        attributes.padding = schema.Padding.VALID
        attributes.filterHeight, attributes.filterWidth = options["window"]
        attributes.strideH, attributes.strideW = options["window"]
    elif operator == "BATCH_MATMUL":
        attributes.adjY = options["transpose_y"]
    elif operator == "ADD":
        attributes.potScaleInt16 = False
    elif operator == "CONCATENATION":
        attributes.axis = options["axis"]
    elif operator == "RESHAPE":
        attributes.newShape = [int(size) for size in shape]
    return attributes


_OPTION_TYPES = {
    "ABS": schema.AbsOptionsT, "ADD": schema.AddOptionsT, "AVERAGE_POOL_2D": schema.Pool2DOptionsT,
    "BATCH_MATMUL": schema.BatchMatMulOptionsT, "CONCATENATION": schema.ConcatenationOptionsT, "CONV_2D": schema.Conv2DOptionsT,
    "MAXIMUM": schema.MaximumMinimumOptionsT, "MAX_POOL_2D": schema.Pool2DOptionsT, "MUL": schema.MulOptionsT, "PAD": schema.PadOptionsT,
    "QUANTIZE": schema.QuantizeOptionsT, "RESHAPE": schema.ReshapeOptionsT, "STRIDED_SLICE": schema.StridedSliceOptionsT,
    "TRANSPOSE": schema.TransposeOptionsT,
}
