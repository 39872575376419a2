"""Computes the logits with an operator that every runtime rounds alike."""

from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.flatbuffer import Node, Tensor
from kws_tf.tflite.nodes import NO_ACTIVATION, reshape

CONV_VERSION = 3


def pointwise_logits(graph):
    """Turns an int8 FULLY_CONNECTED at the end of a graph into a CONV_2D of one tap, in place, with the same integers.

    Ties of an int8 FULLY_CONNECTED are rounded in one way by LiteRT 2.3, in another by tflite-runtime 2.14 and in a third by TFLite
    Micro, by their reference kernels too. All three agree on CONV_2D. A product whose input is no mean and no RESHAPE of one point,
    such as ArcFace's cosines, stays.

    Args:
        graph: flatbuffer.Graph, int8.
    """
    product = graph.producer(graph.outputs[0])
    if product is None or product.operator != "FULLY_CONNECTED" or product.options.fusedActivationFunction != NO_ACTIVATION:
        return
    point = _point(graph, product.inputs[0])
    if point is None:
        return
    weights, logits = product.inputs[1], product.output
    weights.shape = (weights.shape[0], 1, 1, weights.shape[1])
    weights.data = weights.data.reshape(weights.shape)
    options = schema.Conv2DOptionsT()
    options.padding, options.fusedActivationFunction = schema.Padding.VALID, NO_ACTIVATION
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    scored = Tensor(f"{logits.name}/point", (1, 1, 1, logits.shape[-1]), logits.dtype, scales=logits.scales, zero_points=logits.zero_points)
    position = graph.nodes.index(product)
    graph.nodes[position:position + 1] = [Node("CONV_2D", [point, *product.inputs[1:]], [scored], options, CONV_VERSION),
                                          reshape(scored, logits)]


def _point(graph, vector):
    """The values of [1, channels] as one point [1, 1, 1, channels], from the node that makes them; None if it makes no such thing."""
    before = graph.producer(vector)
    if before is None or len(graph.consumers(vector)) > 1:
        return None
    shape = (1, 1, 1, vector.shape[-1])
    if before.operator == "RESHAPE" and before.inputs[0].shape == shape:
        graph.nodes = [node for node in graph.nodes if node is not before]
        return before.inputs[0]
    if before.operator == "MEAN" and len(before.inputs[0].shape) == len(shape) and len(vector.shape) < len(shape):
        before.options.keepDims, vector.shape = True, shape
        return vector
    return None
