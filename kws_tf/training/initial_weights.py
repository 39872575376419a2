"""Starts a training from the best weights of another run, in the place of freshly drawn ones."""

import dataclasses

import numpy as np
from absl import logging

from kws_tf.errors import TrainingError
from kws_tf.training.run_folder import RunFolder

# Settings of the network that act in training alone: runs that differ in them have the same weights.
TRAINING_ONLY = {"dropout", "gate_penalty", "arcface_margin"}
PER_CLASS = ("kernel", "bias")


def require_same_network(config, folder):
    """Refuses initial weights that mean nothing to the network of a configuration, before anything is loaded.

    Args:
        config: RunConfig of the new run; without initial_weights there is nothing to refuse. folder: RunFolder of the new run.

    Raises:
        TrainingError: no such run, no best weights, the folder of the new run itself, or other features or another network; every
            setting that differs is named with both values.
    """
    path = config.train.initial_weights
    if not path:
        return
    source = RunFolder(path)
    if source.path.resolve() == folder.path.resolve():
        raise TrainingError(f"--initial_weights={path}: this is the folder of the new run itself. Give the new run another --run_dir.")
    if not source.config_file.is_file():
        raise TrainingError(f"--initial_weights={path}: no run folder (config.json is missing). Give the folder of a run that was trained.")
    if not source.best_weights_file.is_file():
        raise TrainingError(f"--initial_weights={path}: there are no best weights: no epoch of this run has ended.")
    differ = differences(source.config(), config)
    if differ:
        raise TrainingError(f"--initial_weights={path}: its weights belong to another network or other features: {'; '.join(differ)}. "
                            "Give the same settings, or leave --initial_weights away.")


def differences(there, here):
    """Settings by which the weights of one run mean nothing to the network of another.

    Args:
        there, here: RunConfigs.

    Returns:
        Lines with the name and both values.
    """
    differ = []
    for part, free in (("features", set()), ("model", TRAINING_ONLY)):
        before, after = getattr(there, part), getattr(here, part)
        differ += [f"{field.name}: {getattr(before, field.name)!r} there, {getattr(after, field.name)!r} here"
                   for field in dataclasses.fields(before)
                   if field.name not in free and getattr(before, field.name) != getattr(after, field.name)]
    return differ


def load(backbone, classes, config, folder):
    """Puts the best weights of another run into a network. A class that both have keeps its outputs; others stay as they were drawn.

    Args:
        backbone: network of the new run, its weights freshly drawn. classes: names in the order of its logits.
        config: RunConfig of the new run, with initial_weights. folder: RunFolder of the new run.

    Raises:
        TrainingError: see require_same_network; the weights cannot be read; or the classes differ and the network has no `classifier`.
    """
    from kws_tf.training import trained_run

    require_same_network(config, folder)
    source = trained_run.load(config.train.initial_weights)
    known = [name for name in classes if name in source.classes]
    here, there = ([names.index(name) for name in known] for names in (list(classes), list(source.classes)))
    classifier = getattr(backbone, "classifier", None)
    if classifier is None and tuple(classes) != source.classes:
        raise TrainingError(f"--initial_weights={config.train.initial_weights}: its classes are {', '.join(source.classes)}, those here "
                            f"{', '.join(classes)}, and {backbone.name} has no layer called classifier whose outputs could be exchanged.")
    head = {id(variable) for variable in getattr(classifier, "weights", ()) if variable.name in PER_CLASS}
    for target, trained in zip(backbone.weights, source.backbone.weights, strict=True):
        if id(target) not in head:
            target.assign(np.asarray(trained))
            continue
        merged = np.array(target)
        merged[..., here] = np.asarray(trained)[..., there]
        target.assign(merged)
    logging.info("starting from the weights of %s, epoch %s.", config.train.initial_weights, source.metrics.get("epoch", "unknown"))
    new = [name for name in classes if name not in known]
    gone = [name for name in source.classes if name not in known]
    if new or gone:
        logging.info("classifier: outputs of %s taken over%s%s.", ", ".join(known) or "no class",
                     f"; those of {', '.join(new)} start anew" if new else "", f"; {', '.join(gone)} left out" if gone else "")
