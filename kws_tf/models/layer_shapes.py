"""Shapes inside a network: what its layers receive and return, for building and for counting."""


def follow(chain, shape):
    """(layer, input shape, output shape) of layers that feed one another.

    Args:
        chain: layers in the order of computation.
        shape: of the input of the first.
    """
    for layer in chain:
        before, shape = tuple(shape), tuple(layer.compute_output_shape(shape))
        yield layer, before, shape
