import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kws_tf import models
from kws_tf.config import FEATURE_PRESETS, ModelConfig
from kws_tf.errors import ConfigError
from kws_tf.models import summary
from kws_tf.models.sparknet import KERNEL_FRAMES, SparkNet, SparkNetBlock
from kws_tf.tflite import convert_classifier, operators

ROOT = pathlib.Path(__file__).parents[2]
FEATURES = FEATURE_PRESETS["sparknet"]


def network(n_classes=12, n_frames=40, seed=1, **settings):
    return models.build(ModelConfig(model="sparknet", **settings), FEATURES, n_classes, n_frames, seed=seed)


def clips(n=2, n_frames=40, seed=0):
    """Loud and soft clips with a slope over the rows, so that the gates are neither all open nor all closed."""
    random = np.random.default_rng(seed)
    level = random.uniform(0.2, 3.0, (n, 1, 1, 1))
    return (level * random.normal(size=(n, n_frames, 32, 1)) + 2 * level * np.linspace(-1, 1, 32)[:, None]).astype(np.float32)


def settled(model, x):
    """The network with moving statistics that fit x, and scales and shifts away from 1 and 0."""
    random = np.random.default_rng(5)
    for weight in model.trainable_weights:
        if weight.name in ("gamma", "beta"):
            weight.assign(weight + random.uniform(-0.3, 0.3, weight.shape))
    norms = [layer for layer, _, _ in model.layer_shapes(x.shape) if hasattr(layer, "moving_mean")]
    for norm in norms:
        norm.momentum = 0.0
    model(x, training=True)
    for norm in norms:
        norm.momentum = 0.9
    return model


@pytest.mark.parametrize("channels, parameters, macs, thop", [
    (4, 1504, 96_940, 121_180),
    (8, 2356, 177_336, 212_888),
    (16, 4636, 396_304, 454_480),
    (32, 11500, 1_066_944, 1_170_368),
])
def test_counts_of_the_published_widths(channels, parameters, macs, thop):
    costs = summary.layer_costs(network(channels=channels, n_frames=101), n_frames=101)
    assert summary.totals(costs) == {"parameters": parameters, "macs": macs, "thop": thop}


@pytest.mark.parametrize("channels, n_classes", [(1, 12), (5, 12), (16, 3)])
def test_counts_of_any_width(channels, n_classes):
    total = summary.totals(summary.layer_costs(network(channels=channels, n_classes=n_classes), n_frames=101))
    assert total["parameters"] == 6 * channels**2 + 141 * channels + 844 + 33 * (n_classes - 12)
    assert total["macs"] == 606 * channels**2 + 12_827 * channels + 35_936 + 32 * (n_classes - 12)


def test_the_paper_has_16_channels():
    assert network().channels == 16
    assert [block.kernel_frames for block in network().blocks] == [11, 15, 19, 29]
    assert [block.residual for block in network().blocks] == [False, True, True, True]


def test_epsilons():
    model = network()
    norms = [layer for layer, _, _ in model.layer_shapes((None, 40, 32, 1)) if hasattr(layer, "epsilon")]
    assert [norm.epsilon for norm in norms] == [1e-3] * 7 + [1e-5]
    assert {norm.momentum for norm in norms} == {0.9}


