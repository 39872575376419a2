import dataclasses
import pathlib

import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError, ModelFileError
from kws_tf.tflite import flatbuffer, lint
from kws_tf.tflite.flatbuffer import Node, Tensor
from kws_tf.tflite.profiles import PROFILES


@pytest.fixture
def content(exported):
    return (exported / "pi" / "model.tflite").read_bytes()


def rules_broken(content, profile="pi"):
    return {finding.rule for finding in lint.lint(content, PROFILES[profile])}


def changed(content, change):
    graph = flatbuffer.read(content)
    change(graph)
    return flatbuffer.write(graph)


@pytest.mark.parametrize(("folder", "profile"), [("pi", "pi"), ("pi", "tflm"), ("features", "features"), ("float32", "float32")])
def test_exports_are_clean(exported, folder, profile):
    assert lint.lint((exported / folder / "model.tflite").read_bytes(), PROFILES[profile]) == []


@pytest.mark.parametrize(("folder", "profile", "rules"), [
    ("float32", "features", {"types at the border", "integers alone", "operators"}),
    ("features", "pi", {"types at the border"}),
    ("pi", "float32", {"types at the border"}),
])
def test_a_file_of_another_profile(exported, folder, profile, rules):
    assert rules_broken((exported / folder / "model.tflite").read_bytes(), profile) == rules


def test_a_file_for_other_devices_is_none_for_esphome(exported):
    found = lint.lint((exported / "features" / "model.tflite").read_bytes(), PROFILES["esphome"])
    assert {finding.rule for finding in found} == {"types at the border", "operators"}
    messages = "\n".join(map(str, found))
    for expected in ("int8 [1, 48, 20, 1]; int8 [1, frames, 40] with 1 to 10 frames is expected", "have 26/255 and -128",
                     "the probability is uint8 [1, 1] with 1/256 and 0", "operator TRANSPOSE: profile esphome has no such operator"):
        assert expected in messages, expected


def test_files_that_esphome_devices_run_keep_every_rule_but_ours_of_alignment():
    package = pytest.importorskip("pymicro_wakeword", reason="pymicro-wakeword is not installed")
    paths = sorted((pathlib.Path(package.__file__).parent / "models").glob("*.tflite"))
    assert len(paths) >= 4
    for path in paths:
        assert rules_broken(path.read_bytes(), "esphome") == {"constants"}


def test_a_matrix_product_is_for_one_runtime_alone():
    x, y = (Tensor(name, (1, 4), "int8", None, np.float32([0.5]), np.int64([0])) for name in "xy")
    weights = Tensor("w", (4, 4), "int8", np.eye(4, dtype=np.int8), np.float32([1]), np.int64([0]))
    bias = Tensor("b", (4,), "int32", np.arange(4, dtype=np.int32), np.float32([0.5]), np.int64([0]))
    product = Node("FULLY_CONNECTED", [x, weights, bias], [y], schema.FullyConnectedOptionsT(), 4)
    content = flatbuffer.write(flatbuffer.Graph([product], [x], [y]))
    found = {name: [str(finding) for finding in lint.lint(content, PROFILES[name]) if finding.rule == "operators"]
             for name in ("features", "esphome")}
    assert found["esphome"] == [] and "FULLY_CONNECTED" in found["features"][0] and "no integer form" in found["features"][0]


def last_bias(graph):
    return next(node for node in reversed(graph.nodes) if node.operator == "CONV_2D").inputs[2]


def set_bias(graph):
    node = next(node for node in graph.nodes if node.operator == "CONV_2D" and node.inputs[2].dtype == "int64")
    bias = node.inputs[2]
    node.inputs[2] = Tensor(bias.name, bias.shape, "int32", bias.data.astype(np.int32), bias.scales, bias.zero_points)


def set_version(graph):
    graph.nodes[-1].version = 99


def set_operator(graph):
    output = graph.outputs[0]
    middle = Tensor("tanh", output.shape, "int16", None, np.array([1 / 32768], np.float32), np.array([0]))
    wide = Tensor("wide", output.shape, "int16", None, np.array([1e-3], np.float32), np.array([0]))
    graph.nodes += [Node("QUANTIZE", [output], [wide], schema.QuantizeOptionsT(), 2), Node("TANH", [wide], [middle], None, 3)]


