import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.models import summary
from kws_tf.tflite import operators
from kws_tf.tflite.flatbuffer import Node, Tensor, constant, read


def test_counts_and_macs_of_the_float_file_are_those_of_the_network(exported, small_network):
    content = (exported / "float32" / "model.tflite").read_bytes()
    counts = operators.count(content)
    assert sum(entry.count for entry in counts) == len(read(content).nodes)
    assert [entry.count for entry in counts] == sorted((entry.count for entry in counts), reverse=True)
    network = summary.totals(summary.layer_costs(small_network.model, n_frames=small_network.features.shape[1]))["macs"]
    # The normalisations are MUL and ADD in this file.
    assert sum(entry.macs for entry in counts) == network


def test_macs_by_hand():
    x = Tensor("x", (1, 8, 6, 4), "float32")
    conv = Node("CONV_2D", [x, constant("w", np.zeros((5, 3, 2, 4), np.float32))], [Tensor("y", (1, 6, 5, 5), "float32")])
    assert operators.macs(conv) == 6 * 5 * 5 * 3 * 2 * 4
    depthwise = Node("DEPTHWISE_CONV_2D", [x, constant("w", np.zeros((1, 3, 2, 4), np.float32))], [Tensor("y", (1, 6, 5, 4), "float32")])
    assert operators.macs(depthwise) == 6 * 5 * 4 * 3 * 2
    matmul = schema.BatchMatMulOptionsT()
    matmul.adjX = False
    factors = [Tensor("a", (1, 7, 3), "int16"), Tensor("b", (1, 3, 9), "int16")]
    product = Node("BATCH_MATMUL", factors, [Tensor("y", (1, 7, 9), "int16")], matmul)
    assert operators.macs(product) == 7 * 3 * 9
    assert operators.macs(Node("ADD", [x, x], [x])) == 0