def torch_sparknet(model, causal):
    """The network of the authors' code in PyTorch, [batch, mfcc, time] -> logits, with the weights of a SparkNet."""
    torch = pytest.importorskip("torch", reason="needs torch: pip install 'kws_tf[parity]'")
    nn = torch.nn

    def copied(array, *axes):
        array = np.array(array)
        return nn.Parameter(torch.tensor(array.transpose(axes) if axes else array))

    def conv(layer, groups=1, bias=None):
        kernel = copied(layer.kernel, 2, 3, 0, 1) if groups > 1 else copied(layer.kernel, 3, 2, 0, 1)
        kernel = nn.Parameter(kernel[..., 0])
        span = kernel.shape[-1] - 1

        def apply(x):
            x = nn.functional.pad(x, (span, 0) if causal else (span // 2, span // 2))
            return nn.functional.conv1d(x, kernel, bias, groups=groups)
        return apply

    def norm(layer, epsilon):
        made = nn.BatchNorm1d(layer.gamma.shape[0], eps=epsilon).eval()
        made.weight, made.bias = copied(layer.gamma), copied(layer.beta)
        made.running_mean, made.running_var = copied(layer.moving_mean).data, copied(layer.moving_variance).data
        return made

    @torch.no_grad()
    def forward(features):
        x = torch.tensor(features[..., 0]).transpose(1, 2)
        for block in model.blocks:
            y = norm(block.norm, 1e-3)(conv(block.pointwise_conv)(conv(block.temporal_conv, groups=x.shape[1])(x)))
            if block.residual:
                y = y + norm(block.residual_norm, 1e-3)(conv(block.residual_conv)(x))
            x = torch.relu(y)
        mu = torch.tanh(norm(model.gate_norm, 1e-5)(conv(model.gate_conv, bias=copied(model.gate_conv.bias))(x)))
        gates = torch.clamp(mu + 0.5, 0.0, 1.0)
        logits = nn.functional.linear(gates.mean(dim=2), copied(model.classifier.kernel, 1, 0), copied(model.classifier.bias))
        return gates.transpose(1, 2).numpy(), logits.numpy()
    return forward


@pytest.mark.parametrize("padding", ["symmetric", "causal"])
@pytest.mark.parametrize("channels", [4, 16])
def test_torch_computes_the_same_from_the_same_weights(channels, padding):
    x = clips(n=4)
    model = settled(network(channels=channels, padding=padding), x)
    gates, logits = torch_sparknet(model, causal=padding == "causal")(x)
    assert 0.05 < (gates == 0).mean() < 0.95 and 0.05 < (gates == 1).mean() < 0.95
    np.testing.assert_allclose(model.frame_embeddings(x), gates, atol=1e-5)
    np.testing.assert_allclose(model(x), logits, atol=1e-5)
    assert np.ptp(logits, axis=0).max() > 0.1


def test_residual_block_by_numpy():
    random = np.random.default_rng(3)
    x = random.normal(size=(1, 5, 1, 2)).astype(np.float32)
    block = SparkNetBlock(2, 3, kernel_frames=3)
    block.build(x.shape)
    for weight in block.weights:
        weight.assign(random.uniform(0.5, 1.5, weight.shape))

    def affine(layer, value):
        return (value - np.array(layer.moving_mean)) / np.sqrt(np.array(layer.moving_variance) + 1e-3) * np.array(layer.gamma) \
            + np.array(layer.beta)

    frames = np.pad(x[0, :, 0], ((2, 0), (0, 0)))
    taps = np.array(block.temporal_conv.kernel)[:, 0, :, 0]
    mixed = sum(frames[k:k + 5] * taps[k] for k in range(3)) @ np.array(block.pointwise_conv.kernel)[0, 0]
    residual = x[0, :, 0] @ np.array(block.residual_conv.kernel)[0, 0]
    expected = np.maximum(0, affine(block.norm, mixed) + affine(block.residual_norm, residual))
    np.testing.assert_allclose(block(x)[0, :, 0], expected, rtol=1e-5, atol=1e-6)


def test_logits_are_the_classifier_of_the_mean_gates():
    x = clips()
    for gate in ("soft", "hard"):
        model = settled(network(gate=gate), x)
        gates = np.array(model.frame_embeddings(x))
        assert gates.shape == (2, 40, 32) and (gate == "soft" or set(np.unique(gates)) == {0.0, 1.0})
        expected = gates.mean(axis=1) @ np.array(model.classifier.kernel) + np.array(model.classifier.bias)
        np.testing.assert_allclose(model(x), expected, atol=1e-5)


def frames_that_reach(model, frame, n_frames):
    """Input frames that change one frame's gates when they change."""
    x = clips(n=1, n_frames=n_frames)
    changed = np.repeat(x, n_frames, axis=0)
    changed[np.arange(n_frames), np.arange(n_frames)] += 100.0
    embeddings = np.array(model.frame_embeddings(changed))[:, frame]
    # A batch of another size is summed in another order; the least that reaches is above 1e-4.
    return np.flatnonzero(np.abs(embeddings - np.array(model.frame_embeddings(x))[0, frame]).max(axis=1) > 1e-5)


def test_causal_network_sees_the_last_71_frames_and_none_ahead():
    seen = frames_that_reach(network(n_frames=None), frame=75, n_frames=90)
    assert (seen[0], seen[-1]) == (75 - 70, 75)


def test_symmetric_network_sees_35_frames_on_either_side():
    seen = frames_that_reach(network(n_frames=None, padding="symmetric"), frame=40, n_frames=90)
    assert (seen[0], seen[-1]) == (40 - 35, 40 + 35)


@pytest.mark.parametrize("padding", ["causal", "symmetric"])
def test_any_length_and_any_features(padding):
    model = models.build(ModelConfig(model="sparknet", padding=padding), FEATURE_PRESETS["bc_resnet"], 3, None, seed=1)
    for n_frames in (1, 50):
        assert model(np.zeros((2, n_frames, 40, 1), np.float32)).shape == (2, 3)


def test_gates_are_noisy_in_training_alone():
    model, x = network(), clips()
    np.testing.assert_array_equal(model(x), model(x))
    gates = [np.array(model.frame_embeddings(x, training=True)) for _ in range(2)]
    assert (gates[0] != gates[1]).mean() > 0.3


def test_training_adds_the_weighted_penalty_to_the_loss():
    x = clips()
    for gate_penalty in (0.01, 0.5):
        model = network(gate_penalty=gate_penalty)
        model(x, training=True)
        (loss,) = model.losses
        assert 0.1 * gate_penalty < float(loss) < gate_penalty
        model(x)
        assert model.losses == []


def test_learns_a_batch_by_heart():
    keras.utils.set_random_seed(1)
    model, x, labels = network(n_classes=3, channels=8, n_frames=20), clips(n=6, n_frames=20), np.array([0, 1, 2, 0, 1, 2])
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  jit_compile=False)
    losses = [model.train_on_batch(x, labels, return_dict=True)["loss"] for _ in range(25)]
    assert losses[-1] < 0.5 * losses[0]


def test_seed_fixes_weights_and_noise():
    first, same, other = network(seed=1), network(seed=1), network(seed=2)
    for a, b in zip(first.trainable_variables, same.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)
    x = clips()
    np.testing.assert_array_equal(first(x, training=True), same(x, training=True))
    assert first.gates.seed == same.gates.seed != other.gates.seed
    assert all(np.abs(np.array(first.blocks[i].temporal_conv.kernel) - np.array(other.blocks[i].temporal_conv.kernel)).max() > 0.01
               for i in range(len(KERNEL_FRAMES)))


def test_initial_weights_have_the_ranges_of_the_published_code():
    model = network(channels=64)
    for kernel, limit in ((model.blocks[1].temporal_conv.kernel, (6 / (15 * 65)) ** 0.5),
                          (model.blocks[0].pointwise_conv.kernel, (6 / (32 + 64)) ** 0.5),
                          (model.blocks[2].residual_conv.kernel, (6 / 128) ** 0.5),
                          (model.gate_conv.kernel, 64**-0.5), (model.gate_conv.bias, 64**-0.5),
                          (model.classifier.kernel, 32**-0.5), (model.classifier.bias, 32**-0.5)):
        assert 0.8 * limit < np.abs(kernel).max() <= limit


def test_save_and_load(tmp_path):
    model, x = network(channels=4, padding="symmetric", gate="hard", gate_penalty=0.5), clips()
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, SparkNet) and loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded(x), model(x))
    model.save_weights(tmp_path / "model.weights.h5")
    twin = network(channels=4, padding="symmetric", gate="hard", seed=5)
    twin.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(twin(x), model(x))


