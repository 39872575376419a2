"""PCM in, logits out, in one file: the parts alone and together, in every interpreter."""

import dataclasses

import numpy as np
import pytest

from kws_tf.config import FeatureConfig
from kws_tf.errors import ConversionError
from kws_tf.front_end import IntegerFeatures
from kws_tf.manifest import TensorSpec
from kws_tf.runtime.interpreter import KERNELS, available, open_interpreter
from kws_tf.tflite import convert_classifier, flatbuffer, micro
from kws_tf.tflite.merge import classifier_input, merge, saturates_at_floor

INTERPRETERS = [name for name in available() if name != "tensorflow"]
MFCC = FeatureConfig(kind="mfcc", n_mels=20, n_mfcc=10)


@pytest.fixture(scope="module")
def classifier(small_network, tone_clips):
    """int8 classifier of the small network, calibrated with the integer features."""
    features = small_network.config.features
    front_end = IntegerFeatures(features)
    calibration = (front_end(tone_clips[0]) * front_end.scale)[..., None].astype(np.float32)
    return convert_classifier(small_network.model, calibration, input_range=(float(np.log(features.log_floor)), 0.0))


@pytest.fixture(scope="module")
def merged(small_network, tone_clips, classifier):
    return flatbuffer.write(merge(small_network.config.features, tone_clips[0].shape[1], classifier))


def run(content, inputs, interpreter, kernels):
    _, opened = open_interpreter(content, interpreter=interpreter, kernels=kernels)
    results = []
    for values in inputs:
        opened.set_tensor(opened.get_input_details()[0]["index"], values)
        opened.invoke()
        results.append(opened.get_tensor(opened.get_output_details()[0]["index"]).copy())
    return np.concatenate(results)


def input_spec(content):
    return flatbuffer.read(content).inputs[0].spec


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("kernels", KERNELS)
def test_the_classifier_sees_the_integers_of_the_twin(small_network, tone_clips, classifier, merged, interpreter, kernels):
    features = classifier_input(small_network.config.features, tone_clips[0], input_spec(classifier))[:, None, :, :, None]
    alone = run(classifier, features, interpreter, kernels)
    together = run(merged, tone_clips[0][:, None], interpreter, kernels)
    np.testing.assert_array_equal(together, alone)
    assert len({row.tobytes() for row in together}) > len(together) / 2


@pytest.mark.skipif(bool(micro.unavailable()), reason=micro.unavailable())
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_reference_kernels_and_tflite_micro_give_the_same_logits(tone_clips, merged, interpreter):
    opened = micro.MicroInterpreter(merged)
    expected = np.concatenate([opened(clip[None]) for clip in tone_clips[0]])
    np.testing.assert_array_equal(run(merged, tone_clips[0][:, None], interpreter, "reference"), expected)


def test_the_merged_file_agrees_with_the_float_network(small_network, tone_clips, merged):
    logits = run(merged, tone_clips[0][:, None], INTERPRETERS[0], "reference")
    expected = small_network.model(small_network.features).numpy()
    assert np.mean(logits.argmax(1) == expected.argmax(1)) >= 0.95
    assert np.mean(expected.argmax(1) == small_network.labels) > 0.9


def test_every_tensor_is_an_integer(merged):
    graph = flatbuffer.read(merged)
    assert {tensor.dtype for tensor in graph.tensors()} <= {"int8", "int16", "int32", "int64"}
    assert (graph.inputs[0].name, graph.inputs[0].dtype) == ("pcm", "int16")
    assert graph.outputs[0].dtype == "int8"


def test_the_classifier_is_not_changed(small_network, tone_clips, classifier):
    graph = flatbuffer.read(classifier)
    merge(small_network.config.features, tone_clips[0].shape[1], graph)
    assert flatbuffer.write(graph) == flatbuffer.write(flatbuffer.read(classifier))


@pytest.mark.parametrize(("low", "left_out"), [(np.log(1e-6), True), (np.log(1e-6) - 2.0, False)])
def test_the_floor_is_left_out_only_where_the_input_saturates_at_it(low, left_out):
    features = FeatureConfig(n_mels=20)
    scale = (8.0 - low) / 255
    spec = TensorSpec("features", (1, 48, 20, 1), "int8", float(np.float32(scale)), round(-128 - low / scale))
    assert saturates_at_floor(features, spec) == left_out
    assert not saturates_at_floor(MFCC, spec)
    if left_out:
        quiet = np.random.default_rng(1).integers(-2, 3, 8000).astype(np.int16)
        without = IntegerFeatures(features, floor=False)
        from kws_tf.front_end.fixed_point import quantise_int8

        assert (without(quiet) < round(np.log(1e-6) / without.scale)).any()
        np.testing.assert_array_equal(quantise_int8(without(quiet), without.scale, spec.scale, spec.zero_point),
                                      classifier_input(features, quiet, spec))


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_mfcc_into_a_classifier(tone_clips, interpreter):
    import keras

    front_end = IntegerFeatures(MFCC)
    calibration = (front_end(tone_clips[0]) * front_end.scale)[..., None].astype(np.float32)
    model = keras.Sequential([keras.Input(calibration.shape[1:]), keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
                              keras.layers.Flatten(), keras.layers.Dense(3)])
    content = convert_classifier(model, calibration)
    merged = flatbuffer.write(merge(MFCC, tone_clips[0].shape[1], content))
    features = classifier_input(MFCC, tone_clips[0], input_spec(content))[:, None, :, :, None]
    np.testing.assert_array_equal(run(merged, tone_clips[0][:, None], interpreter, "reference"),
                                  run(content, features, interpreter, "reference"))


def test_a_classifier_of_other_features_is_refused(classifier, small_network):
    features = small_network.config.features
    with pytest.raises(ConversionError, match=r"int8 input \[1, 98, 20, 1\].*is int8 \[1, 48, 20, 1\]"):
        merge(features, 16000, classifier)
    with pytest.raises(ConversionError, match=r"\[1, 48, 40, 1\]"):
        merge(dataclasses.replace(features, n_mels=40), 8000, classifier)


def test_a_float_classifier_is_refused(small_network):
    content = convert_classifier(small_network.model, None, "float32", input_shape=small_network.features.shape[1:])
    with pytest.raises(ConversionError, match="is float32"):
        merge(small_network.config.features, 8000, content)
