"""Initial values of the networks' weights, and the seeds they are drawn with."""

import random

import keras


def endless_seeds(seed):
    """Endless seeds, one per random object, all fixed by the first; None leaves the choice to Keras."""
    draw = random.Random(seed)
    while True:
        yield None if seed is None else draw.randrange(2**31)


def torch_uniform(fan_in, seed):
    """PyTorch's default for convolutions and linear layers, U(-1/sqrt(fan_in), 1/sqrt(fan_in)): the recipes were tuned with it."""
    limit = fan_in ** -0.5
    return keras.initializers.RandomUniform(-limit, limit, seed=seed)
