"""Shapes inside a network: what its layers receive and return, for building and for counting."""

from kws_tf.errors import ConfigError


def follow(chain, shape):
    """(layer, input shape, output shape) of layers that feed one another.

    Args:
        chain: layers in the order of computation.
        shape: of the input of the first.
    """
    for layer in chain:
        before, shape = tuple(shape), tuple(layer.compute_output_shape(shape))
        yield layer, before, shape


def inside(shapes):
    """The layers of a network with the layers inside its blocks in the place of the blocks.

    Args:
        shapes: (layer, input shape, output shape), see follow. A block is a layer that has layer_shapes() itself.
    """
    for layer, before, after in shapes:
        if hasattr(layer, "layer_shapes"):
            yield from layer.layer_shapes(before)
        else:
            yield layer, before, after


def require_features(network, input_shape):
    """The input shape of a network as a tuple.

    Raises:
        ConfigError: it is not [batch, time, n_features, 1].
    """
    shape = tuple(input_shape)
    if len(shape) != 4 or shape[2:] != (network.n_features, 1):
        raise ConfigError(f"{type(network).__name__}: expected features [batch, time, {network.n_features}, 1]; received shape {shape}. "
                          "Build the network with the n_features of these features.")
    return shape
