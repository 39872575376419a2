import re

import pytest

from kws_tf.errors import ConversionError
from kws_tf.runtime import model_file
from kws_tf.tflite import flatbuffer, micro_operators
from kws_tf.tflite.graph import TfliteGraph
from kws_tf.tflite.operator_support import ONE_RUNTIME_TYPES, VARIABLE_OPERATORS


def test_every_operator_that_the_lint_lets_through_is_known():
    assert set(micro_operators.METHODS) == {*ONE_RUNTIME_TYPES, *VARIABLE_OPERATORS}
    assert set(micro_operators.ONE_TYPE) <= set(micro_operators.METHODS)


def test_exactly_the_operators_of_a_file(micro_stream):
    content = model_file.read(micro_stream)[1]
    calls = micro_operators.registrations(content)
    graph = flatbuffer.read(content)
    used = {node.operator for node in [*graph.nodes, *graph.initialiser.nodes]}
    assert [re.match(r"\w+", call).group() for call in calls] == [micro_operators.METHODS[name] for name in sorted(used)]
    # int16 in the front end alone, int8 in the network alone, and both
    assert "AddMaxPool2D(tflite::Register_MAX_POOL_2D_INT16())" in calls
    assert "AddDepthwiseConv2D(tflite::Register_DEPTHWISE_CONV_2D_INT8())" in calls and "AddConv2D()" in calls


def test_a_type_without_a_kernel_of_its_own_takes_the_general_one():
    graph = TfliteGraph()
    x = graph.input("x", (1, 4), 1.0)
    content = flatbuffer.write(graph.finish([x], [graph.apply("MUL", "y", [x, x], (1, 4), 1.0)]))
    assert micro_operators.registrations(content) == ["AddMul()"]


def test_an_unknown_operator_is_an_error(micro_stream, monkeypatch):
    monkeypatch.delitem(micro_operators.METHODS, "TRANSPOSE")
    with pytest.raises(ConversionError, match="TRANSPOSE: no method of the resolver"):
        micro_operators.registrations(model_file.read(micro_stream)[1])
