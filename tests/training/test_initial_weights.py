"""Weights of another run as a start: which are taken, and what is refused."""

import dataclasses
import pathlib
import types

import numpy as np
import pytest

from kws_tf.config import DataConfig, FeatureConfig, ModelConfig, RunConfig, TrainConfig
from kws_tf.errors import TrainingError
from kws_tf.training import initial_weights
from kws_tf.training.run_folder import RunFolder
from kws_tf.training.session import build_backbone

CLASSES = ("_unknown_", "no", "yes")
MODELS = {"bc_resnet": ModelConfig(tau=0.25), "sparknet": ModelConfig(model="sparknet", channels=4), "ds_cnn":
          ModelConfig(model="ds_cnn", channels=8), "arcface": ModelConfig(model="sparknet", channels=4, arcface=True)}


def configuration(model, path="", **train):
    return RunConfig(data=DataConfig(data_root="words", clip_duration=0.3), features=FeatureConfig(n_mels=20), model=model,
                     train=TrainConfig(initial_weights=str(path), **train))


def finished(path, config, classes=CLASSES):
    """A run folder with best weights, and its network."""
    folder = RunFolder(path)
    folder.start(config, classes)
    network = build_backbone(config, len(classes))
    for variable in network.weights:
        variable.assign(np.asarray(variable) + 0.125)                    # no weight is what another run draws
    network.save_weights(folder.best_weights_file)
    return network


def loaded(config, classes, folder):
    network = build_backbone(config, len(classes))
    drawn = [np.array(variable) for variable in network.weights]
    initial_weights.load(network, classes, config, RunFolder(folder))
    return network, drawn


@pytest.mark.parametrize("model", ["bc_resnet", "arcface"])
def test_all_weights_are_those_of_the_other_run(tmp_path, model):
    source = finished(tmp_path / "old", configuration(MODELS[model]))
    config = configuration(MODELS[model], tmp_path / "old", seed=2)
    network, _ = loaded(config, CLASSES, tmp_path / "new")
    for one, two in zip(network.weights, source.weights, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("model", ["sparknet", "ds_cnn", "arcface"])
def test_shared_classes_keep_their_outputs_and_new_ones_are_drawn(tmp_path, model, monkeypatch):
    lines = []
    monkeypatch.setattr(initial_weights.logging, "info", lambda text, *values: lines.append(text % values))
    source = finished(tmp_path / "old", configuration(MODELS[model]))
    config = configuration(MODELS[model], tmp_path / "old", seed=2)
    network, drawn = loaded(config, ("stop", "yes", "_unknown_", "go"), tmp_path / "new")
    head = {id(variable) for variable in network.classifier.weights}
    shared = 0
    for variable, first, other in zip(network.weights, drawn, source.weights, strict=True):
        variable_now, there = np.asarray(variable), np.asarray(other)
        if id(variable) not in head or variable.name.startswith("moving"):
            np.testing.assert_array_equal(variable_now, there)
        else:
            shared += 1
            np.testing.assert_array_equal(variable_now[..., 1], there[..., 2])
            np.testing.assert_array_equal(variable_now[..., 2], there[..., 0])
            np.testing.assert_array_equal(variable_now[..., [0, 3]], first[..., [0, 3]])
    assert shared == (1 if model == "arcface" else 2)
    assert lines[-1] == "classifier: outputs of yes, _unknown_ taken over; those of stop, go start anew; no left out."
    assert f"starting from the weights of {tmp_path / 'old'}, epoch" in lines[-2]


def test_other_clips_and_other_regularisation_are_no_obstacle(tmp_path):
    finished(tmp_path / "old", configuration(MODELS["sparknet"]))
    config = configuration(dataclasses.replace(MODELS["sparknet"], gate_penalty=0.5), tmp_path / "old", lr=0.01)
    config = dataclasses.replace(config, data=DataConfig(data_root="more", clip_duration=0.5))
    loaded(config, CLASSES, tmp_path / "new")


def test_other_networks_and_features_are_refused_by_name(tmp_path):
    finished(tmp_path / "old", configuration(MODELS["bc_resnet"]))
    config = configuration(ModelConfig(tau=0.5, padding="symmetric"), tmp_path / "old")
    config = dataclasses.replace(config, features=FeatureConfig(n_mels=40))
    with pytest.raises(TrainingError, match="belong to another network or other features: n_mels: 20 there, 40 here; "
                                            "tau: 0.25 there, 0.5 here; padding: 'causal' there, 'symmetric' here"):
        initial_weights.require_same_network(config, RunFolder(tmp_path / "new"))


def test_folders_without_a_trained_run_are_refused(tmp_path):
    config = configuration(MODELS["sparknet"], tmp_path / "old")
    with pytest.raises(TrainingError, match=r"old: no run folder \(config.json is missing\)"):
        initial_weights.require_same_network(config, RunFolder(tmp_path / "new"))
    finished(tmp_path / "old", config)
    with pytest.raises(TrainingError, match="the folder of the new run itself. Give the new run another --run_dir"):
        initial_weights.require_same_network(config, RunFolder(tmp_path / "old" / ".." / "old"))
    pathlib.Path(tmp_path / "old" / "best.weights.h5").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="these are not the weights of the network"):
        loaded(config, CLASSES, tmp_path / "new")
    pathlib.Path(tmp_path / "old" / "best.weights.h5").unlink()
    with pytest.raises(TrainingError, match="there are no best weights: no epoch of this run has ended"):
        initial_weights.require_same_network(config, RunFolder(tmp_path / "new"))


def test_other_classes_need_a_layer_that_makes_the_outputs(tmp_path):
    finished(tmp_path / "old", configuration(MODELS["sparknet"]))
    config = configuration(MODELS["sparknet"], tmp_path / "old")
    network = types.SimpleNamespace(name="own_network")
    with pytest.raises(TrainingError, match="its classes are _unknown_, no, yes, those here go, no, and own_network has no layer called"):
        initial_weights.load(network, ("go", "no"), config, RunFolder(tmp_path / "new"))


def test_without_the_setting_there_is_nothing_to_refuse(tmp_path):
    initial_weights.require_same_network(configuration(MODELS["sparknet"]), RunFolder(tmp_path))
