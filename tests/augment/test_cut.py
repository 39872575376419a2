import keras
import numpy as np
import pytest
import tensorflow as tf

from kws_tf.augment.cut import cut


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_cuts_begin_at_their_starts(dtype):
    signal = keras.ops.convert_to_tensor(np.arange(10, 20).astype(dtype))
    got = cut(signal, keras.ops.convert_to_tensor(np.array([7, 0, 2], np.int32)), 3)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, [[17, 18, 19], [10, 11, 12], [12, 13, 14]])


def test_static_shape_and_free_batch_size_in_a_graph():
    graph = tf.function(lambda starts: cut(tf.range(100), starts, 5), input_signature=[tf.TensorSpec([None], tf.int32)])
    assert graph.get_concrete_function().output_shapes == tf.TensorShape([None, 5])
    np.testing.assert_array_equal(graph(tf.constant([3, 95])), [[3, 4, 5, 6, 7], [95, 96, 97, 98, 99]])
