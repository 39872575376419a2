"""Cuts a streaming file with PCM as input in two, front end and classifier, without a library for flatbuffers.

Both parts are the file itself with a shorter list of operators and other inputs and outputs: every tensor, constant and number stays.
"""

import dataclasses
import struct

from kws_tf.manifest import TensorSpec

# Codes and places of fields in the schema of TFLite.
QUANTIZE, INT16, INT8 = 114, 7, 9
OPERATOR_CODES, SUBGRAPHS = 1, 2
TENSORS, INPUTS, OUTPUTS, OPERATORS = range(4)
SHAPE, TYPE, _, NAME, QUANTIZATION = range(5)
SCALE, ZERO_POINT = 2, 3
OLD_CODE, CODE = 0, 3


@dataclasses.dataclass(frozen=True)
class FileParts:
    """The two parts of a file.

    Args:
        front_end: bytes of a file from PCM to features. classifier: bytes of a file from features to scores.
        features: TensorSpec between them.
        inputs, outputs: names of the tensors at the border of the whole file that the front end reads and computes: PCM, and its state
            if that is external.
    """

    front_end: bytes
    classifier: bytes
    features: TensorSpec
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def cut(content, shape):
    """Cuts a file at the only QUANTIZE that makes int8 features of int16 ones.

    Args:
        content: bytes of a file that was checked. shape: of the features.

    Returns:
        FileParts; None for a file that has no such place, or with an operator that needs more than one part has.
    """
    graph = _Graph(content)
    places = [operator for operator in graph.operators if operator.code == QUANTIZE and len(operator.outputs) == 1
              and graph.kind(operator.inputs[0]) == (INT16, shape) and graph.kind(operator.outputs[0]) == (INT8, shape)]
    if len(places) != 1:
        return None
    place, = places[0].outputs
    needed = {place}
    for operator in reversed(graph.operators):
        if needed & set(operator.outputs):
            needed |= set(operator.inputs)
    own = [tensor for tensor in graph.inputs if tensor in needed]
    front_end, made = graph.part(own, stop=place)
    others = [place, *(tensor for tensor in graph.inputs if tensor not in needed)]
    classifier, scored = graph.part(others)
    outputs = [tensor for tensor in graph.outputs if tensor in made]
    if len({*front_end, *classifier}) < len(graph.operators) or {*outputs, *graph.outputs} - scored != {*outputs}:
        return None
    return FileParts(graph.write(front_end, own, [place, *outputs]),
                     graph.write(classifier, others, [tensor for tensor in graph.outputs if tensor in scored]),
                     graph.spec(place), tuple(map(graph.name, own)), tuple(map(graph.name, outputs)))


@dataclasses.dataclass(frozen=True)
class _Operator:
    """Address of its table, builtin code, and the indices of its tensors."""

    address: int
    code: int
    inputs: list
    outputs: list


class _Graph:
    """The main graph of a file, read by address: a table begins with the distance to the list of the places of its fields."""

    def __init__(self, content):
        self._content = content
        root = self._follow(0)
        codes = [max(self._number("b", code, OLD_CODE), self._number("i", code, CODE)) for code in self._tables(root, OPERATOR_CODES)]
        self._main = self._tables(root, SUBGRAPHS)[0]
        self._tensors = self._tables(self._main, TENSORS)
        self.inputs, self.outputs = (self._numbers("i", self._main, field) for field in (INPUTS, OUTPUTS))
        self.operators = [_Operator(address, codes[self._number("I", address, 0)], self._numbers("i", address, 1),
                                    self._numbers("i", address, 2)) for address in self._tables(self._main, OPERATORS)]

    def part(self, inputs, stop=None):
        """Indices of the operators that these inputs are enough for, and the set of what they compute; none goes on from `stop`."""
        computed = {*self.inputs, *(tensor for operator in self.operators for tensor in operator.outputs)}
        known, kept = set(inputs), []
        for index, operator in enumerate(self.operators):
            read = {tensor for tensor in operator.inputs if tensor in computed}
            if read <= known - {stop} and not set(operator.outputs) & set(inputs):
                known |= set(operator.outputs)
                kept.append(index)
        return kept, known

    def write(self, kept, inputs, outputs):
        """The file with only these operators, inputs and outputs."""
        changed = bytearray(self._content)
        place = self._vector(self._main, OPERATORS)
        struct.pack_into("<I", changed, place, len(kept))
        for number, index in enumerate(kept):
            entry = place + 4 + 4 * number
            struct.pack_into("<I", changed, entry, self.operators[index].address - entry)
        for field, tensors in ((INPUTS, inputs), (OUTPUTS, outputs)):
            changed += bytes(-len(changed) % 4)
            address = self._field(self._main, field)
            struct.pack_into("<I", changed, address, len(changed) - address)
            changed += struct.pack(f"<I{len(tensors)}i", len(tensors), *tensors)
        return bytes(changed)

    def kind(self, tensor):
        """(type, shape) of a tensor."""
        table = self._tensors[tensor]
        return self._number("b", table, TYPE), tuple(self._numbers("i", table, SHAPE))

    def name(self, tensor):
        place = self._vector(self._tensors[tensor], NAME)
        size = self._read("I", place)
        return self._content[place + 4:place + 4 + size].decode()

    def spec(self, tensor):
        """TensorSpec of an int8 tensor with one scale."""
        quantisation = self._vector(self._tensors[tensor], QUANTIZATION)
        return TensorSpec(self.name(tensor), self.kind(tensor)[1], "int8", self._numbers("f", quantisation, SCALE)[0],
                          self._numbers("q", quantisation, ZERO_POINT)[0])

    def _read(self, kind, address):
        return struct.unpack_from(f"<{kind}", self._content, address)[0]

    def _follow(self, address):
        return address + self._read("I", address)

    def _field(self, table, field):
        """Address of a field; 0 for one that has its default value."""
        places = table - self._read("i", table)
        offset = self._read("H", places + 4 + 2 * field) if 4 + 2 * field < self._read("H", places) else 0
        return table + offset if offset else 0

    def _vector(self, table, field):
        """Address of the vector, string or table that a field refers to; 0 if there is none."""
        address = self._field(table, field)
        return self._follow(address) if address else 0

    def _number(self, kind, table, field):
        address = self._field(table, field)
        return self._read(kind, address) if address else 0

    def _numbers(self, kind, table, field):
        place = self._vector(table, field)
        count = self._read("I", place) if place else 0
        return list(struct.unpack_from(f"<{count}{kind}", self._content, place + 4)) if count else []

    def _tables(self, table, field):
        place = self._vector(table, field)
        return [self._follow(place + 4 + 4 * index) for index in range(self._read("I", place))]
