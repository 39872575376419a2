"""What is inside a TFLite file: its operators, tensors and multiply-accumulates, read from the flatbuffer itself."""

import collections
import dataclasses

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError
from kws_tf.manifest import OperatorCount, TensorSpec

OPERATOR_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
DTYPES = {code: name.lower() for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
DTYPES[schema.TensorType.BOOL] = "bool"


@dataclasses.dataclass(frozen=True)
class Operator:
    """One node of the graph in execution order.

    Args:
        name: builtin operator, such as "CONV_2D". version: of the operator.
        inputs, outputs: TensorSpec of each; None for an absent optional input.
        macs: multiply-accumulates of convolutions and matrix products; 0 for all others.
    """

    name: str
    version: int
    inputs: tuple
    outputs: tuple
    macs: int


def parse(content):
    """The object form of the flatbuffer (schema.ModelT), whose fields can be read and changed."""
    return schema.ModelT.InitFromPackedBuf(bytearray(content), 0)


def tensor_spec(tensor):
    """TensorSpec of a schema.TensorT; the scale of a per-channel tensor is 0 here because it has no single one."""
    quantisation = tensor.quantization
    scales = [] if quantisation is None or quantisation.scale is None else quantisation.scale
    single = len(scales) == 1
    name = tensor.name.decode() if isinstance(tensor.name, bytes) else tensor.name or ""
    shape = () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
    return TensorSpec(name, shape, DTYPES[tensor.type], float(scales[0]) if single else 0.0,
                      int(quantisation.zeroPoint[0]) if single else 0)


def operators(content, subgraph=0):
    """Every operator of a subgraph in execution order.

    Args:
        content: bytes of a TFLite file.

    Returns:
        list of Operator.

    Raises:
        ConversionError: an operator that is not a TFLite builtin.
    """
    model = parse(content)
    graph = model.subgraphs[subgraph]
    specs = [tensor_spec(tensor) for tensor in graph.tensors]
    found = []
    for node in graph.operators:
        code = model.operatorCodes[node.opcodeIndex]
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        name = OPERATOR_NAMES[builtin]
        if name == "CUSTOM":
            raise ConversionError(f"the graph holds the custom operator {code.customCode!r}; only TFLite builtins run everywhere.")
        inputs = tuple(specs[i] if i >= 0 else None for i in node.inputs)
        outputs = tuple(specs[i] for i in node.outputs)
        found.append(Operator(name, code.version, inputs, outputs, _macs(name, inputs, outputs, node.builtinOptions)))
    return found


def count(content):
    """How often each operator occurs, for the manifest.

    Returns:
        tuple of OperatorCount, most frequent first.
    """
    counts, macs = collections.Counter(), collections.Counter()
    for operator in operators(content):
        counts[operator.name, operator.version] += 1
        macs[operator.name, operator.version] += operator.macs
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(OperatorCount(name, version, number, macs[name, version]) for (name, version), number in ordered)


def borders(content):
    """Input and output TensorSpecs of the main graph."""
    graph = parse(content).subgraphs[0]
    return tuple(tuple(tensor_spec(graph.tensors[i]) for i in side) for side in (graph.inputs, graph.outputs))


def _macs(name, inputs, outputs, options):
    """Multiply-accumulates of one node: output elements times the taps that feed each."""
    elements = int(np.prod(outputs[0].shape)) if outputs else 0
    if name == "CONV_2D":
        return elements * int(np.prod(inputs[1].shape[1:]))
    if name == "DEPTHWISE_CONV_2D":
        return elements * int(np.prod(inputs[1].shape[1:3]))
    if name == "FULLY_CONNECTED":
        return elements * inputs[1].shape[1]
    if name == "BATCH_MATMUL":
        return elements * inputs[0].shape[-2 if options.adjX else -1]
    return 0
