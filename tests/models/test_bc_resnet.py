import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kws_tf import models
from kws_tf.config import FeatureConfig, ModelConfig
from kws_tf.errors import ConfigError
from kws_tf.layers import SubSpectralNormalization
from kws_tf.models.bc_resnet import BCResBlock, BCResNet, resolve_ssn_groups, stage_heights, widths

ROOT = pathlib.Path(__file__).parents[2]


def network(n_classes=3, n_mels=40, n_frames=21, seed=1, **settings):
    return models.build(ModelConfig(**settings), FeatureConfig(n_mels=n_mels), n_classes, n_frames, seed=seed)


def clips(n_mels=40, n_frames=21, n=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_frames, n_mels, 1)).astype(np.float32)


def n_parameters(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.mark.parametrize("tau, channels", [
    (0.625, (10, 5, 7, 10, 12, 20)),
    (1, (16, 8, 12, 16, 20, 32)),
    (1.5, (24, 12, 18, 24, 30, 48)),
    (8, (128, 64, 96, 128, 160, 256)),
])
def test_widths(tau, channels):
    """The published parameter counts of all seven widths are in test_summary.py, with the operations."""
    assert widths(tau) == channels


def test_parameters_of_other_settings():
    assert n_parameters(network(n_classes=12, ssn_groups="0")) == 7760
    assert n_parameters(network(n_classes=3)) == 8935
    assert n_parameters(network(n_classes=12, n_mels=80)) == 9232


@pytest.mark.parametrize("n_features, heights, auto, five_fits", [
    (80, (40, 40, 20, 10, 10), (5, 5, 5, 5), True),
    (64, (32, 32, 16, 8, 8), (4, 4, 4, 4), False),
    (40, (20, 20, 10, 5, 5), (5, 5, 5, 5), True),
    (32, (16, 16, 8, 4, 4), (4, 4, 4, 4), False),
    (20, (10, 10, 5, 3, 3), (5, 5, 3, 3), False),
    (13, (7, 7, 4, 2, 2), (1, 4, 2, 2), False),
])
def test_heights_and_sub_bands(n_features, heights, auto, five_fits):
    assert stage_heights(n_features) == heights
    assert resolve_ssn_groups("auto", n_features) == auto
    assert resolve_ssn_groups("0", n_features) == (0, 0, 0, 0)
    if five_fits:
        assert resolve_ssn_groups("5", n_features) == (5, 5, 5, 5)
    else:
        with pytest.raises(ConfigError, match="cannot be cut into 5 equal sub-bands"):
            resolve_ssn_groups("5", n_features)


def test_error_of_unfit_sub_bands_names_stage_height_and_legal_values():
    with pytest.raises(ConfigError) as caught:
        network(n_mels=32, ssn_groups="5")
    message = str(caught.value)
    assert "16 frequency rows cannot be cut into 5 equal sub-bands (stage 0)" in message
    assert "auto, 0 and 1, 2, 4" in message and "--ssn_groups" in message
    for legal in ("auto", "0", "1", "2", "4"):
        network(n_mels=32, ssn_groups=legal)


@pytest.mark.parametrize("n_mels, padding", [(1, "causal"), (2, "symmetric"), (13, "causal"), (80, "symmetric")])
def test_any_height_and_any_length(n_mels, padding):
    model = network(n_mels=n_mels, n_frames=None, padding=padding)
    for n_frames in (1, 30):
        assert model(clips(n_mels, n_frames)).shape == (2, 3)
        assert model.frame_embeddings(clips(n_mels, n_frames)).shape == (2, n_frames, 32)


def test_smallest_width():
    assert network(tau=0.125)(clips()).shape == (2, 3)


def test_logits_are_the_classifier_of_the_mean_embedding():
    model, x = network(n_mels=80), clips(80)
    mean = np.mean(model.frame_embeddings(x), axis=1)
    np.testing.assert_allclose(model(x), mean @ np.array(model.classifier.kernel) + np.array(model.classifier.bias), atol=1e-6)


def frames_that_reach(model, frame, n_frames):
    """Input frames with a gradient from one frame's embedding."""
    x = tf.Variable(clips(n_frames=n_frames, n=1))
    with tf.GradientTape() as tape:
        embedding = tf.reduce_sum(model.frame_embeddings(x)[:, frame] ** 2)
    return np.flatnonzero(np.abs(tape.gradient(embedding, x)).sum(axis=(0, 2, 3)))


def test_causal_network_sees_the_last_117_frames_and_none_ahead():
    seen = frames_that_reach(network(n_frames=None, padding="causal"), frame=120, n_frames=140)
    assert (seen[0], seen[-1]) == (120 - 116, 120)


def test_symmetric_network_sees_58_frames_on_either_side():
    seen = frames_that_reach(network(n_frames=None, padding="symmetric"), frame=70, n_frames=140)
    assert (seen[0], seen[-1]) == (70 - 58, 70 + 58)


def test_block_by_numpy():
    """One normal block against its formula, written out: symmetric, dilation 2, two sub-bands."""
    random = np.random.default_rng(3)
    x = random.normal(size=(2, 6, 4, 3)).astype(np.float32)
    block = BCResBlock(3, 3, dilation=2, groups=2, padding="symmetric")
    block.build(x.shape)
    for weight in block.weights:
        if "seed" not in weight.path:
            weight.assign(random.uniform(0.5, 1.5, weight.shape))

    def affine(layer):
        scale = np.array(layer.gamma) / np.sqrt(np.array(layer.moving_variance) + 1e-5)
        return scale, np.array(layer.beta) - np.array(layer.moving_mean) * scale

    taps = np.array(block.frequency_conv.kernel)[0, :, :, 0]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    scale, shift = (np.repeat(value, 2, axis=0) for value in affine(block.frequency_norm))
    full = sum(padded[:, :, k:k + 4] * taps[k] for k in range(3)) * scale + shift
    taps = np.array(block.temporal_conv.kernel)[:, 0, :, 0]
    padded = np.pad(full.mean(axis=2), ((0, 0), (2, 2), (0, 0)))
    scale, shift = affine(block.temporal_norm)
    time = sum(padded[:, 2 * k:2 * k + 6] * taps[k] for k in range(3)) * scale + shift
    time = time / (1 + np.exp(-time)) @ np.array(block.pointwise_conv.kernel)[0, 0]
    np.testing.assert_allclose(block(x), np.maximum(0, time[:, :, None] + full + x), rtol=1e-5, atol=1e-5)


def test_dropout_takes_whole_channels_of_single_clips():
    model = network(dropout=0.5)
    block = model.blocks[1]
    pooled = np.ones((6, 7, 1, 8), np.float32)
    kept = np.array(block.dropout(pooled, training=True))
    assert set(np.unique(kept)) == {0.0, 2.0}
    assert (kept == kept[:, :1]).all()
    assert (kept != kept[:1]).any()
    np.testing.assert_array_equal(block.dropout(pooled, training=False), pooled)


def test_every_block_has_the_configured_dropout_padding_and_dilation():
    model = network(dropout=0.25, padding="symmetric")
    assert [block.dilation for block in model.blocks] == [1, 1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8]
    assert [block.stride for block in model.blocks] == [1, 1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1]
    assert [block.transition for block in model.blocks] == [True, False, True, False, True, *[False] * 3, True, *[False] * 3]
    assert {block.dropout.rate for block in model.blocks} == {0.25}
    assert {block.temporal_padding.padding for block in model.blocks} == {"symmetric"}
    assert all(isinstance(block.frequency_norm, SubSpectralNormalization) for block in model.blocks)


def test_seed_fixes_the_weights():
    first, same, other = network(seed=1), network(seed=1), network(seed=2)
    for a, b in zip(first.trainable_variables, same.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(np.array(first.stem_conv.kernel) - np.array(other.stem_conv.kernel)).max() > 0.01
    kernels = [np.array(block.pointwise_conv.kernel) for block in first.blocks[4:8]]
    assert all(np.abs(a - b).max() > 0.01 for a, b in zip(kernels, kernels[1:], strict=False))


def test_initial_kernels_have_pytorchs_default_range():
    model = network(tau=8, n_classes=100)
    for kernel, fan_in in ((model.stem_conv.kernel, 25), (model.head_depthwise.kernel, 25), (model.head_pointwise.kernel, 160),
                           (model.blocks[0].frequency_conv.kernel, 3), (model.classifier.kernel, 256), (model.classifier.bias, 256)):
        largest = np.abs(kernel).max()
        assert 0.5 < largest * fan_in ** 0.5 <= 1


def test_save_and_load(tmp_path):
    model, x = network(tau=0.625, ssn_groups="1", padding="symmetric"), clips()
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, BCResNet) and loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded(x), model(x))
    model.save_weights(tmp_path / "model.weights.h5")
    twin = network(tau=0.625, ssn_groups="1", padding="symmetric", seed=5)
    twin.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(twin(x), model(x))


