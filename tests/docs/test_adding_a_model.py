"""Runs docs/adding_a_model.md: puts its file beside the networks, adds its line, and executes its program."""

import importlib
import pathlib
import re

import numpy as np
import pytest

from kws_tf import models
from kws_tf.config import FeatureConfig, ModelConfig
from kws_tf.models import summary

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "adding_a_model.md").read_text(encoding="utf-8")
FILE, PROGRAM = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def registered(tmp_path, monkeypatch):
    """The page's file as kws_tf.models.tiny_conv, with its line in MODELS."""
    (tmp_path / "tiny_conv.py").write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    monkeypatch.setattr(models, "MODELS", (*models.MODELS, "tiny_conv"))
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module("kws_tf.models.tiny_conv")
    yield module
    monkeypatch.delattr(models, "tiny_conv")
    monkeypatch.delitem(importlib.sys.modules, "kws_tf.models.tiny_conv")


def test_the_line_is_what_is_in_the_registry():
    (diff,) = re.findall(r"^```diff\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    names = re.findall(r'"(\w+)"', diff)
    assert tuple(names) == (*models.MODELS, "tiny_conv")
    assert re.findall(r"^\+.*$", diff, re.MULTILINE) == ['+    "tiny_conv",']


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")
def test_the_program_trains_counts_exports_and_scores(registered):
    found = {}
    exec(compile(PROGRAM, "docs/adding_a_model.md", "exec"), found)
    assert f"`costs` is `{found['costs']}`".replace("'", '"') in PAGE
    assert 0.5 < found["loss"] < 3
    assert found["path"].name == "model.tflite" and found["path"].with_name("manifest.json").exists()
    assert found["scores"].shape == (3,) and found["scores"].sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("padding", ["causal", "symmetric"])
def test_the_file_keeps_the_promises_of_its_table(registered, padding):
    network = models.build(ModelConfig(model="tiny_conv", padding=padding), FeatureConfig(), 5, 30, seed=1)
    x = np.random.default_rng(0).normal(size=(2, 30, 40, 1)).astype(np.float32)
    mean = np.mean(network.frame_embeddings(x), axis=1)
    np.testing.assert_allclose(network(x), mean @ np.array(network.classifier.kernel) + np.array(network.classifier.bias), atol=1e-6)
    layers = [layer for layer, _, _ in network.layer_shapes((None, 30, 40, 1))]
    assert {id(weight) for layer in layers for weight in layer.weights} == {id(weight) for weight in network.weights}
    cosines = models.build(ModelConfig(model="tiny_conv", padding=padding, arcface=True, arcface_scale=7.0), FeatureConfig(), 5, 30, seed=1)
    assert cosines.classifier.scale == 7.0 and np.abs(cosines(x)).max() <= 7
    assert registered.TinyConv.from_config(network.get_config()).get_config() == network.get_config()
    assert summary.totals(summary.layer_costs(network, 30))["macs"] == 30 * 5 * 16 * (40 + 16 + 16) + 80
