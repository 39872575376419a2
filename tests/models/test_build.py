import pathlib

import numpy as np
import pytest

from kws_tf import models
from kws_tf.config import FeatureConfig, ModelConfig
from kws_tf.errors import ConfigError


def test_every_module_that_builds_a_network_is_registered():
    folder = pathlib.Path(models.__file__).parent
    builders = {path.stem for path in folder.glob("*.py") if "\ndef build(model, features, n_classes" in path.read_text(encoding="utf-8")}
    assert builders - {"__init__"} == set(models.MODELS)


@pytest.mark.parametrize("name", models.MODELS)
def test_networks_share_their_interface(name):
    network = models.build(ModelConfig(model=name), FeatureConfig(), 5, 30, seed=1)
    x = np.random.default_rng(0).normal(size=(2, 30, 40, 1)).astype(np.float32)
    assert network.name == name
    assert network.n_features == 40
    assert network(x).shape == (2, 5)
    embeddings = np.array(network.frame_embeddings(x))
    expected = embeddings.mean(axis=1) @ np.array(network.classifier.kernel) + np.array(network.classifier.bias)
    np.testing.assert_allclose(network(x), expected, atol=1e-5)
    layers = [layer for layer, _, _ in network.layer_shapes((None, 30, 40, 1))]
    counted = {id(weight) for layer in layers for weight in layer.trainable_weights}
    assert counted == {id(weight) for weight in network.trainable_weights}


@pytest.mark.parametrize("settings, message", [
    ({"model": "sparknet", "tau": 2.0}, "sparknet has no use for --tau=2.0; its settings are channels, padding, gate, gate_penalty"),
    ({"model": "ds_cnn", "dropout": 0.2, "gate": "hard"}, "ds_cnn has no use for --dropout=0.2, --gate=hard; its settings are"),
    ({"model": "bc_resnet", "channels": 16}, "bc_resnet has no use for --channels=16"),
])
def test_settings_of_other_networks_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        models.build(ModelConfig(**settings), FeatureConfig(), 5, 30)


def test_unknown_name_lists_the_known():
    with pytest.raises(ConfigError, match="unknown network 'resnet'; known are bc_resnet, sparknet, ds_cnn. Set --model"):
        models.build(ModelConfig(model="resnet"), FeatureConfig(), 5, 30)
