"""What a TFLite file consists of: its operators and the multiply-accumulates of each, read from the file itself."""

import collections

import numpy as np

from kws_tf.manifest import OperatorCount
from kws_tf.tflite import flatbuffer


def count(content):
    """How often each operator occurs in each version, for the manifest.

    Args:
        content: bytes of the file.

    Returns:
        tuple of OperatorCount, most frequent first.
    """
    counts, total = collections.Counter(), collections.Counter()
    for node in flatbuffer.read(content).nodes:
        counts[node.operator, node.version] += 1
        total[node.operator, node.version] += macs(node)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(OperatorCount(name, version, number, total[name, version]) for (name, version), number in ordered)


def macs(node):
    """Multiply-accumulates of one node: output elements times the taps that feed each; 0 for all but convolutions and products."""
    if not node.outputs:
        return 0
    elements = int(np.prod(node.output.shape))
    if node.operator == "CONV_2D":
        return elements * int(np.prod(node.inputs[1].shape[1:]))
    if node.operator == "DEPTHWISE_CONV_2D":
        return elements * int(np.prod(node.inputs[1].shape[1:3]))
    if node.operator == "FULLY_CONNECTED":
        return elements * node.inputs[1].shape[1]
    if node.operator == "BATCH_MATMUL":
        return elements * node.inputs[0].shape[-2 if node.options.adjX else -1]
    return 0
