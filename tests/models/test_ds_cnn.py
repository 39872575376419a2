import keras
import numpy as np
import pytest

from kws_tf import models
from kws_tf.config import FEATURE_PRESETS, ModelConfig
from kws_tf.errors import ConfigError
from kws_tf.models import summary
from kws_tf.models.ds_cnn import DSCNN
from kws_tf.tflite import convert_classifier, operators

FEATURES = FEATURE_PRESETS["mlperf_tiny"]


def network(n_classes=12, n_frames=49, seed=1, **settings):
    return models.build(ModelConfig(model="ds_cnn", **settings), FEATURES, n_classes, n_frames, seed=seed)


def clips(n=2, n_frames=49, n_features=10, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_frames, n_features, 1)).astype(np.float32)


def test_counts_of_the_reference():
    model = network()
    assert model.count_params() == 24_908
    assert summary.totals(summary.layer_costs(model, n_frames=49)) == {"parameters": 23_756, "macs": 2_656_768, "thop": 2_952_832}


def test_counts_of_another_width():
    total = summary.totals(summary.layer_costs(network(channels=8, n_classes=3), n_frames=49))
    assert total["parameters"] == (40 + 1 + 2) * 8 + 4 * (8 * (9 + 1 + 2) + 8 * (8 + 1 + 2)) + 3 * 9
    assert total["macs"] == 125 * (40 * 8 + 4 * (9 * 8 + 64)) + 24


def reference(model, n_frames, n_features):
    """The layers of the MLPerf Tiny reference with TensorFlow's own padding and the weights of a DSCNN: features -> feature map."""
    layers = keras.layers
    twins = [(layers.Conv2D(model.channels, (10, 4), strides=2, padding="same"), model.first_conv),
             (layers.BatchNormalization(epsilon=1e-3), model.first_norm), (layers.ReLU(), None)]
    for block in model.blocks:
        twins += [(layers.DepthwiseConv2D(3, padding="same"), block.depthwise_conv),
                  (layers.BatchNormalization(epsilon=1e-3), block.depthwise_norm), (layers.ReLU(), None),
                  (layers.Conv2D(model.channels, 1), block.pointwise_conv),
                  (layers.BatchNormalization(epsilon=1e-3), block.pointwise_norm), (layers.ReLU(), None)]
    made = keras.Sequential([keras.Input((n_frames, n_features, 1)), *(layer for layer, _ in twins)])
    for layer, source in twins:
        if source is not None:
            layer.set_weights(source.get_weights())
    return made