def set_parts(graph):
    output = graph.outputs[0]
    joined = Tensor("joined", (1, 11 * output.shape[1]), output.dtype, None, output.scales, output.zero_points)
    graph.nodes.append(Node("CONCATENATION", [output] * 11, [joined], schema.ConcatenationOptionsT(), 1))
    graph.nodes[-1].options.axis = 1


def set_batch(graph):
    graph.inputs[0].shape = (2, *graph.inputs[0].shape[1:])


def set_empty_shape(graph):
    graph.nodes[0].output.shape = (1, 0)


def set_scales(graph):
    graph.nodes[3].output.scales = np.array([0.1, 0.2], np.float32)


def set_zero_point(graph):
    tensor = next(node.output for node in graph.nodes if node.output.dtype == "int16")
    tensor.zero_points = np.array([3])


@pytest.mark.parametrize(("change", "rule"), [
    (set_bias, "quantisation"), (set_version, "operators"), (set_operator, "operators"), (set_batch, "batch 1"),
    (set_empty_shape, "static shapes"), (set_scales, "quantisation"), (set_parts, "parts"), (set_zero_point, "quantisation"),
])
def test_each_violation_is_found(content, change, rule):
    assert rules_broken(changed(content, change)) == {rule}


def raw_change(content, change):
    """Changes the object tree itself: things that flatbuffer.write cannot express."""
    import flatbuffers

    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    change(model)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_dynamic_shape_is_found(content):
    def change(model):
        model.subgraphs[0].tensors[0].shapeSignature = np.array([-1, 8000], np.int32)
    assert "static shapes" in rules_broken(raw_change(content, change))


def test_a_second_graph_is_found(content):
    def change(model):
        model.subgraphs.append(model.subgraphs[0])
    assert "subgraphs" in rules_broken(raw_change(content, change))


def test_a_custom_operator_is_found(content):
    def change(model):
        model.operatorCodes[0].builtinCode = schema.BuiltinOperator.CUSTOM
        model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    assert "operators" in rules_broken(raw_change(content, change))


def test_unaligned_and_cut_constants_are_found(content):
    # the generated writer forgets the alignment that the schema demands
    assert rules_broken(raw_change(content, lambda model: None)) == {"constants"}

    def change(model):
        buffer = max(model.buffers, key=lambda entry: 0 if entry.data is None else len(entry.data))
        buffer.data = buffer.data[:-1]
    found = lint.lint(raw_change(content, change), PROFILES["pi"])
    assert any("takes" in finding.message for finding in found)


def test_size_and_variables_are_limits_of_the_profile(content):
    small = dataclasses.replace(PROFILES["tflm"], largest_bytes=1000)
    assert [finding.rule for finding in lint.lint(content, small)] == ["size"]


def test_require_clean_names_every_finding(content):
    with pytest.raises(ConversionError, match=r"m.tflite: 1 finding by the rules of profile tflm:\nsize: file: \d+ bytes; at most 1000"):
        lint.require_clean(content, dataclasses.replace(PROFILES["tflm"], largest_bytes=1000), "m.tflite")


def test_garbage_gives_an_error_of_ours_and_nothing_else(content):
    random = np.random.default_rng(2)
    for trial in range(60):
        damaged = bytearray(content)
        if trial % 3 == 0:
            damaged = damaged[:random.integers(0, len(damaged))]
        else:
            # most of the graph is at the ends of the file
            places = random.integers(8, 4000, 8) if trial % 3 == 1 else len(damaged) - random.integers(1, 4000, 8)
            for place in places:
                damaged[place] = random.integers(256)
        try:
            lint.lint(bytes(damaged), PROFILES["pi"])
        except ModelFileError as error:
            assert len(str(error)) < 300


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\0\0\0\0TFL3" + bytes(100), b"\xff" * 4 + b"TFL3" + b"\xff" * 200, b"hello" * 50])
def test_no_tflite_file_at_all(content):
    with pytest.raises(ModelFileError):
        lint.lint(content, PROFILES["pi"])
