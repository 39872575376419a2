"""Computes matrix products with an operator that every runtime rounds alike."""

import dataclasses

import numpy as np

from kws_tf.tflite.flatbuffer import Node
from kws_tf.tflite.nodes import convolution_options, reshape

CONV_VERSION = 3


def pointwise_products(graph):
    """Turns every int8 FULLY_CONNECTED of a graph into a CONV_2D of one tap, in place, with the same integers.

    Ties of an int8 FULLY_CONNECTED are rounded in one way by LiteRT 2.3, in another by tflite-runtime 2.14 and in a third by TFLite
    Micro, by their reference kernels too. All three agree on CONV_2D.

    Args:
        graph: flatbuffer.Graph, int8.
    """
    for product in [node for node in graph.nodes if node.operator == "FULLY_CONNECTED"]:
        weights, target = product.inputs[1], product.output
        classes, channels = weights.shape
        points = (1, int(np.prod(product.inputs[0].shape)) // channels, 1, channels)
        source = _as_points(graph, product.inputs[0], points, product)
        taps = dataclasses.replace(weights, shape=(classes, 1, 1, channels), data=weights.data.reshape(classes, 1, 1, channels))
        options = convolution_options(product.options.fusedActivationFunction)
        result = target.like(f"{target.name}/point", (*points[:3], classes))
        position = graph.nodes.index(product)
        graph.nodes[position:position + 1] = [Node("CONV_2D", [source, taps, *product.inputs[2:]], [result], options, CONV_VERSION),
                                              reshape(result, target)]


def _as_points(graph, tensor, shape, reader):
    """The values of a tensor as points [1, points, 1, channels] for a node: from the node that makes them, or by a RESHAPE."""
    if tensor.shape == shape:
        return tensor
    maker = graph.producer(tensor)
    if maker is not None and graph.only_consumer(tensor) is reader:
        source = maker.inputs[0]
        if maker.operator == "RESHAPE" and source.shape == shape:
            graph.nodes.remove(maker)
            return source
        if maker.operator == "MEAN" and _mean_of_all(maker) and shape[1] == 1:
            maker.options.keepDims, tensor.shape = True, shape
            return tensor
        if maker.operator == "L2_NORMALIZATION" and source.shape[-1] == shape[-1]:
            maker.inputs[0], tensor.shape = _as_points(graph, source, shape, maker), shape
            return tensor
    points = dataclasses.replace(tensor, name=f"{tensor.name}/points", shape=shape)
    graph.nodes.insert(graph.nodes.index(reader), reshape(tensor, points))
    return points


def _mean_of_all(mean):
    """Whether a MEAN leaves one value per channel of [1, height, width, channels]."""
    return len(mean.inputs[0].shape) == 4 and sorted(np.atleast_1d(mean.inputs[1].data) % 4) == [1, 2]