@pytest.mark.parametrize("shape", [(None, 40, 20, 1), (None, 40, 32, 2), (None, 40, 32)])
def test_refuses_another_input(shape):
    with pytest.raises(ConfigError, match=r"SparkNet: expected features \[batch, time, 32, 1\]"):
        SparkNet(n_classes=3, n_features=32).build(shape)


@pytest.mark.parametrize("channels", [0, -4, 2.5, True])
def test_refuses_no_channel(channels):
    with pytest.raises(ConfigError, match="channels must be a whole number, at least 1"):
        SparkNet(n_classes=3, n_features=32, channels=channels)


BODY = {"PAD": 4, "DEPTHWISE_CONV_2D": 4, "CONV_2D": 8, "RESHAPE": 1, "MEAN": 1, "FULLY_CONNECTED": 1}


@pytest.mark.parametrize("gate, gate_operators", [
    ("soft", {"ADD": 4, "MINIMUM": 1, "TANH": 1}),
    ("hard", {"ADD": 3, "GREATER": 1, "SELECT_V2": 1}),
])
def test_graph_has_few_operators_and_the_networks_macs(gate, gate_operators):
    model = network(gate=gate, channels=8)
    counts = operators.count(convert_classifier(model, clips(), dtype="float32"))
    assert {count.name: count.count for count in counts} == {**BODY, **gate_operators}
    assert sum(count.macs for count in counts) == summary.totals(summary.layer_costs(model, n_frames=40))["macs"]


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")
@pytest.mark.parametrize("gate, least_snr_db", [("soft", 22), ("hard", 12)])
def test_integer_graph_follows_the_float_network(gate, least_snr_db):
    x = clips(n=24)
    model = settled(network(gate=gate, channels=8), x)
    expected = np.array(model(x))
    noise = interpreted(convert_classifier(model, x, dtype="int8"), x) - expected
    assert 10 * np.log10(np.var(expected, axis=0).sum() / np.var(noise, axis=0).sum()) > least_snr_db


