"""Helpers of the augmentation tests."""

import keras
import pytest


@pytest.fixture
def seeds():
    """A fresh keras SeedGenerator, the same in every test."""
    return keras.random.SeedGenerator(20)


@pytest.fixture(scope="session")
def as_numpy():
    """Function that turns a dictionary of tensors into one of arrays."""
    return lambda draws: {name: keras.ops.convert_to_numpy(value) for name, value in draws.items()}
