"""Checks a TFLite file against the rules of a profile, before it is written or flashed. Works on any file, exported here or not."""

import dataclasses

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.counted import counted
from kws_tf.errors import ConversionError
from kws_tf.front_end.graph import MOST_PARTS
from kws_tf.micro_front_end import CHANNELS, LARGEST_FEATURE
from kws_tf.tflite import untrusted
from kws_tf.tflite.operator_support import INTEGER_TYPES, ONE_RUNTIME_TYPES, VARIABLE_OPERATORS, VERSIONS

INTEGERS = ("int8", "uint8", "int16", "int32", "int64", "bool", "resource")
ACTIVATIONS = ("int8", "uint8", "int16")
PCM_DTYPE = "int16"
ALIGNMENT = 16
LARGEST_STEP_FRAMES = 10
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
BIAS_TYPES = {"int8": "int32", "int16": "int64"}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One violation. rule: its name in RULES. where: tensor, operator or part of the file. message: what was found and expected."""

    rule: str
    where: str
    message: str

    def __str__(self):
        return f"{self.rule}: {self.where}: {self.message}"


def lint(content, profile, name="model"):
    """All violations of a profile's rules.

    Args:
        content: bytes of the file. profile: Profile. name: of the file, for messages.

    Returns:
        list of Finding, empty for a file that keeps every rule.

    Raises:
        ModelFileError: the bytes are no TFLite file, or a damaged one.

    Example:
        >>> lint(pathlib.Path("model.tflite").read_bytes(), PROFILES["tflm"])
        []
    """
    file = File(content, untrusted.parse(content, name))
    return [Finding(rule, where, message) for rule, check in RULES.items() for where, message in check(file, profile)]


def require_clean(content, profile, name="model"):
    """Raises ConversionError with every violation, if there is any."""
    findings = lint(content, profile, name)
    if findings:
        raise ConversionError("\n".join([f"{name}: {counted(len(findings), 'finding')} by the rules of profile {profile.name}:",
                                         *map(str, findings)]))


class File:
    """What the rules look at.

    Attributes:
        content: bytes. model: schema.ModelT. main: the main subgraph.
    """

    def __init__(self, content, model):
        self.content = content
        self.model = model
        self.main = model.subgraphs[0]

    def tensors(self):
        """(name, type, TensorT) of every tensor in every subgraph."""
        for graph in self.model.subgraphs:
            for tensor in graph.tensors or []:
                yield untrusted.text(tensor.name), untrusted.TYPE_NAMES[tensor.type], tensor

    def nodes(self):
        """(subgraph, operator name, version, OperatorT) of every node."""
        for graph in self.model.subgraphs:
            for node in graph.operators or []:
                code = self.model.operatorCodes[node.opcodeIndex]
                yield graph, untrusted.operator_name(code), code.version, node

    def border(self, side):
        """Inputs or outputs of the main subgraph, each a TensorT."""
        indices = getattr(self.main, side)
        return [self.main.tensors[index] for index in (indices if indices is not None else [])]

    def is_constant(self, tensor):
        """Whether the file holds the values of a TensorT."""
        data = self.model.buffers[tensor.buffer].data
        return data is not None and len(data) > 0

    def variables(self):
        """Names of the state variables."""
        return {untrusted.text(node.builtinOptions.sharedName) for _, name, _, node in self.nodes() if name == "VAR_HANDLE"}


def _shape(tensor):
    return [] if tensor.shape is None else [int(size) for size in tensor.shape]


def _type(tensor):
    return untrusted.TYPE_NAMES[tensor.type]


def check_size(file, profile):
    """The file fits its target."""
    if len(file.content) > profile.largest_bytes:
        yield "file", f"{len(file.content)} bytes; at most {profile.largest_bytes} fit the targets of this profile"


def check_subgraphs(file, profile):  # noqa: ARG001 - every rule takes both
    """There is one graph, besides those that CALL_ONCE runs to set the variables."""
    called = {node.builtinOptions.initSubgraphIndex for _, name, _, node in file.nodes() if name == "CALL_ONCE"}
    for index in range(1, len(file.model.subgraphs)):
        if index not in called:
            yield f"subgraph {index}", "only a main graph and initialisers of variables are expected"


def check_shapes(file, profile):  # noqa: ARG001
    """Every shape is static and every size positive."""
    for name, kind, tensor in file.tensors():
        signature = [] if tensor.shapeSignature is None else [int(size) for size in tensor.shapeSignature]
        if any(size < 0 for size in signature) or (kind != "resource" and any(size < 1 for size in _shape(tensor))):
            yield f"tensor {name}", f"shape {signature or _shape(tensor)}; a static one is expected"


def check_batch(file, profile):  # noqa: ARG001
    """Inputs and outputs have batch 1."""
    for side in ("inputs", "outputs"):
        for tensor in file.border(side):
            if _shape(tensor)[:1] != [1]:
                yield f"tensor {untrusted.text(tensor.name)}", f"shape {_shape(tensor)}; batch 1 is expected in front"


def check_border(file, profile):
    """Inputs and outputs exist and have the types of the profile."""
    inputs, outputs = file.border("inputs"), file.border("outputs")
    if not inputs or not outputs:
        yield "graph", f"{counted(len(inputs), 'input')} and {counted(len(outputs), 'output')}; at least one of each is expected"
        return
    expected = PCM_DTYPE if profile.input_kind == "pcm" else profile.dtype
    if profile.probability:
        yield from _check_device_border(inputs, outputs)
        return
    for side, tensor, wanted in (("input", inputs[0], expected), ("output", outputs[0], profile.dtype)):
        if _type(tensor) != wanted:
            yield f"{side} {untrusted.text(tensor.name)}", f"{_type(tensor)}; profile {profile.name} has {wanted}"


def _check_device_border(inputs, outputs):
    """The one input and output that micro_wake_word knows; its features have a fixed scale."""
    if len(inputs) != 1 or len(outputs) != 1:
        yield "graph", f"{counted(len(inputs), 'input')} and {counted(len(outputs), 'output')}; one of each is expected"
        return
    (source,), (target,) = inputs, outputs
    shape, grid = _shape(source), _grid(source)
    if _type(source) != "int8" or len(shape) != 3 or shape[0] != 1 or shape[2] != CHANNELS or not 1 <= shape[1] <= LARGEST_STEP_FRAMES:
        yield f"input {untrusted.text(source.name)}", (f"{_type(source)} {shape}; int8 [1, frames, {CHANNELS}] with 1 to "
                                                       f"{LARGEST_STEP_FRAMES} frames is expected")
    if grid is None or not np.isclose(grid[0], LARGEST_FEATURE / 255, rtol=1e-3) or grid[1] != -128:
        yield f"input {untrusted.text(source.name)}", f"scale and zero point {grid}; the features of devices have 26/255 and -128"
    if _type(target) != "uint8" or _shape(target) != [1, 1] or _grid(target) != (1 / 256, 0):
        yield f"output {untrusted.text(target.name)}", (f"{_type(target)} {_shape(target)}, scale and zero point {_grid(target)}; the "
                                                        "probability is uint8 [1, 1] with 1/256 and 0")


def _grid(tensor):
    """(scale, zero point) of a tensor with one scale, else None."""
    quantisation = tensor.quantization
    if quantisation is None or quantisation.scale is None or len(quantisation.scale) != 1 or quantisation.zeroPoint is None:
        return None
    return float(quantisation.scale[0]), int(quantisation.zeroPoint[0])


def check_integers(file, profile):
    """No tensor of an integer profile holds anything but integers."""
    if profile.dtype == "float32":
        return
    for name, kind, _ in file.tensors():
        if kind not in INTEGERS:
            yield f"tensor {name}", f"{kind}; profile {profile.name} has integers alone"


def check_operators(file, profile):
    """Every operator is known to the runtimes, in this version and with these types."""
    types = ONE_RUNTIME_TYPES if profile.operators else INTEGER_TYPES
    for graph, name, version, node in file.nodes():
        where = f"operator {name}"
        if profile.operators and name not in profile.operators:
            yield where, f"profile {profile.name} has no such operator; its runtime has {', '.join(profile.operators)}"
        elif name not in VERSIONS:
            yield where, "unknown to tflite-runtime 2.14"
        elif version > VERSIONS[name]:
            yield where, f"version {version}; tflite-runtime 2.14 knows up to {VERSIONS[name]}"
        elif profile.dtype != "float32" and name not in VARIABLE_OPERATORS:
            kind = _computed_type(file, graph, node)
            if kind not in types.get(name, ()) and kind in (*ACTIVATIONS, "float32", "bool"):
                known = ", ".join(types.get(name, ())) or "no integer form"
                yield where, f"{kind}; the runtimes agree on: {known}"
            elif name not in types:
                yield where, "has no integer form on which the runtimes agree"


def _computed_type(file, graph, node):
    """The type that a node computes in: of its output, or of its first computed input where the output is bool."""
    outputs = [] if node.outputs is None else [graph.tensors[index] for index in node.outputs]
    kinds = [_type(tensor) for tensor in outputs if _type(tensor) != "bool"]
    inputs = [graph.tensors[index] for index in ([] if node.inputs is None else node.inputs) if index >= 0]
    kinds += [_type(tensor) for tensor in inputs if not file.is_constant(tensor)]
    return kinds[0] if kinds else ""


def check_parts(file, profile):
    """No operator joins more tensors than TFLite Micro does."""
    if profile.dtype == "float32":
        return
    for _, name, _, node in file.nodes():
        if name == "CONCATENATION" and len(node.inputs) > MOST_PARTS:
            yield f"operator {name}", f"{len(node.inputs)} tensors; TFLite Micro joins at most {MOST_PARTS}"


def check_quantisation(file, profile):
    """Integer activations have one scale, int16 ones the zero point 0; biases are wide enough for every runtime."""
    if profile.dtype == "float32":
        return
    for name, kind, tensor in file.tensors():
        if kind not in ACTIVATIONS or file.is_constant(tensor):
            continue
        quantisation = tensor.quantization
        scales = [] if quantisation is None or quantisation.scale is None else np.asarray(quantisation.scale)
        zeros = [] if quantisation is None or quantisation.zeroPoint is None else np.asarray(quantisation.zeroPoint)
        if len(scales) != 1 or not (np.isfinite(scales[0]) and scales[0] > 0):
            yield f"tensor {name}", f"scales {list(scales)}; one positive scale is expected"
        elif kind == "int16" and np.any(zeros):
            yield f"tensor {name}", f"zero point {zeros[0]}; int16 needs 0"
    for graph, name, _, node in file.nodes():
        if name in WEIGHTED and node.inputs is not None and len(node.inputs) > 2 and node.inputs[2] >= 0:
            kind, bias = _type(graph.tensors[node.inputs[0]]), _type(graph.tensors[node.inputs[2]])
            if bias != BIAS_TYPES.get(kind, bias):
                yield f"operator {name}", f"{bias} bias of {kind} inputs; {BIAS_TYPES[kind]} is expected (int32 wraps in LiteRT)"


def check_constants(file, profile):  # noqa: ARG001
    """Constants have the size of their shape and start at multiples of 16 bytes, so that they can be read in place."""
    for name, kind, tensor in file.tensors():
        data = file.model.buffers[tensor.buffer].data
        if data is None or not len(data) or kind in ("resource", "string", "variant", "int4"):
            continue
        expected = int(np.prod(_shape(tensor))) * np.dtype(kind).itemsize
        if len(data) != expected:
            yield f"tensor {name}", f"{len(data)} bytes; {kind} {_shape(tensor)} takes {expected}"
    table = schema.Model.GetRootAs(file.content, 0)
    for index in range(table.BuffersLength()):
        buffer = table.Buffers(index)
        if buffer.DataLength() and buffer._tab.Vector(buffer._tab.Offset(4)) % ALIGNMENT:  # noqa: SLF001 - the API hides positions
            yield f"buffer {index}", f"starts at byte {buffer._tab.Vector(buffer._tab.Offset(4))}, no multiple of {ALIGNMENT}"


def check_variables(file, profile):
    """There are no more state variables than the runtimes of the profile keep."""
    found = file.variables()
    if len(found) > profile.largest_variables:
        yield "graph", f"{len(found)} state variables; at most {profile.largest_variables} are expected"


RULES = {
    "size": check_size, "subgraphs": check_subgraphs, "static shapes": check_shapes, "batch 1": check_batch,
    "types at the border": check_border, "integers alone": check_integers, "operators": check_operators, "parts": check_parts,
    "quantisation": check_quantisation,
    "constants": check_constants, "variables": check_variables,
}
