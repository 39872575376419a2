"""One training run from configuration to best weights: data set, network, loop."""

import dataclasses
import math

import keras
from absl import logging

from kws_tf import augment, dataset, models
from kws_tf.errors import TrainingError
from kws_tf.recall_area import ClipRecallArea
from kws_tf.training import initial_weights, pre_roll
from kws_tf.training.curriculum import Curriculum
from kws_tf.training.loop import Loop, Outcome
from kws_tf.training.micro_features import feature_layer
from kws_tf.training.network import TrainingNetwork, choose_layout, training_forward


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a run ends with: the TrainingNetwork with the weights of the best epoch, and the loop's Outcome."""

    network: TrainingNetwork
    outcome: Outcome


def build_backbone(config, n_classes):
    """The network of a run with freshly drawn weights, features [batch, time, frequency, 1] -> logits [batch, classes]."""
    return models.build(config.model, config.features, n_classes, config.features.n_frames(config.clip_samples), config.train.seed)


def build_network(config, classes):
    """The trainable network of a run.

    Args:
        config: RunConfig. classes: names in the order of the outputs.

    Returns:
        TrainingNetwork.
    """
    backbone = build_backbone(config, len(classes))
    layout = choose_layout(config.train.layout, backbone)
    n_frames, n_features = config.features.n_frames(config.clip_samples), config.features.n_features
    n_weights = sum(math.prod(variable.shape) for variable in backbone.trainable_weights)
    logging.info("%s: %d trainable weights, input %d frames x %d features, %d classes, layout %s.",
                 backbone.name, n_weights, n_frames, n_features, len(classes), layout)
    recipe, pre_roll_augment = config.train, None
    sounds = {"recordings": _noise(config), "responses": _responses(config)}
    if recipe.pre_roll_probability:
        pre_roll.require_whole_strides(recipe.pre_roll_frames, backbone, n_frames, n_features)
        context = pre_roll.context_frames(backbone, n_frames, n_features)
        if recipe.pre_roll_frames < context:
            logging.warning("pre_roll_frames=%d: %s looks back %d frames, so its state still holds zeros from before the pre-roll. "
                            "Use --pre_roll_frames=%d or more.", recipe.pre_roll_frames, backbone.name, context, context)
        pre_roll_augment = _waveform_augment(config, classes, sounds, recipe.pre_roll_frames * config.features.hop_samples)
    masks = augment.SpecAugment(config.augment, n_frames, n_features, config.model.tau)
    if config.augment.spec_prob and not masks.enabled:
        logging.info("SpecAugment is off%s.", " at this width, as in the paper; --frequency_mask_rows turns it on"
                     if config.augment.frequency_mask_rows < 0 else ": no mask has a size")
    return TrainingNetwork(
        feature_layer(config.features), backbone,
        waveform_augment=_waveform_augment(config, classes, sounds), pre_roll_augment=pre_roll_augment,
        frequency_warp=_frequency_warp(config),
        spec_augment=masks,
        forward=training_forward(layout, backbone), seed=config.train.seed)


def _frequency_warp(config):
    own = config.augment
    return augment.FrequencyWarp(own.warp_prob, own.frequency_warp, config.features) if own.warp_prob else None


def _noise(config):
    if not config.augment.noise_dir:
        return ()
    return dataset.load_noise(config.augment.noise_dir, config.features.sample_rate, fraction=config.augment.noise_fraction,
                              cache_dir=config.data.cache_dir, audio_backend=config.data.audio_backend,
                              allow_bad_files=config.data.allow_bad_files)


def _responses(config):
    return dataset.load_responses(config.augment.rir_dir, config.features.sample_rate) if config.augment.rir_dir else None


def _waveform_augment(config, classes, sounds, earlier_samples=0):
    silence = config.augment.silence_label
    return augment.WaveformAugment(config.augment, config.features.sample_rate, earlier_samples + config.clip_samples, **sounds,
                                   silence_index=classes.index(silence) if silence in classes else None)


def train(config, folder, clips, *, resume=False, overwrite=False, on_epoch=None):
    """Trains, or continues to train, the network of a configuration in a run folder.

    Args:
        config: RunConfig. folder: RunFolder.
        clips: ClipDataset with training and validation.
        resume: continue from the folder's checkpoint. overwrite: replace a run in the folder.
        on_epoch: called with the history row of every finished epoch.

    Returns:
        Trained.

    Raises:
        KwsError: whatever keeps the run from starting or from going on.
    """
    keras.utils.set_random_seed(config.train.seed)
    if resume and folder.labels() != tuple(clips.classes):
        raise TrainingError(f"{folder.path}: the run was trained for {', '.join(folder.labels())}; the dataset now has the classes "
                            f"{', '.join(clips.classes)}. Restore the dataset, or start another run with --run_dir.")
    curriculum = Curriculum(config.augment.curriculum, config.augment, clips.classes)
    network, validation, area = build_network(config, clips.classes), clips.splits["validation"], None
    if config.train.monitor == "recall_area":
        area = ClipRecallArea(clips.classes, validation.labels, validation.lengths, config.clip_samples, config.features.sample_rate)
    loop = Loop(network, folder, config, training=clips.splits["training"], validation=validation, n_classes=len(clips.classes),
                recall_area=area, on_epoch=on_epoch, curriculum=curriculum)
    if config.train.initial_weights and not (resume and folder.checkpoint_file.exists()):
        initial_weights.load(network.backbone, clips.classes, config, folder)
    # Only a run that can start makes or replaces a folder.
    if resume:
        loop.resume()
        folder.write_config(config)
    else:
        folder.start(config, clips.classes, overwrite)
    try:
        outcome = loop.run()
    except KeyboardInterrupt:
        logging.info("stopped by hand; continue with: python -m kws_tf.train --resume --run_dir %s", folder.path)
        raise
    try:
        network.backbone.load_weights(folder.best_weights_file)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{folder.best_weights_file}: the best weights cannot be read ({error}). Start the run anew with --overwrite."
                            ) from error
    return Trained(network, outcome)
