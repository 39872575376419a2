"""Asks the runtimes themselves: every version and every integer type that operator_support lists."""

import flatbuffers
import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ModelFileError
from kws_tf.runtime.interpreter import INTERPRETERS, available, open_interpreter
from kws_tf.tflite import flatbuffer, micro
from kws_tf.tflite.flatbuffer import Node, Tensor
from kws_tf.tflite.operator_support import INTEGER_TYPES, VARIABLE_OPERATORS, VERSIONS

NAMES = [name for name in available() if name != "tensorflow"]
SHAPE = (1, 4, 6, 8)
SCALES = {"int8": 0.05, "uint8": 0.05, "int16": 0.05 / 256}
VALID = schema.Padding.VALID


def options(kind, **values):
    built = getattr(schema, f"{kind}OptionsT")()
    for name, value in values.items():
        setattr(built, name, value)
    return built


def convolution(kind, dtype, weights_shape, axis, weight_scale=0.0004, **more):
    """Weights, bias and options of a convolution."""
    random = np.random.default_rng(3)
    outputs = weights_shape[axis]
    scales, zeros = np.full(outputs, weight_scale, np.float32), np.zeros(outputs, np.int64)
    bias_type = np.int64 if dtype == "int16" else np.int32
    weights = Tensor("w", weights_shape, "int8", random.integers(-127, 128, weights_shape).astype(np.int8), scales, zeros, axis)
    bias = Tensor("b", (outputs,), np.dtype(bias_type).name, random.integers(-99, 99, outputs).astype(bias_type),
                  scales * np.float32(SCALES[dtype]), zeros)
    return [weights, bias], options(kind, padding=VALID, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1, **more)


def constant(*values):
    return flatbuffer.constant("c", np.array(values, np.int32))


def case(operator, dtype):
    """(constant inputs, options, output shapes, number of computed inputs, whether input and output share their scale)."""
    if operator == "CONV_2D":
        return *convolution("Conv2D", dtype, (3, 2, 2, 8), 0), [(1, 3, 5, 3)], 1, False
    if operator == "DEPTHWISE_CONV_2D":
        return *convolution("DepthwiseConv2D", dtype, (1, 2, 2, 8), 3, depthMultiplier=1), [(1, 3, 5, 8)], 1, False
    pool = {"padding": VALID, "filterHeight": 2, "filterWidth": 2, "strideH": 2, "strideW": 2}
    simple = {
        "ABS": ([], options("Abs"), [SHAPE], 1, False),
        "ADD": ([], options("Add", potScaleInt16=False), [SHAPE], 2, False),
        "AVERAGE_POOL_2D": ([], options("Pool2D", **pool), [(1, 2, 3, 8)], 1, True),
        "BATCH_MATMUL": ([], options("BatchMatMul", adjY=True), [(1, 4, 6, 6)], 2, False),
        "CONCATENATION": ([], options("Concatenation", axis=1), [(1, 8, 6, 8)], 2, True),
        "GREATER": ([], options("Greater"), [SHAPE], 2, True),
        "L2_NORMALIZATION": ([], options("L2Norm"), [SHAPE], 1, False),
        "LOGISTIC": ([], None, [SHAPE], 1, False),
        "MAXIMUM": ([], options("MaximumMinimum"), [SHAPE], 2, True),
        "MAX_POOL_2D": ([], options("Pool2D", **pool), [(1, 2, 3, 8)], 1, True),
        "MEAN": ([constant(1, 2)], options("Reducer", keepDims=True), [(1, 1, 1, 8)], 1, False),
        "MINIMUM": ([], options("MaximumMinimum"), [SHAPE], 2, True),
        "MUL": ([], options("Mul"), [SHAPE], 2, False),
        "PACK": ([], options("Pack", axis=1, valuesCount=2), [(1, 2, 4, 6, 8)], 2, True),
        "PAD": ([constant((0, 0), (0, 0), (1, 1), (0, 0))], options("Pad"), [(1, 4, 8, 8)], 1, True),
        "QUANTIZE": ([], options("Quantize"), [SHAPE], 1, False),
        "RELU": ([], None, [SHAPE], 1, False),
        "RELU6": ([], None, [SHAPE], 1, False),
        "RESHAPE": ([constant(1, 24, 8)], options("Reshape", newShape=[1, 24, 8]), [(1, 24, 8)], 1, True),
        "SELECT_V2": ([], options("SelectV2"), [SHAPE], 2, True),
        "SOFTMAX": ([], options("Softmax", beta=1.0), [SHAPE], 1, False),
        "SPLIT": ([], options("Split", numSplits=2), [(1, 4, 3, 8), (1, 4, 3, 8)], 1, True),
        "SPLIT_V": ([constant(2, 4), constant(2)], options("SplitV", numSplits=2), [(1, 4, 2, 8), (1, 4, 4, 8)], 1, True),
        "STRIDED_SLICE": ([constant(0, 1, 0, 0), constant(1, 4, 6, 8), constant(1, 1, 1, 1)], options("StridedSlice"), [(1, 3, 6, 8)], 1,
                          True),
        "SUB": ([], options("Sub", potScaleInt16=False), [SHAPE], 2, False),
        "TANH": ([], None, [SHAPE], 1, False),
        "TRANSPOSE": ([constant(0, 2, 1, 3)], options("Transpose"), [(1, 6, 4, 8)], 1, True),
    }
    return simple[operator]