def interpreted(content, x):
    """Logits of an int8 file for float features, one clip at a time, with the reference kernels."""
    interpreter = tf.lite.Interpreter(model_content=content, experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    assert {detail["dtype"] for detail in interpreter.get_tensor_details()} <= {np.int8, np.int32, np.bool_}
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    (scale, zero), (out_scale, out_zero) = source["quantization"], target["quantization"]
    logits = []
    for clip in np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8):
        interpreter.set_tensor(source["index"], clip[None])
        interpreter.invoke()
        logits.append((interpreter.get_tensor(target["index"])[0].astype(np.float32) - out_zero) * out_scale)
    return np.array(logits)


@pytest.mark.slow
def test_torch_backend_computes_the_same_from_the_same_weights(tmp_path):
    pytest.importorskip("torch", reason="needs torch: pip install 'kws_tf[parity]'")
    x = clips()
    model = settled(network(), x)
    model.save_weights(tmp_path / "model.weights.h5")
    np.save(tmp_path / "clips.npy", x)
    program = """
import sys
import numpy as np
from kws_tf import models
from kws_tf.config import FEATURE_PRESETS, ModelConfig
folder = sys.argv[1]
model = models.build(ModelConfig(model="sparknet"), FEATURE_PRESETS["sparknet"], 12, 40)
model.load_weights(folder + "/model.weights.h5")
x = np.load(folder + "/clips.npy")
np.save(folder + "/logits.npy", model(x).detach().cpu().numpy())
np.save(folder + "/training.npy", model(x, training=True).detach().cpu().numpy())
assert len(model.losses) == 1 and "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, cwd=ROOT, timeout=300,
                   env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)})
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), model(x), atol=1e-5)
    assert np.isfinite(np.load(tmp_path / "training.npy")).all()
