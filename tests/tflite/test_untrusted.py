import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ModelFileError
from kws_tf.tflite import flatbuffer, untrusted
from kws_tf.tflite.graph import TfliteGraph


@pytest.fixture
def content():
    graph = TfliteGraph()
    x = graph.input("x", (1, 16), 1.0)
    return flatbuffer.write(graph.finish([x], [graph.absolute(x)]))


def packed(content, change):
    import flatbuffers

    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_good_file_is_parsed(content):
    model = untrusted.parse(content)
    assert untrusted.operator_name(model.operatorCodes[0]) == "ABS"
    assert [untrusted.text(tensor.name) for tensor in model.subgraphs[0].tensors][0] == "x"


def set_tensor(model):
    model.subgraphs[0].operators[0].inputs = np.array([7], np.int32)


def set_output(model):
    model.subgraphs[0].outputs = np.array([-1], np.int32)


def set_code(model):
    model.subgraphs[0].operators[0].opcodeIndex = 4


def set_buffer(model):
    model.subgraphs[0].tensors[0].buffer = 99


def set_type(model):
    model.subgraphs[0].tensors[0].type = 77


def set_builtin(model):
    model.operatorCodes[0].builtinCode = 9999


def drop_graphs(model):
    model.subgraphs = []


def name_without_its_options(model):
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.VAR_HANDLE
    model.operatorCodes[0].deprecatedBuiltinCode = 127


def call_with_other_options(model):
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.CALL_ONCE
    model.operatorCodes[0].deprecatedBuiltinCode = 127
    model.subgraphs[0].operators[0].builtinOptions = None


@pytest.mark.parametrize(("change", "message"), [
    (set_tensor, "tensor 7 of 2 is referred to"), (set_output, "tensor -1 of 2"), (set_code, "operator code 4 is not defined"),
    (set_buffer, "buffer 99 of"), (set_type, "tensor type 77 is unknown"), (set_builtin, "operator 9999 is unknown"),
    (drop_graphs, "it holds no graph"), (name_without_its_options, "an operator VAR_HANDLE has no options of its kind"),
    (call_with_other_options, "an operator CALL_ONCE has no options of its kind"),
])
def test_references_to_nothing_are_found(content, change, message):
    with pytest.raises(ModelFileError, match=f"m.tflite: a damaged TFLite file .*{message}.*Copy or export it again"):
        untrusted.parse(packed(content, change), "m.tflite")


def test_every_cut_is_an_error(content):
    for size in range(0, len(content), 7):
        with pytest.raises(ModelFileError):
            untrusted.parse(content[:size])