FIXED = {"L2_NORMALIZATION": (1 / 128, 0), "LOGISTIC": (1 / 256, -128), "SOFTMAX": (1 / 256, -128), "TANH": (1 / 128, 0)}


def one_operator(operator, dtype, version):
    """A file with this operator alone, and its input arrays."""
    constants, built, shapes, n_inputs, same_scale = case(operator, dtype)
    source = {"uint8": "int8"}.get(dtype, "int16") if operator == "QUANTIZE" else dtype
    zero_point = -3 if source == "int8" else 0

    def tensor(name, shape, kind, scale, zero):
        return Tensor(name, shape, kind, None, np.array([scale], np.float32), np.array([zero], np.int64))

    step = SCALES[source]
    inputs = [tensor(f"x{i}", SHAPE, source, step if i == 0 or same_scale else 0.6 * step, zero_point) for i in range(n_inputs)]
    # so that the outputs fill their range and seldom clip
    wide = {"BATCH_MATMUL": 15, "MUL": 4, "CONV_2D": 1, "QUANTIZE": 1}.get(operator, 1.6)
    scale, zero = FIXED.get(operator, (step if same_scale else wide * SCALES[dtype], -3 if dtype == "int8" else 0))
    outputs = [Tensor("y", shape, "bool") if operator == "GREATER" else tensor(f"y{i}", shape, dtype, scale, zero)
               for i, shape in enumerate(shapes)]
    before, first = [], []
    if operator == "SPLIT":
        first = [flatbuffer.constant("axis", np.array(2, np.int32))]
    elif operator == "SELECT_V2":
        first = [Tensor("condition", SHAPE, "bool")]
        before = [Node("GREATER", inputs, first, options("Greater"), VERSIONS["GREATER"])]
    nodes = [*before, Node(operator, [*first, *inputs, *constants], outputs, built, version)]
    limits = np.iinfo(source)
    random = np.random.default_rng(5)
    arrays = [random.integers(limits.min, limits.max, SHAPE, endpoint=True).astype(source) for _ in inputs]
    return flatbuffer.write(flatbuffer.Graph(nodes, inputs, outputs[:1])), arrays


def results(content, arrays):
    """The output in every runtime: name -> array."""
    found = {}
    for name in NAMES:
        _, opened = open_interpreter(content, interpreter=name, kernels="reference")
        for detail, values in zip(opened.get_input_details(), arrays, strict=True):
            opened.set_tensor(detail["index"], values)
        opened.invoke()
        found[name] = opened.get_tensor(opened.get_output_details()[0]["index"]).copy()
    if not micro.unavailable():
        found["tflite_micro"] = micro.MicroInterpreter(content)(*arrays)
    return found


ENTRIES = [(operator, dtype) for operator, types in INTEGER_TYPES.items() for dtype in types]


@pytest.mark.parametrize(("operator", "dtype"), ENTRIES)
def test_every_runtime_computes_the_same_integers(operator, dtype):
    content, arrays = one_operator(operator, dtype, VERSIONS[operator])
    found = results(content, arrays)
    first = next(iter(found.values()))
    assert len(np.unique(first)) > 1
    for name, values in found.items():
        np.testing.assert_array_equal(values, first, err_msg=name)


def version_alone(code, version):
    """A file that declares one operator version and has no node."""
    model, graph, tensor = schema.ModelT(), schema.SubGraphT(), schema.TensorT()
    tensor.name, tensor.shape, tensor.type = "x", np.array([1, 4], np.int32), schema.TensorType.INT8
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [tensor], [], [0], [0]
    operator = schema.OperatorCodeT()
    operator.builtinCode, operator.deprecatedBuiltinCode, operator.version = code, min(code, 127), version
    model.version, model.buffers, model.operatorCodes, model.subgraphs = 3, [schema.BufferT()], [operator], [graph]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def is_known(name, operator, version):
    try:
        open_interpreter(version_alone(getattr(schema.BuiltinOperator, operator), version), interpreter=name, kernels="reference")
    except ModelFileError as error:
        assert "Didn't find op" in str(error), error
        return False
    return True


@pytest.mark.parametrize("operator", VERSIONS)
def test_the_highest_version_is_that_of_the_runtimes(operator):
    assert all(is_known(name, operator, VERSIONS[operator]) for name in NAMES)
    if "tflite_runtime" in NAMES:
        assert not all(is_known(name, operator, VERSIONS[operator] + 1) for name in NAMES)


def test_what_is_emitted_is_supported():
    from kws_tf.tflite import graph, quantise

    for versions in (graph.VERSIONS, quantise.INT8_VERSIONS):
        for operator, version in versions.items():
            # pointwise_products computes every FULLY_CONNECTED as CONV_2D.
            assert (operator in INTEGER_TYPES) == (operator != "FULLY_CONNECTED") and version <= VERSIONS[operator], operator
    assert set(VARIABLE_OPERATORS) <= set(VERSIONS)


def test_interpreters_are_there():
    assert set(NAMES) <= set(INTERPRETERS) and NAMES