@pytest.mark.parametrize("n_frames", [49, 50])
@pytest.mark.parametrize("n_features", [10, 40])
def test_symmetric_padding_computes_the_reference(n_frames, n_features):
    random = np.random.default_rng(2)
    features = FEATURE_PRESETS["mlperf_tiny" if n_features == 10 else "bc_resnet"]
    model = models.build(ModelConfig(model="ds_cnn", channels=6, padding="symmetric"), features, 3, n_frames, seed=1)
    for weight in model.weights:
        if "kernel" not in weight.name:
            weight.assign(weight + random.uniform(0, 0.5, weight.shape))
    x = clips(3, n_frames, n_features)
    expected = np.array(reference(model, n_frames, n_features)(x))
    assert expected.shape == (3, 25, n_features // 2, 6)
    np.testing.assert_allclose(model.frame_embeddings(x), expected.mean(axis=2), rtol=1e-5, atol=1e-5)
    logits = expected.mean(axis=(1, 2)) @ np.array(model.classifier.kernel) + np.array(model.classifier.bias)
    np.testing.assert_allclose(model(x), logits, rtol=1e-5, atol=1e-5)


def frames_that_reach(model, frame, n_frames):
    """Input frames that change one frame of the output when they change."""
    x = clips(1, n_frames)
    changed = np.repeat(x, n_frames, axis=0)
    changed[np.arange(n_frames), np.arange(n_frames)] += 100.0
    embeddings = np.array(model.frame_embeddings(changed))[:, frame]
    return np.flatnonzero(np.abs(embeddings - np.array(model.frame_embeddings(x))[0, frame]).max(axis=1))


@pytest.mark.parametrize("padding, first, last", [("causal", 60 - 25, 60), ("symmetric", 60 - 12, 60 + 13)])
def test_output_frame_30_sees_the_stated_frames(padding, first, last):
    seen = frames_that_reach(network(n_frames=None, padding=padding), frame=30, n_frames=90)
    assert (seen[0], seen[-1]) == (first, last)


@pytest.mark.parametrize("padding", ["causal", "symmetric"])
@pytest.mark.parametrize("n_frames", [1, 2, 49, 50])
def test_half_of_the_frames_come_out(padding, n_frames):
    model, x = network(n_frames=None, padding=padding), clips(n_frames=n_frames)
    assert model.frame_embeddings(x).shape == (2, -(-n_frames // 2), 64)
    assert model(x).shape == (2, 12)


@pytest.mark.parametrize("n_features, rows", [(2, 1), (13, 6), (40, 20)])
def test_every_row_of_other_features_is_used(n_features, rows):
    model = DSCNN(n_classes=3, n_features=n_features, channels=16, seed=1)
    model.build((None, 20, n_features, 1))
    x = clips(1, 20, n_features)
    changed = np.repeat(x, n_features, axis=0)
    changed[np.arange(n_features), :, np.arange(n_features)] += 100.0
    assert (np.abs(np.array(model(changed)) - np.array(model(x))).max(axis=1) > 0).all()
    assert [after[2] for layer, _, after in model.layer_shapes((1, 20, n_features, 1)) if layer.name == "first_conv"] == [rows]


def test_dropout_in_training_alone():
    model = network()
    assert (model.first_dropout.rate, model.last_dropout.rate) == (0.2, 0.4)
    x = clips()
    np.testing.assert_array_equal(model(x), model(x))
    kept = np.array(model.last_dropout(np.ones((4, 25, 5, 64), np.float32), training=True))
    assert abs((kept == 0).mean() - 0.4) < 0.02


def test_learns_a_batch_by_heart():
    keras.utils.set_random_seed(1)
    model, x, labels = network(n_classes=3, channels=16), clips(n=6), np.array([0, 1, 2, 0, 1, 2])
    model.compile(keras.optimizers.SGD(0.2), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    losses = [model.train_on_batch(x, labels) for _ in range(25)]
    assert losses[-1] < 0.6 * losses[0]


def test_seed_fixes_the_weights():
    first, same, other = network(seed=1), network(seed=1), network(seed=2)
    for a, b in zip(first.trainable_variables, same.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = [np.array(block.pointwise_conv.kernel) for block in (*first.blocks, *other.blocks)]
    assert all(np.abs(a - b).max() > 0.01 for a, b in zip(kernels, kernels[1:], strict=False))


def test_save_and_load(tmp_path):
    model, x = network(channels=8, padding="symmetric"), clips()
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, DSCNN) and loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded(x), model(x))
    model.save_weights(tmp_path / "model.weights.h5")
    twin = network(channels=8, padding="symmetric", seed=5)
    twin.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(twin(x), model(x))


def test_graph_has_few_operators_and_the_networks_macs():
    model, x = network(channels=8), clips(n=4)
    counts = operators.count(convert_classifier(model, x, dtype="float32"))
    assert {count.name: count.count for count in counts} == {"PAD": 5, "CONV_2D": 5, "DEPTHWISE_CONV_2D": 4, "MEAN": 1,
                                                             "FULLY_CONNECTED": 1}
    assert sum(count.macs for count in counts) == summary.totals(summary.layer_costs(model, n_frames=49))["macs"]


@pytest.mark.parametrize("shape", [(None, 49, 13, 1), (None, 49, 10, 2), (None, 49, 10)])
def test_refuses_another_input(shape):
    with pytest.raises(ConfigError, match=r"DSCNN: expected features \[batch, time, 10, 1\]"):
        DSCNN(n_classes=3, n_features=10).build(shape)


def test_refuses_a_size_that_cannot_be():
    with pytest.raises(ConfigError, match="channels must be a whole number, at least 1; received 0"):
        DSCNN(n_classes=3, n_features=10, channels=0)
    with pytest.raises(ConfigError, match="needs at least 2 of the features; received 1"):
        DSCNN(n_classes=3, n_features=1)
