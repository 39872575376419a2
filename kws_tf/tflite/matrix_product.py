"""A product of rows with a matrix for every channel, and a bias, as BATCH_MATMUL.

TFLite Micro keeps eight bytes for every output channel of a convolution in its arena, for a BATCH_MATMUL four for all: with one scale for
all weights it computes the same integers in less. It has neither bias nor activation. Constant rows take part, whose products add up to
the bias exactly; a ReLU is the lower end of an int8 output.
"""

import dataclasses

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.flatbuffer import Node, Tensor
from kws_tf.tflite.nodes import concatenation

LAST = 3
LARGEST = 127
VERSION = 2


def matrix_product(values, weights, scales, bias, output, name):
    """The nodes CONCATENATION and BATCH_MATMUL.

    Args:
        values: Tensors [n, channels, 1, rows], joined along their rows.
        weights: int8 [n or 1, channels, outputs, all rows]; n = 1 of the values may meet several of the weights.
        scales: float32 [1], of the weights. bias: int32 [channels, outputs], in steps of values times weights.
        output: Tensor [n, channels, 1, outputs]. name: of the joined rows.

    Returns:
        list of two Nodes.
    """
    constants, matrix = with_bias(weights, bias, values[0].spec.zero_point)
    shape = values[0].shape[:LAST]
    ones = dataclasses.replace(values[0], name="o", shape=(*shape, len(constants)),
                               data=np.array(np.broadcast_to(constants.astype(np.int8), (*shape, len(constants)))))
    joined = dataclasses.replace(values[0], name=name, shape=(*shape, matrix.shape[LAST]))
    kernel = Tensor("w", matrix.shape, "int8", matrix, scales, np.zeros(1, np.int64))
    options = schema.BatchMatMulOptionsT()
    options.adjX, options.adjY, options.asymmetricQuantizeInputs = False, True, False
    return [concatenation([*values, ones], joined, LAST), Node("BATCH_MATMUL", [joined, kernel], [output], options, VERSION)]


def with_bias(weights, bias, zero_point):
    """Constant rows, and the weights with which they add up to the bias.

    Args:
        weights: int8 [..., rows]. bias: int32, of the shape of the weights without rows, or one that spreads to it.
        zero_point: of the rows.

    Returns:
        (integers [n] of the constant rows, int8 weights [..., rows + n]).
    """
    bias = np.broadcast_to(bias, weights.shape[:-1])
    most = LARGEST - zero_point
    coarse = np.rint(bias / most).astype(np.int64)
    values, parts = [zero_point + 1], [bias - coarse * most]
    while coarse.any():
        parts.append(np.clip(coarse, -LARGEST, LARGEST))
        values.append(LARGEST)
        coarse = coarse - parts[-1]
    return np.array(values), np.concatenate([weights, np.stack(parts, -1)], -1).astype(np.int8)
