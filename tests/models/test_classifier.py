"""The ArcFace head on every network: counts, training layout, streaming and the integer graph."""

import keras
import numpy as np
import pytest

from kws_tf import models
from kws_tf.config import FeatureConfig, ModelConfig
from kws_tf.errors import ConfigError, ModelFileError
from kws_tf.layers import CosineClassifier
from kws_tf.models import summary, torch_weights
from kws_tf.models.batch_innermost import batch_innermost
from kws_tf.runtime.interpreter import open_interpreter
from kws_tf.streaming import StreamingModel
from kws_tf.tflite import convert_classifier, flatbuffer, micro

FRAMES = 24


def build(name, **settings):
    return models.build(ModelConfig(model=name, arcface=True, **settings), FeatureConfig(n_mels=20), 5, FRAMES, seed=1)


def clips(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, FRAMES, 20, 1)).astype(np.float32)


@pytest.mark.parametrize("name", models.MODELS)
def test_scores_are_cosines_of_the_mean_embedding(name):
    network, x = build(name, arcface_scale=12.0), clips(3)
    for _ in range(3):
        network(x, training=True)
    head = network.classifier
    embedding = np.mean(np.array(network.frame_embeddings(x), np.float64), axis=1)
    prototypes = np.array(network.classifier.kernel, np.float64)
    embedding = (embedding - np.array(head.moving_mean)) / np.sqrt(np.array(head.moving_variance) + 1e-3)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    np.testing.assert_allclose(network(x), 12 * embedding @ (prototypes / np.linalg.norm(prototypes, axis=0)), atol=1e-4)
    twin = type(network).from_config(network.get_config())
    twin.build((None, FRAMES, 20, 1))
    twin.set_weights(network.get_weights())
    np.testing.assert_array_equal(twin(x), network(x))


@pytest.mark.parametrize("name", models.MODELS)
def test_costs_are_those_of_the_linear_head_without_its_bias(name):
    network = build(name)
    linear = models.build(ModelConfig(model=name), FeatureConfig(n_mels=20), 5, FRAMES, seed=1)
    costs, others = (summary.layer_costs(each, FRAMES) for each in (network, linear))
    assert costs[-1].kind == "CosineClassifier" and costs[-1].macs == others[-1].macs
    assert summary.totals(costs)["parameters"] == summary.totals(others)["parameters"] - 5
    assert summary.totals(costs)["macs"] == summary.totals(others)["macs"]


def test_batch_innermost_computes_the_same():
    network, x = build("bc_resnet", dropout=0.0), clips(4)
    forward = batch_innermost(network)
    np.testing.assert_allclose(forward(x), network(x), atol=1e-4)
    np.testing.assert_allclose(forward(x, training=True), network(x, training=True), atol=1e-4)


@pytest.mark.parametrize("padding", ["causal", "symmetric"])
def test_streams_with_the_mean_ahead_of_the_normalisation(padding):
    stream = StreamingModel(build("sparknet", padding=padding), window_frames=FRAMES)
    assert stream.difference(clips(2, seed=5), 3) < 1e-5
    ring = next(tensor for tensor in stream.state if tensor.name == "average/values")
    assert ring.shape[0] == FRAMES and np.prod(ring.shape[1:]) == 32


def test_integer_graph_is_the_same_in_every_interpreter_and_close_to_float():
    network, x = build("sparknet"), clips(32, seed=2)
    for _ in range(20):
        network(x, training=True)
    graph = flatbuffer.read(content := convert_classifier(network, x))
    assert [node.operator for node in graph.nodes][-5:] == ["MEAN", "CONV_2D", "L2_NORMALIZATION", "CONV_2D", "RESHAPE"]
    weights, logits = graph.nodes[-2].inputs[1], graph.outputs[0]
    # Grids that hold any further unit vector and any cosine.
    assert weights.scales == pytest.approx([30 / 127], rel=1e-3) and logits.scales == pytest.approx([60 / 255], rel=1e-3)
    interpreters = [open_interpreter(content, kernels=kernels)[1] for kernels in ("reference", "optimised")]
    spec, results = graph.inputs[0].spec, []
    stored = np.clip(np.rint(x / spec.scale) + spec.zero_point, -128, 127).astype(np.int8)[:, None]
    for opened in interpreters:
        results.append([])
        for clip in stored:
            opened.set_tensor(opened.get_input_details()[0]["index"], clip)
            opened.invoke()
            results[-1].append(opened.get_tensor(opened.get_output_details()[0]["index"])[0])
    expected = np.array(network(x))
    for result in results:
        error = (np.array(result, np.float64) - logits.zero_points) * logits.scales - expected
        assert np.sqrt(np.mean(error**2)) < 0.2
    if not micro.unavailable():
        tiny = micro.MicroInterpreter(content)
        np.testing.assert_array_equal([tiny(clip)[0] for clip in stored], results[0])


def test_loads_no_linear_classifier_of_the_published_weights():
    with pytest.raises(ModelFileError, match="linear classifier; build without --arcface"):
        torch_weights.load(build("bc_resnet"), {})


def test_margin_and_scale_without_the_head_are_refused():
    with pytest.raises(ConfigError, match="arcface_margin=0.3 is given, but there is no ArcFace head; add --arcface"):
        ModelConfig(arcface_margin=0.3)
    with pytest.raises(ConfigError, match="arcface_scale must be above 0"):
        ModelConfig(arcface=True, arcface_scale=0.0)


def test_linear_head_stays_linear():
    network = models.build(ModelConfig(), FeatureConfig(), 5, FRAMES, seed=1)
    assert isinstance(network.classifier, keras.layers.Dense) and not isinstance(network.classifier, CosineClassifier)
