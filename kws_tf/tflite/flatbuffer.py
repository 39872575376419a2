"""A TFLite file as a graph of Python objects that can be read, changed and written back."""

import dataclasses

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError
from kws_tf.manifest import TensorSpec
from kws_tf.runtime.model_file import TFLITE_IDENTIFIER
from kws_tf.tflite import untrusted

DESCRIPTION = "kws_tf"
_LARGEST_OLD_CODE = 127
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
BUFFER_ALIGNMENT = 16


@dataclasses.dataclass(eq=False)
class Tensor:
    """A constant or a value that a node computes.

    Args:
        name: unique only by custom. shape: static. dtype: numpy name.
        data: the values of a constant, None otherwise.
        scales, zero_points: quantisation, one entry or one per index of `axis`; None for real values.
    """

    name: str
    shape: tuple
    dtype: str
    data: np.ndarray | None = None
    scales: np.ndarray | None = None
    zero_points: np.ndarray | None = None
    axis: int = 0

    @property
    def spec(self):
        """TensorSpec; scale 0 where there is no single one."""
        single = self.scales is not None and len(self.scales) == 1
        return TensorSpec(self.name, self.shape, self.dtype, float(self.scales[0]) if single else 0.0,
                          int(self.zero_points[0]) if single else 0)

    def like(self, name, shape):
        """A computed tensor of the same type and quantisation."""
        return dataclasses.replace(self, name=name, shape=shape, data=None)


@dataclasses.dataclass(eq=False)
class Node:
    """One operator: builtin name such as "CONV_2D", version, tensors (None for an absent optional input), options of its kind."""

    operator: str
    inputs: list
    outputs: list
    options: object = None
    version: int = 1

    @property
    def output(self):
        """The first output; most operators have no other."""
        return self.outputs[0]


@dataclasses.dataclass(eq=False)
class Graph:
    """Nodes in execution order, and the tensors at its borders.

    Args:
        nodes, inputs, outputs: lists.
        initialiser: Graph that the CALL_ONCE nodes of this one run; None without such nodes.
    """

    nodes: list
    inputs: list
    outputs: list
    initialiser: "Graph | None" = None

    def consumers(self, tensor):
        """The nodes that read a tensor."""
        return [node for node in self.nodes if any(entry is tensor for entry in node.inputs)]

    def producer(self, tensor):
        """The node that computes a tensor; None for a constant or an input."""
        return next((node for node in self.nodes if any(entry is tensor for entry in node.outputs)), None)

    def only_consumer(self, tensor):
        """The one node that reads a tensor; None if there are several, none, or the tensor is an output of the graph."""
        readers = self.consumers(tensor)
        return readers[0] if len(readers) == 1 and not any(tensor is entry for entry in self.outputs) else None

    def tensors(self):
        """Every tensor once, in the order of first use."""
        found = {}
        for tensor in [*self.inputs, *(entry for node in self.nodes for entry in (*node.inputs, *node.outputs)), *self.outputs]:
            if tensor is not None:
                found.setdefault(id(tensor), tensor)
        return list(found.values())


def constant(name, data):
    """A constant tensor."""
    data = np.array(data, order="C")
    return Tensor(name, data.shape, data.dtype.name, data)


