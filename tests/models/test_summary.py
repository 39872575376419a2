import math

import pytest

from kws_tf import models
from kws_tf.config import FeatureConfig, ModelConfig
from kws_tf.models import summary


@pytest.mark.parametrize("tau, parameters, macs, thop", [
    (0.625, 4_585, 1.247, 1.950),
    (1, 9_232, 2.482, 3.634),
    (1.5, 17_154, 4.608, 6.335),
    (2, 27_284, 7.324, 9.627),
    (3, 54_168, 14.525, 17.979),
    (6, 187_812, 50.283, 57.192),
    (8, 321_068, 85.919, 95.131),
])
def test_counts_of_bc_resnet_at_101_frames(tau, parameters, macs, thop):
    """Parameters and the two columns of operations, in millions, for 12 classes and 40 mels."""
    network = models.build(ModelConfig(tau=tau), FeatureConfig(), 12, None)
    totals = summary.totals(summary.layer_costs(network, 101))
    assert totals["parameters"] == parameters
    assert round(totals["macs"] / 1e6, 3) == macs
    assert round(totals["thop"] / 1e6, 3) == thop


def test_rows_in_order_of_computation():
    network = models.build(ModelConfig(), FeatureConfig(), 12, None)
    costs = summary.layer_costs(network, 101)
    assert [cost.name for cost in costs[:4]] == ["stem_conv", "stem_norm", "stage0_block0/transition_conv", "stage0_block0/transition_norm"]
    assert costs[-1].name == "classifier"
    by_name = {cost.name: cost for cost in costs}
    assert by_name["stem_conv"] == summary.LayerCost("stem_conv", "Conv2D", (101, 20, 16), 400, 25 * 16 * 20 * 101, 25 * 16 * 20 * 101)
    assert by_name["stage1_block0/frequency_conv"].output_shape == (101, 10, 12)
    assert by_name["stage1_block0/frequency_norm"].parameters == 2 * 12 * 5
    assert by_name["stage1_block0/frequency_norm"].thop == 4 * 101 * 10 * 12
    assert by_name["stage1_block0/frequency_mean"].thop == 101 * 12 * (10 + 1)
    assert by_name["mean"].thop == 101 * 32 + 32
    assert by_name["classifier"].macs == 32 * 12 and by_name["classifier"].parameters == 32 * 12 + 12
    assert not any("padding" in name or "dropout" in name for name in by_name)


@pytest.mark.parametrize("name", models.MODELS)
def test_every_network_is_counted_whole(name):
    network = models.build(ModelConfig(model=name), FeatureConfig(), 5, 30)
    costs = summary.layer_costs(network, 30)
    totals = summary.totals(costs)
    assert totals["parameters"] == sum(math.prod(weight.shape) for weight in network.trainable_weights)
    assert 0 < totals["macs"] <= totals["thop"]
    assert costs[-1].output_shape == (5,)


def test_operations_grow_with_the_frames_and_parameters_do_not():
    network = models.build(ModelConfig(), FeatureConfig(), 12, None)
    short, long = (summary.totals(summary.layer_costs(network, n)) for n in (50, 100))
    assert short["parameters"] == long["parameters"]
    classifier = 32 * 12
    assert long["macs"] - classifier == 2 * (short["macs"] - classifier)