def test_learns_a_batch_by_heart():
    model, x, labels = network(tau=0.625, n_mels=20, dropout=0.0), clips(20, n=6), np.array([0, 1, 2, 0, 1, 2])
    losses = []
    for _ in range(30):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(x, training=True)))
        losses.append(float(loss))
        for variable, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True):
            variable.assign_sub(0.1 * gradient)
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("shape", [(None, 21, 20, 1), (None, 21, 40, 2), (None, 21, 40)])
def test_refuses_another_input(shape):
    with pytest.raises(ConfigError, match=r"expected features \[batch, time, 40, 1\]"):
        BCResNet(n_classes=3, n_features=40).build(shape)


@pytest.mark.slow
def test_torch_backend_computes_the_same_from_the_same_weights(tmp_path):
    pytest.importorskip("torch", reason="needs torch: pip install 'kws_tf[parity]'")
    model, x = network(), clips()
    model(x, training=True)
    model.save_weights(tmp_path / "model.weights.h5")
    np.save(tmp_path / "clips.npy", x)
    program = """
import sys
import numpy as np
from kws_tf import models
from kws_tf.config import FeatureConfig, ModelConfig
folder = sys.argv[1]
model = models.build(ModelConfig(), FeatureConfig(), 3, 21)
model.load_weights(folder + "/model.weights.h5")
x = np.load(folder + "/clips.npy")
np.save(folder + "/logits.npy", model(x).detach().cpu().numpy())
np.save(folder + "/training.npy", model(x, training=True).detach().cpu().numpy())
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, cwd=ROOT, timeout=300,
                   env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)})
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), model(x), atol=1e-5)
    assert np.isfinite(np.load(tmp_path / "training.npy")).all()
