"""Lets convolutions pad by themselves, or has a node do it."""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.executor import same_padding
from kws_tf.tflite.flatbuffer import CONVOLUTIONS, Node, constant
from kws_tf.tflite.nodes import TIME


def fold_paddings(graph):
    """Removes a PAD of zeros ahead of a convolution whose own padding, SAME, gives the same zeros, in place.

    For float32 and int8 graphs alike: a convolution pads with the zero point, and so does PAD. A stride along an axis that is not
    padded and leaves one output may be any number; it becomes the size of that axis where SAME would pad otherwise.

    Args:
        graph: flatbuffer.Graph of one recording. A streaming graph needs its paddings over time as nodes.
    """
    for node in list(graph.nodes):
        reader = graph.only_consumer(node.output) if node.operator == "PAD" else None
        if reader is None or reader.operator not in CONVOLUTIONS or reader.inputs[0] is not node.output:
            continue
        strides = _strides_of_same(node, reader)
        if strides is not None:
            reader.options.strideH, reader.options.strideW = strides
            reader.options.padding = schema.Padding.SAME
            reader.inputs[0] = node.inputs[0]
            graph.nodes = [entry for entry in graph.nodes if entry is not node]


def unfold_time_paddings(graph):
    """Puts a PAD ahead of every convolution whose own padding, SAME, adds zeros over time, in place: the inverse of fold_paddings.

    TensorFlow's converter folds such paddings from version 2.21 on, and a stream has to put earlier frames into their place.

    Args:
        graph: flatbuffer.Graph of one recording.
    """
    for node in list(graph.nodes):
        if node.operator not in CONVOLUTIONS or node.options.padding != schema.Padding.SAME:
            continue
        source, taps, options = node.inputs[0], node.inputs[1].shape, node.options
        widths = np.zeros((4, 2), np.int32)
        widths[1] = same_padding(source.shape[1], taps[1], options.strideH, options.dilationHFactor)
        widths[2] = same_padding(source.shape[2], taps[2], options.strideW, options.dilationWFactor)
        if not widths[TIME].any():
            continue
        # the converter gave the convolution the name of the padding, which is what a state is called by
        name = node.output.name if node.output.name.endswith("/Pad") else f"{node.output.name}/padding/Pad"
        padded = source.like(name, tuple(size + sum(width) for size, width in zip(source.shape, widths.tolist(), strict=True)))
        graph.nodes.insert(graph.nodes.index(node), Node("PAD", [source, constant("p", widths)], [padded], schema.PadOptionsT()))
        node.inputs[0] = padded
        options.padding = schema.Padding.VALID


def _strides_of_same(pad, convolution):
    """(strideH, strideW) with which SAME stands for a PAD node; None if there are none."""
    options, widths = convolution.options, np.asarray(pad.inputs[1].data)
    if options.padding != schema.Padding.VALID or widths[[0, 3]].any():
        return None
    found = []
    for axis, stride, dilation in ((1, options.strideH, options.dilationHFactor), (2, options.strideW, options.dilationWFactor)):
        size, taps = pad.inputs[0].shape[axis], convolution.inputs[1].shape[axis]
        wanted, outputs = tuple(widths[axis].tolist()), convolution.output.shape[axis]
        candidates = [stride, size] if outputs == 1 else [stride]
        fitting = [each for each in candidates if -(-size // each) == outputs and same_padding(size, taps, each, dilation) == wanted]
        if not fitting:
            return None
        found.append(fitting[0])
    return tuple(found)
