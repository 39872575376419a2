"""The operators of a file as a list that TFLite Micro can be built with: those and no others."""

from kws_tf.errors import ConversionError
from kws_tf.tflite import flatbuffer

# Builtin -> method of tflite::MicroMutableOpResolver.
METHODS = {
    "ABS": "AddAbs", "ADD": "AddAdd", "ASSIGN_VARIABLE": "AddAssignVariable", "AVERAGE_POOL_2D": "AddAveragePool2D",
    "BATCH_MATMUL": "AddBatchMatMul", "CALL_ONCE": "AddCallOnce", "CONCATENATION": "AddConcatenation", "CONV_2D": "AddConv2D",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D", "FULLY_CONNECTED": "AddFullyConnected", "GREATER": "AddGreater",
    "L2_NORMALIZATION": "AddL2Normalization", "LOGISTIC": "AddLogistic", "MAXIMUM": "AddMaximum", "MAX_POOL_2D": "AddMaxPool2D",
    "MEAN": "AddMean", "MINIMUM": "AddMinimum", "MUL": "AddMul", "PACK": "AddPack", "PAD": "AddPad", "QUANTIZE": "AddQuantize",
    "READ_VARIABLE": "AddReadVariable", "RELU": "AddRelu", "RESHAPE": "AddReshape", "SELECT_V2": "AddSelectV2", "SOFTMAX": "AddSoftmax",
    "SPLIT": "AddSplit", "SPLIT_V": "AddSplitV", "STRIDED_SLICE": "AddStridedSlice", "SUB": "AddSub", "TANH": "AddTanh",
    "TRANSPOSE": "AddTranspose", "VAR_HANDLE": "AddVarHandle",
}
# Kernels for one type of activations, which leave the code for the others out of the program where the platform has optimised kernels
# (CMSIS-NN), and are the general ones elsewhere. Only those whose methods take a registration in every package of TFLite Micro that
# docs/microcontrollers.md names.
ONE_TYPE = {
    "ADD": ("int8", "int16"), "AVERAGE_POOL_2D": ("int8", "int16"), "CONV_2D": ("int8", "int16"), "DEPTHWISE_CONV_2D": ("int8", "int16"),
    "FULLY_CONNECTED": ("int8", "int16"), "MAX_POOL_2D": ("int8", "int16"), "MUL": ("int8",),
}


def registrations(content):
    """Calls that add the operators of a file to a resolver.

    Args:
        content: bytes of the file.

    Returns:
        list of texts such as "AddMul(tflite::Register_MUL_INT8())", one per operator, in alphabetical order.

    Raises:
        ConversionError: an operator that is not in METHODS.
    """
    graph = flatbuffer.read(content)
    types = {}
    for node in [*graph.nodes, *(graph.initialiser.nodes if graph.initialiser else [])]:
        computed = {tensor.dtype for tensor in (*node.inputs, *node.outputs) if tensor is not None and tensor.data is None}
        types.setdefault(node.operator, set()).update(computed)
    unknown = sorted(set(types) - set(METHODS))
    if unknown:
        raise ConversionError(f"{', '.join(unknown)}: no method of the resolver of TFLite Micro is known for this; "
                              "the lint of profile tflm should have refused it.")
    return [f"{METHODS[name]}({_registration(name, types[name])})" for name in sorted(types)]


def _registration(name, types):
    kind = next(iter(types)) if len(types) == 1 else ""
    return f"tflite::Register_{name}_{kind.upper()}()" if kind in ONE_TYPE.get(name, ()) else ""
