"""A training without its clips: whatever else could keep it from beginning is found before there are any."""

import dataclasses

from absl import logging

from kws_tf.training.schedule import Schedule


def rehearse(config, classes):
    """Builds the schedule, the stages and the network of a training with its augmentation; reads no recordings and no other run.

    Keras is imported by the call alone: another process can be given it, so that this one keeps its memory, and that of a GPU.

    Args:
        config: RunConfig; its folders are not read. classes: names of the classes that the clips will have.

    Raises:
        ConfigError: the training could not begin.
    """
    Schedule(config.train, steps_per_epoch=1)
    from kws_tf.training import session
    from kws_tf.training.curriculum import Curriculum

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)  # the training itself will say it
    try:
        Curriculum(config.augment.curriculum, dataclasses.replace(config.augment, noise_dir="noise", rir_dir="rooms"), classes)
        silent = dataclasses.replace(config.augment, noise_dir="", rir_dir="")
        session.build_network(dataclasses.replace(config, augment=silent), list(classes))
    finally:
        logging.set_verbosity(verbosity)
