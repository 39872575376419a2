"""Every random draw of training is a function of the seed of the run and of the epoch, so an interrupted run can continue exactly."""

import keras
import numpy as np


def seed_of(seed, epoch, stream=0):
    """A 31-bit seed for one use in one epoch.

    Args:
        seed: of the run.
        epoch: from 0.
        stream: tells apart the uses within an epoch.
    """
    return int(np.random.SeedSequence((seed, epoch, stream)).generate_state(1, np.uint32)[0]) >> 1


def reset_generators(model, seed, epoch):
    """Puts every keras.random.SeedGenerator of the model into the state that belongs to (seed, epoch).

    On other backends than TensorFlow the global generators too: on PyTorch, Keras lets a dropout layer without a seed of its own
    draw from them. TensorFlow has no such draws, and setting its global seed would compile every graph anew.

    Args:
        model: keras.Model; its generators are found by their state variables, in the order of model.variables.

    Returns:
        Number of generators.
    """
    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    if keras.backend.backend() != "tensorflow":
        keras.utils.set_random_seed(seed_of(seed, epoch, len(states)))
    for stream, state in enumerate(states):
        state.assign([seed_of(seed, epoch, stream), 0])
    return len(states)
