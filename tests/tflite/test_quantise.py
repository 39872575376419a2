import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError
from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant
from kws_tf.tflite.nodes import SATURATING, depthwise
from kws_tf.tflite.quantise import affine, quantise


@pytest.mark.parametrize("low, high, scale, zero_point", [
    (-128.0, 127.0, 1.0, 0), (0.0, 25.5, 0.1, -128), (-25.5, 0.0, 0.1, 127), (-1.0, 3.0, 4 / 255, -64)])
def test_affine_spans_the_range_and_holds_zero(low, high, scale, zero_point):
    found = affine(low, high)
    assert found == (pytest.approx(scale), zero_point)
    assert (-128 - found[1]) * found[0] == pytest.approx(low, abs=found[0] / 2)


def depthwise_graph(weights, bias):
    x, y = Tensor("x", (1, 5, 1, 3), "float32"), Tensor("y", (1, 5, 1, 3), "float32")
    node = depthwise(x, np.float32(weights).reshape(1, 1, 1, 3), np.float32(bias), y)
    return Graph([node], [x], [y]), {id(x): (-2.0, 2.0), id(y): (-4.0, 4.0)}


def test_weights_have_a_scale_per_channel_and_biases_the_product():
    graph, ranges = depthwise_graph([1.27, -0.254, 0.5], [1.0, -1.0, 0.0])
    quantised = quantise(graph, ranges)
    source, weights, bias = quantised.nodes[0].inputs
    assert (source.dtype, weights.dtype, bias.dtype, quantised.nodes[0].output.dtype) == ("int8", "int8", "int32", "int8")
    np.testing.assert_allclose(weights.scales, [0.01, 0.002, 0.5 / 127], rtol=1e-6)
    assert weights.axis == 3 and weights.data.ravel().tolist() == [127, -127, 127] and not weights.zero_points.any()
    np.testing.assert_allclose(bias.scales, weights.scales * source.scales[0], rtol=1e-6)
    np.testing.assert_allclose(bias.data * bias.scales, [1, -1, 0], rtol=1e-4)
    assert graph.nodes[0].inputs[1].dtype == "float32" and quantised.nodes[0].version == 3


def test_weights_have_one_scale_where_a_largest_weight_is_given():
    graph, ranges = depthwise_graph([1.27, -0.254, 0.5], [1.0, -1.0, 0.0])
    _, weights, bias = quantise(graph, ranges, {id(graph.nodes[0]): 2.54}).nodes[0].inputs
    np.testing.assert_allclose(weights.scales, [0.02], rtol=1e-6)
    assert weights.data.ravel().tolist() == [64, -13, 25] and len(bias.scales) == 1


def test_a_saturating_output_has_steps_of_its_own():
    graph, ranges = depthwise_graph([1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    graph.nodes[0].options.fusedActivationFunction = SATURATING
    output = quantise(graph, ranges).nodes[0].output.spec
    assert (output.scale, output.zero_point) == (1 / 128, 0)


def test_a_channel_without_weight_keeps_its_bias():
    graph, ranges = depthwise_graph([1.0, 0.0, 1e-20], [0.0, 3.0, -3.0])
    _, weights, bias = quantise(graph, ranges).nodes[0].inputs
    np.testing.assert_allclose(bias.data * bias.scales, [0, 3, -3], rtol=1e-4)
    assert np.abs(bias.data.astype(np.int64)).max() <= 1 << 30 and np.isfinite(weights.scales).all()


def test_scales_of_operators_that_do_not_rescale():
    x, padded, gated, limited = (Tensor(name, (1, 2, 1, 3), "float32") for name in ("x", "padded", "gated", "limited"))
    widths = constant("w", np.zeros((4, 2), np.int32))
    nodes = [Node("PAD", [x, widths], [padded]), Node("LOGISTIC", [padded], [gated]),
             Node("MINIMUM", [gated, constant("half", np.float32(0.5))], [limited])]
    quantised = quantise(Graph(nodes, [x], [limited]), {id(x): (-1.0, 3.0)})
    pad, logistic, minimum = quantised.nodes
    assert pad.output.spec.scale == pad.inputs[0].spec.scale and pad.inputs[1] is widths
    assert (logistic.output.spec.scale, logistic.output.spec.zero_point) == (1 / 256, -128)
    assert (minimum.output.spec.scale, minimum.inputs[1].spec.scale, int(minimum.inputs[1].data)) == (1 / 256, 1 / 256, 0)


def test_constants_of_element_wise_operators_get_a_grid_of_their_own():
    x, y = Tensor("x", (1, 3), "float32"), Tensor("y", (1, 3), "float32")
    graph = Graph([Node("MUL", [x, constant("c", np.float32([0.5, 1.0, 0.25]))], [y], schema.MulOptionsT())], [x], [y])
    stored = quantise(graph, {id(x): (-1.0, 1.0), id(y): (-1.0, 1.0)}).nodes[0].inputs[1]
    np.testing.assert_allclose((stored.data.astype(float) - stored.zero_points[0]) * stored.scales[0], [0.5, 1.0, 0.25], atol=0.002)


def test_an_operator_without_integer_form_is_named():
    x, y = Tensor("x", (1, 3), "float32"), Tensor("strange/y", (1, 3), "float32")
    with pytest.raises(ConversionError, match=r"operator COS \(strange/y\) has no int8 form here; known are ADD"):
        quantise(Graph([Node("COS", [x], [y])], [x], [y]), {id(x): (-1.0, 1.0)})


def test_concatenated_tensors_share_one_scale_that_holds_all_of_them():
    a, b, c = (Tensor(name, (1, 2, 1, 3), "float32") for name in "abc")
    turned, both = Tensor("turned", b.shape, "float32"), Tensor("both", (1, 2, 2, 3), "float32")
    twice = Tensor("e", (1, 2, 3, 3), "float32")
    join = schema.ConcatenationOptionsT()
    join.axis = 2
    relu = [Node("RELU", [source], [target]) for source, target in ((a, b), (a, c))]
    order = constant("o", np.int32([0, 1, 2, 3]))
    graph = Graph([*relu, Node("TRANSPOSE", [b, order], [turned]), Node("CONCATENATION", [a, turned], [both], join),
                   Node("CONCATENATION", [both, c], [twice], join)], [a], [twice])
    ranges = {id(a): (-1.0, 2.0), id(b): (0.0, 3.0), id(c): (-2.0, 0.5)}
    quantised = quantise(graph, {**ranges, **{id(tensor): (-9.0, 9.0) for tensor in (turned, both, twice)}})
    grids = {(float(tensor.scales[0]), int(tensor.zero_points[0])) for tensor in quantised.tensors() if tensor.scales is not None}
    scale, zero_point = affine(-2.0, 3.0)
    assert grids == {(float(np.float32(scale)), zero_point)}
