"""Reads bytes that may be anything as a TFLite file: what is wrong with them is an error message, never a crash."""

import struct

from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ModelFileError
from kws_tf.runtime.model_file import TFLITE_IDENTIFIER

SMALLEST_BYTES = 16
# Damaged offsets can make a small file claim more objects than it has room for; each takes at least this many bytes.
SMALLEST_OBJECT_BYTES = 4
OPERATOR_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
TYPE_NAMES = {code: name.lower() for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
# Operators whose options name something else in the file.
NAMING_OPTIONS = {"CALL_ONCE": schema.CallOnceOptionsT, "VAR_HANDLE": schema.VarHandleOptionsT}


def parse(content, name="model"):
    """The object tree of a TFLite file.

    Args:
        content: bytes. name: of the file, for messages.

    Returns:
        schema.ModelT whose subgraphs refer only to tensors, buffers and operator codes that exist.

    Raises:
        ModelFileError: the bytes are no TFLite file, or a damaged one.
    """
    if len(content) < SMALLEST_BYTES or content[4:8] != TFLITE_IDENTIFIER:
        raise ModelFileError(f"{name}: not a TFLite file (identifier {bytes(content[4:8])!r}, expected {TFLITE_IDENTIFIER!r}).")
    try:
        _check_counts(content)
        model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
        _check_references(model)
    except (struct.error, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, MemoryError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ModelFileError(f"{name}: a damaged TFLite file ({reason}). Copy or export it again.") from error
    return model


def _check_counts(content):
    """Refuses vectors that are longer than the file has bytes for, before they are read."""
    model = schema.Model.GetRootAs(bytearray(content), 0)
    room = len(content) // SMALLEST_OBJECT_BYTES
    lengths = [model.OperatorCodesLength(), model.SubgraphsLength(), model.BuffersLength()]
    for index in range(min(lengths[1], room)):
        graph = model.Subgraphs(index)
        lengths += [graph.TensorsLength(), graph.OperatorsLength(), graph.InputsLength(), graph.OutputsLength()]
    if sum(lengths) > room:
        raise ValueError(f"it claims {sum(lengths)} parts in {len(content)} bytes")


def _check_references(model):
    _require(model.subgraphs and model.buffers and model.operatorCodes is not None, "it holds no graph")
    for code in model.operatorCodes:
        _require(max(code.builtinCode, code.deprecatedBuiltinCode) in OPERATOR_NAMES,
                 f"operator {max(code.builtinCode, code.deprecatedBuiltinCode)} is unknown")
    for graph in model.subgraphs:
        tensors = graph.tensors if graph.tensors is not None else []
        for tensor in tensors:
            _require(0 <= tensor.buffer < len(model.buffers), f"a tensor refers to buffer {tensor.buffer} of {len(model.buffers)}")
            _require(tensor.type in TYPE_NAMES, f"tensor type {tensor.type} is unknown")
        for operator in graph.operators if graph.operators is not None else []:
            _require(0 <= operator.opcodeIndex < len(model.operatorCodes), f"operator code {operator.opcodeIndex} is not defined")
            operator_kind = operator_name(model.operatorCodes[operator.opcodeIndex])
            wanted = NAMING_OPTIONS.get(operator_kind, object)
            _require(isinstance(operator.builtinOptions, wanted), f"an operator {operator_kind} has no options of its kind")
            _check_indices(operator.inputs, len(tensors), -1)
            _check_indices(operator.outputs, len(tensors), 0)
        _check_indices(graph.inputs, len(tensors), 0)
        _check_indices(graph.outputs, len(tensors), 0)


def _check_indices(indices, count, lowest):
    for index in indices if indices is not None else []:
        _require(lowest <= index < count, f"tensor {index} of {count} is referred to")


def _require(condition, message):
    if not condition:
        raise ValueError(message)


def operator_name(code):
    """The builtin name of an OperatorCodeT."""
    return OPERATOR_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]


def text(value):
    """A string of the object tree, which may be bytes or missing."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