def read(content):
    """The main graph of a TFLite file, with the one that sets its variables.

    Args:
        content: bytes of a file that this program made or has checked; see untrusted for others.

    Returns:
        Graph.

    Raises:
        ConversionError: a custom operator, subgraphs of another kind, or a tensor without a static shape.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    graphs = [_read_graph(model, graph) for graph in model.subgraphs]
    called = {node.options.initSubgraphIndex for node in graphs[0].nodes if node.operator == "CALL_ONCE"}
    if called != set(range(1, len(graphs))) or len(graphs) > 2:
        raise ConversionError(f"a graph with {len(graphs)} subgraphs is not supported; expected one, and one that sets its variables.")
    graphs[0].initialiser = graphs[1] if len(graphs) > 1 else None
    return graphs[0]


def _read_graph(model, graph):
    tensors = [_read_tensor(tensor, model.buffers) for tensor in graph.tensors]
    nodes = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        name = untrusted.operator_name(code)
        if name == "CUSTOM":
            raise ConversionError(f"the graph holds the custom operator {code.customCode!r}; only TFLite builtins run everywhere.")
        nodes.append(Node(name, [tensors[i] if i >= 0 else None for i in _indices(operator.inputs)],
                          [tensors[i] for i in _indices(operator.outputs)], operator.builtinOptions, code.version))
        _restore_bias(nodes[-1])
    return Graph(nodes, [tensors[i] for i in _indices(graph.inputs)], [tensors[i] for i in _indices(graph.outputs)])


def _indices(vector):
    """The generated code reads an empty vector as None."""
    return [] if vector is None else vector


def _read_tensor(tensor, buffers):
    name = untrusted.text(tensor.name)
    if tensor.shapeSignature is not None and np.any(np.asarray(tensor.shapeSignature) < 0):
        raise ConversionError(f"tensor {name} has no static shape: {list(tensor.shapeSignature)}.")
    shape = () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
    dtype = untrusted.TYPE_NAMES[tensor.type]
    raw, data = buffers[tensor.buffer].data, None
    if raw is not None and len(raw):
        data = np.frombuffer(np.asarray(raw, np.uint8).tobytes(), dtype).reshape(shape)
    quantisation = tensor.quantization
    if quantisation is None or quantisation.scale is None or not len(quantisation.scale):
        return Tensor(name, shape, dtype, data)
    return Tensor(name, shape, dtype, data, np.asarray(quantisation.scale, np.float32),
                  np.asarray(quantisation.zeroPoint, np.int64), quantisation.quantizedDimension)


def _restore_bias(node):
    """Gives the bias of an integer convolution the quantisation that it always has, which `write` leaves out."""
    bias = _bias(node)
    if bias is not None and bias.scales is None and node.inputs[0].scales is not None and node.inputs[1].scales is not None:
        bias.scales = (node.inputs[0].scales[0] * node.inputs[1].scales).astype(np.float32)
        bias.zero_points = np.zeros(len(bias.scales), np.int64)


def _bias(node):
    return node.inputs[2] if node.operator in CONVOLUTIONS and len(node.inputs) > 2 else None


class _SharingBuilder(flatbuffers.Builder):
    """A builder that stores equal strings, vectors and tables once, and constants at multiples of 16 bytes.

    Most of a small network's file are names, shapes, options and zero points, nearly all of them repeated. The alignment is what the
    TFLite schema demands of buffers (the only byte vectors) and the generated code forgets.
    """

    def __init__(self):
        super().__init__(1 << 16)
        self._vectors = {}
        self.tables = {}

    def CreateString(self, s, *encoding):  # noqa: N802 - the names that the generated code calls
        if s not in self._vectors:
            self._vectors[s] = super().CreateString(s, *encoding)
        return self._vectors[s]

    def CreateNumpyVector(self, x):  # noqa: N802
        key = x.dtype.name, x.tobytes()
        if key not in self._vectors:
            self._vectors[key] = self._aligned_bytes(key[1]) if x.dtype == np.uint8 else super().CreateNumpyVector(x)
        return self._vectors[key]

    def _aligned_bytes(self, raw):
        self.StartVector(1, len(raw), BUFFER_ALIGNMENT)
        self.head -= len(raw)
        self.Bytes[self.head:self.head + len(raw)] = raw
        return self.EndVector()


class _SharedTable:
    """A table of the generated code that is stored once for all that have the same fields."""

    def __init__(self, table):
        self._table = table
        fields = sorted(vars(table).items())
        self._key = type(table).__name__, tuple((name, np.asarray(value).tobytes()) for name, value in fields)

    def Pack(self, builder):  # noqa: N802
        if self._key not in builder.tables:
            builder.tables[self._key] = self._table.Pack(builder)
        return builder.tables[self._key]


def write(graph):
    """The bytes of a TFLite file; equal constants are one tensor, which saves TFLite Micro 24 bytes of arena each.

    The quantisation of a bias of a convolution is left out: it is the product of those of the input and the weights, kernels never
    look at it, and it takes a tenth of the file of a small network. `read` puts it back. (XNNPACK wants to see it, and leaves int8
    convolutions without it to the kernels of TFLite.)

    Args:
        graph: Graph.

    Returns:
        bytes; the same graph always gives the same bytes.
    """
    model = schema.ModelT()
    model.version, model.description = 3, DESCRIPTION
    model.buffers, model.operatorCodes = [schema.BufferT()], []
    buffers, codes = {}, {}
    model.subgraphs = [_pack_graph(part, name, model, buffers, codes)
                       for part, name in ((graph, "main"), (graph.initialiser, "initialiser")) if part is not None]
    builder = _SharingBuilder()
    builder.Finish(model.Pack(builder), TFLITE_IDENTIFIER)
    return bytes(builder.Output())


def _pack_graph(graph, name, model, buffers, codes):
    subgraph = schema.SubGraphT()
    subgraph.name, subgraph.tensors, subgraph.operators = name, [], []
    implied = {id(_bias(node)) for node in graph.nodes if _bias(node) is not None}
    tensors, index, known = [], {}, {}
    for tensor in graph.tensors():
        # the quantisation of a bias follows from its node, so biases stay apart
        key = id(tensor) if tensor.data is None or id(tensor) in implied else _content(tensor)
        if key not in known:
            known[key] = len(tensors)
            tensors.append(tensor)
        index[id(tensor)] = known[key]
    for tensor in tensors:
        subgraph.tensors.append(_pack_tensor(tensor, model.buffers, buffers))
        if tensor.scales is not None and id(tensor) not in implied:
            subgraph.tensors[-1].quantization = _pack_quantisation(tensor)
    for node in graph.nodes:
        operator = schema.OperatorT()
        operator.opcodeIndex = _operator_code(node, model.operatorCodes, codes)
        operator.inputs = np.array([-1 if tensor is None else index[id(tensor)] for tensor in node.inputs], np.int32)
        operator.outputs = np.array([index[id(tensor)] for tensor in node.outputs], np.int32)
        if node.options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(node.options).__name__[:-1])
            operator.builtinOptions = _SharedTable(node.options)
        subgraph.operators.append(operator)
    subgraph.inputs = [index[id(tensor)] for tensor in graph.inputs]
    subgraph.outputs = [index[id(tensor)] for tensor in graph.outputs]
    return subgraph


def _content(tensor):
    """What makes two constants the same."""
    quantisation = None if tensor.scales is None else (tensor.scales.tobytes(), tensor.zero_points.tobytes(), tensor.axis)
    return tensor.shape, tensor.dtype, np.ascontiguousarray(tensor.data).tobytes(), quantisation


def _pack_tensor(tensor, buffers, known):
    packed = schema.TensorT()
    packed.name, packed.shape = tensor.name, np.array(tensor.shape, np.int32)
    packed.type = getattr(schema.TensorType, tensor.dtype.upper())
    packed.buffer = 0
    if tensor.data is not None:
        raw = np.frombuffer(np.ascontiguousarray(tensor.data).tobytes(), np.uint8)
        key = raw.tobytes()
        if key not in known:
            buffer = schema.BufferT()
            buffer.data = raw
            known[key] = len(buffers)
            buffers.append(buffer)
        packed.buffer = known[key]
    return packed


def _pack_quantisation(tensor):
    quantisation = schema.QuantizationParametersT()
    quantisation.scale = np.asarray(tensor.scales, np.float32)
    quantisation.zeroPoint = np.asarray(tensor.zero_points, np.int64)
    quantisation.quantizedDimension = tensor.axis
    return _SharedTable(quantisation)


def _operator_code(node, codes, known):
    key = (node.operator, node.version)
    if key not in known:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, node.operator)
        code.deprecatedBuiltinCode = min(code.builtinCode, _LARGEST_OLD_CODE)
        code.version = node.version
        known[key] = len(codes)
        codes.append(code)
    return known[key]
