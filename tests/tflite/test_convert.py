import numpy as np
import pytest
import tensorflow as tf

from kws_tf.errors import ConversionError
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.convert import convert_classifier, name_tensors, quantise_calibrated


def interpreted(content, clips, reference=False):
    """Logits of a file for float features, one clip at a time."""
    resolver = tf.lite.experimental.OpResolverType
    interpreter = tf.lite.Interpreter(model_content=content,
                                      experimental_op_resolver_type=resolver.BUILTIN_REF if reference else resolver.AUTO)
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    logits = []
    for clip in clips:
        scale, zero_point = source["quantization"]
        stored = np.clip(np.round(clip / scale) + zero_point, -128, 127) if scale else clip
        interpreter.set_tensor(source["index"], stored[None].astype(source["dtype"]))
        interpreter.invoke()
        scale, zero_point = target["quantization"]
        values = interpreter.get_tensor(target["index"])[0].astype(np.float32)
        logits.append((values - zero_point) * scale if scale else values)
    return np.array(logits)


@pytest.fixture(scope="module")
def expected(small_network):
    return np.array(small_network.model(small_network.features, training=False))


def test_float32_equals_keras(exported, small_network, expected):
    content = (exported / "float32" / "model.tflite").read_bytes()
    assert expected.std(axis=0).min() > 1  # a constant network would prove nothing
    np.testing.assert_allclose(interpreted(content, small_network.features), expected, atol=1e-5 * np.abs(expected).max())


def test_int8_is_close_to_keras(exported, small_network, expected):
    content = (exported / "features" / "model.tflite").read_bytes()
    found = interpreted(content, small_network.features, reference=True)
    noise = np.mean((found - expected) ** 2) / np.mean(np.var(expected, axis=0))
    assert -10 * np.log10(noise) > 24
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95


def test_int8_is_better_than_the_quantisation_of_the_converter(exported, small_network, expected):
    from kws_tf.tflite.freeze import freeze

    frozen = freeze(small_network.model, small_network.features.shape[1:])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([clip[None]] for clip in small_network.features)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with pytest.warns(UserWarning, match="Statistics for quantized inputs"):
        theirs = interpreted(converter.convert(), small_network.features, reference=True)
    ours = interpreted((exported / "features" / "model.tflite").read_bytes(), small_network.features, reference=True)
    assert np.mean((ours - expected) ** 2) < np.mean((theirs - expected) ** 2)


def test_no_needless_operators_and_integers_only(exported):
    floats = flatbuffer.read((exported / "float32" / "model.tflite").read_bytes())
    integers = flatbuffer.read((exported / "features" / "model.tflite").read_bytes())
    expected = {"ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "LOGISTIC", "MEAN", "MUL", "PAD"}
    assert {node.operator for node in floats.nodes} == expected
    added = {"CONCATENATION", "RESHAPE", "TRANSPOSE"}
    assert {node.operator for node in integers.nodes} == expected - {"ADD", "AVERAGE_POOL_2D", "FULLY_CONNECTED"} | added
    assert {tensor.dtype for tensor in integers.tensors()} == {"int8", "int32"}
    assert all(tensor.shape[0] == 1 for tensor in integers.tensors() if tensor.data is None)


def test_tensors_are_named(exported):
    graph = flatbuffer.read((exported / "features" / "model.tflite").read_bytes())
    assert (graph.inputs[0].name, graph.outputs[0].name) == ("features", "logits")
    names = [tensor.name for tensor in graph.tensors() if tensor.data is None]
    assert len(set(names)) == len(names) and "stage1_block0/frequency_mean/AvgPool" in names
    assert not any("bc_resnet" in name or ";" in name for name in names)


def test_input_range_is_kept(float_graph, small_network):
    source = quantise_calibrated(float_graph, small_network.features[:4], input_range=(-20.0, 30.0)).inputs[0].spec
    assert source.scale * (-128 - source.zero_point) == pytest.approx(-20, abs=source.scale)
    assert source.scale * (127 - source.zero_point) == pytest.approx(30, abs=source.scale)


@pytest.mark.parametrize("calibration, dtype, message", [
    (np.zeros((0, 48, 20, 1), np.float32), "int8", "at least one clip; received shape"),
    (np.zeros((3, 48, 19, 1), np.float32), "int8", r"received shape \[3, 48, 19, 1\]"),
    (np.full((3, 48, 20, 1), np.nan, np.float32), "int8", "expected finite"),
    (None, "int8", "received shape"),
    (None, "int4", "dtype must be one of float32, int8; received 'int4'"),
])
def test_refuses_calibration_that_says_nothing(small_network, calibration, dtype, message):
    with pytest.raises(ConversionError, match=message):
        convert_classifier(small_network.model, calibration, dtype, input_shape=(48, 20, 1))


def test_needs_a_shape(small_network):
    with pytest.raises(ConversionError, match="needs calibration clips or an input_shape"):
        convert_classifier(small_network.model, None, "float32")


def test_names_stay_unique_when_shortened(float_graph):
    for tensor in float_graph.tensors():
        tensor.name = "bc_resnet_1/same_1/Relu"
    name_tensors(float_graph, "bc_resnet")
    names = [tensor.name for tensor in float_graph.tensors() if tensor.data is None]
    assert len(set(names)) == len(names)
