"""The float32 graph of the small network, and of hand-made ones."""

import pytest


@pytest.fixture(scope="session")
def float_content(small_network):
    """Bytes of the small network as the converter makes them."""
    from kws_tf.tflite.freeze import convert_float32

    return convert_float32(small_network.model, small_network.features.shape[1:])


@pytest.fixture
def float_graph(float_content):
    """A fresh graph of the small network, to be changed freely."""
    from kws_tf.tflite import flatbuffer

    return flatbuffer.read(float_content)
