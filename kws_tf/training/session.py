"""One training run from configuration to best weights: data set, network, loop."""

import dataclasses
import math

import keras
from absl import logging

from kws_tf import augment, dataset, features, models
from kws_tf.errors import TrainingError
from kws_tf.training.loop import Loop, Outcome
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
    return TrainingNetwork(
        features.build(config.features, name="features"), backbone,
        waveform_augment=_waveform_augment(config, classes),
        spec_augment=augment.SpecAugment(config.augment, n_frames, n_features, config.model.tau),
        forward=training_forward(layout, backbone), seed=config.train.seed)


def _waveform_augment(config, classes):
    rate, silence = config.features.sample_rate, config.augment.silence_label
    recordings = ()
    if config.augment.noise_dir:
        recordings = dataset.load_noise(config.augment.noise_dir, rate, fraction=config.augment.noise_fraction,
                                        cache_dir=config.data.cache_dir, audio_backend=config.data.audio_backend,
                                        allow_bad_files=config.data.allow_bad_files)
    return augment.WaveformAugment(config.augment, rate, config.clip_samples, recordings,
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
    network = build_network(config, clips.classes)
    loop = Loop(network, folder, config, training=clips.splits["training"], validation=clips.splits["validation"],
                n_classes=len(clips.classes), on_epoch=on_epoch)
    # Only a run that can start makes or replaces a folder.
    if resume:
        loop.resume()
        folder.write_config(config)
    else:
        folder.start(config, clips.classes, overwrite)
    outcome = loop.run()
    try:
        network.backbone.load_weights(folder.best_weights_file)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{folder.best_weights_file}: the best weights cannot be read ({error}). Start the run anew with --overwrite."
                            ) from error
    return Trained(network, outcome)
