"""Uniform random numbers, one or a few per clip."""

import keras
from keras import ops


def uniform(shape, seed_generator, low=0.0, high=1.0):
    """float32 numbers in [low, high)."""
    return keras.random.uniform(shape, low, high, dtype="float32", seed=seed_generator)


def uniform_index(shape, seed_generator, size):
    """int32 numbers 0 .. size - 1, equally likely.

    Args:
        shape: of the result.
        seed_generator: keras.random.SeedGenerator.
        size: number of values, at least 1: an int, or an int32 tensor that broadcasts to shape and gives each its own.
    """
    index = ops.cast(ops.floor(uniform(shape, seed_generator) * ops.cast(size, "float32")), "int32")
    return ops.minimum(index, size - 1)  # the product may round up to size where size is above 2^23
