"""The network against an independent PyTorch one with the same weights: outputs, gradients, moving statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kws_tf import models
from kws_tf.config import FeatureConfig, ModelConfig
from kws_tf.errors import ModelFileError
from kws_tf.models import torch_weights
from kws_tf.models.batch_innermost import batch_innermost

torch = pytest.importorskip("torch", reason="needs torch: pip install 'kws_tf[parity]'")

from tools.torch_bc_resnet import TorchBCResNet  # noqa: E402

N_CLASSES, N_FRAMES, BATCH = 12, 37, 3


def torch_network(tau, n_mels, padding="symmetric"):
    """A PyTorch network without dropout, its norm vectors drawn so that no channel is like another."""
    torch.manual_seed(0)
    network = TorchBCResNet(N_CLASSES, n_mels, tau, causal=padding == "causal", dropout=0.0)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.ndim == 1 and value.is_floating_point() and "classifier.5" not in name:
                low, high = (0.5, 1.5) if name.endswith(("weight", "running_var")) else (-0.3, 0.3)
                value.uniform_(low, high)
    return network


def keras_network(tau, n_mels, padding="symmetric"):
    config = ModelConfig(tau=tau, padding=padding, dropout=0.0)
    return models.build(config, FeatureConfig(n_mels=n_mels), N_CLASSES, N_FRAMES, seed=1)


@pytest.fixture
def double_precision():
    """In single precision some activation always rounds to the other side of a ReLU, and gradients differ by its share."""
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


def batch(n_mels):
    random = np.random.default_rng(n_mels)
    return random.normal(-2, 3, (BATCH, N_FRAMES, n_mels, 1)), random.integers(0, N_CLASSES, BATCH)


def as_torch(x, dtype=torch.float32):
    return torch.from_numpy(x.transpose(0, 3, 2, 1).copy()).to(dtype)


@pytest.mark.parametrize("tau, n_mels, padding", [(1, 40, "symmetric"), (1, 80, "symmetric"), (2, 40, "symmetric"), (2, 80, "symmetric"),
                                                  (1, 40, "causal")])
def test_outputs_are_pytorchs(tau, n_mels, padding):
    theirs, ours = torch_network(tau, n_mels, padding), keras_network(tau, n_mels, padding)
    torch_weights.load(ours, theirs.state_dict())
    x, _ = batch(n_mels)
    x = x.astype(np.float32)
    for training in (False, True):
        theirs.train(training)
        with torch.no_grad():
            expected = theirs(as_torch(x)).numpy()
        # Training mode moves the statistics of ours, which training mode itself does not read.
        for forward in (ours, batch_innermost(ours)):
            np.testing.assert_allclose(forward(x, training=training), expected, atol=1e-5)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("tau, n_mels, padding", [(1, 40, "symmetric"), (1, 80, "symmetric"), (2, 40, "symmetric"), (2, 80, "symmetric"),
                                                  (1, 40, "causal")])
def test_gradients_are_pytorchs(tau, n_mels, padding):
    theirs, ours = torch_network(tau, n_mels, padding).double(), keras_network(tau, n_mels, padding)
    torch_weights.load(ours, theirs.state_dict())
    x, labels = batch(n_mels)
    theirs.train()
    torch.nn.functional.cross_entropy(theirs(as_torch(x, torch.float64)), torch.from_numpy(labels)).backward()
    # match() wants an entry for every weight; the moving statistics have no gradient and stand for themselves.
    state = {**theirs.state_dict(), **{name: weight.grad for name, weight in theirs.named_parameters()}}
    expected = {variable.path: array for variable, array in torch_weights.match(ours, state)}
    for forward in (ours, batch_innermost(ours)):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, forward(tf.constant(x), training=True)))
        gradients = tape.gradient(loss, ours.trainable_variables)
        for variable, gradient in zip(ours.trainable_variables, gradients, strict=True):
            np.testing.assert_allclose(gradient, expected[variable.path], rtol=1e-6, atol=1e-9, err_msg=variable.path)


def test_moving_statistics_differ_only_by_the_bias_of_the_variance():
    theirs, ours = torch_network(1, 40), keras_network(1, 40)
    torch_weights.load(ours, theirs.state_dict())
    before = {variable.path: np.array(variable) for variable in ours.variables}
    x, _ = batch(40)
    ours(x.astype(np.float32), training=True)
    theirs.train()(as_torch(x))
    heights = {"stem_norm": 20, "stage0_block0/transition_norm": 20, "stage1_block0/frequency_norm": 2, "stage3_block1/temporal_norm": 1}
    pairs = torch_weights.match(ours, theirs.state_dict())
    after = {variable.path.removeprefix("bc_resnet/"): (variable, array) for variable, array in pairs}
    for name, rows in heights.items():
        n = BATCH * N_FRAMES * rows
        variable, array = after[f"{name}/moving_variance"]
        old = before[variable.path]
        np.testing.assert_allclose(np.array(variable) - 0.9 * old, (array - 0.9 * old) * (n - 1) / n, rtol=1e-3, atol=1e-5)
        variable, array = after[f"{name}/moving_mean"]
        np.testing.assert_allclose(variable, array, atol=1e-5)


def test_reorders_sub_band_vectors():
    theirs, ours = torch_network(1, 40), keras_network(1, 40)
    state = theirs.state_dict()
    vector = np.arange(40, dtype=np.float32)
    state["BCBlocks.0.1.f2.0.block.1.ssnorm.weight"] = vector
    torch_weights.load(ours, state)
    gamma = np.array(ours.blocks[1].frequency_norm.gamma)
    assert gamma.shape == (5, 8)
    assert gamma[:, 0].tolist() == [0, 1, 2, 3, 4] and gamma[0].tolist() == [0, 5, 10, 15, 20, 25, 30, 35]


def test_wrapped_names_and_plain_arrays():
    theirs, ours = torch_network(1, 40), keras_network(1, 40)
    torch_weights.load(ours, {f"module.{name}": value.numpy() for name, value in theirs.state_dict().items()})
    np.testing.assert_array_equal(ours.classifier.bias, theirs.classifier[5].bias.detach())


def test_lists_everything_that_does_not_fit_and_changes_nothing():
    ours = keras_network(1, 40)
    before = [np.array(variable) for variable in ours.trainable_variables]
    state = torch_network(1, 40).state_dict()
    del state["cnn_head.0.weight"]
    state["classifier.5.bias"] = np.zeros(3, np.float32)
    state["fc.weight"] = np.zeros(3, np.float32)
    with pytest.raises(ModelFileError) as caught:
        torch_weights.load(ours, state)
    message = str(caught.value)
    assert "missing: cnn_head.0.weight, for bc_resnet/stem_conv/kernel" in message
    assert "shape: classifier.5.bias (3,) does not fit bc_resnet/classifier/bias (12,)" in message
    assert "unknown: fc.weight" in message
    for variable, value in zip(ours.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_refuses_weights_of_another_width():
    with pytest.raises(ModelFileError, match="check --tau"):
        torch_weights.load(keras_network(2, 40), torch_network(1, 40).state_dict())


def test_batch_norm_network_takes_the_weights_of_its_twin():
    torch.manual_seed(0)
    theirs = TorchBCResNet(N_CLASSES, 20, groups=(0, 0, 0, 0)).eval()
    config = ModelConfig(padding="symmetric", ssn_groups="0")
    ours = models.build(config, FeatureConfig(n_mels=20), N_CLASSES, N_FRAMES, seed=1)
    torch_weights.load(ours, theirs.state_dict())
    x, _ = batch(20)
    with torch.no_grad():
        expected = theirs(as_torch(x)).numpy()
    np.testing.assert_allclose(ours(x.astype(np.float32)), expected, atol=1e-5)
