"""Which parts of a network look ahead."""

import pytest

from kws_tf import models
from kws_tf.config import FEATURE_PRESETS, ModelConfig
from kws_tf.errors import ConfigError
from kws_tf.layers import TemporalPadding
from kws_tf.models.time_padding import stage_paddings

S, C = "symmetric", "causal"


@pytest.mark.parametrize("padding, stages, expected", [
    ("causal", 0, (C, C, C, C, C, C)), ("symmetric", 0, (S, S, S, S, S, S)),
    ("mixed", 1, (S, S, C, C, C, C)), ("mixed", 3, (S, S, S, S, C, C)), ("mixed", 4, (S, S, S, S, S, C)),
])
def test_stem_stages_and_head(padding, stages, expected):
    assert stage_paddings(padding, stages, 4) == expected


@pytest.mark.parametrize("padding, stages, message", [
    ("same", 0, "padding must be 'causal', 'symmetric' or 'mixed'; received 'same'. Set --padding"),
    ("mixed", 0, "lookahead_stages must be 1 to 4 with padding='mixed'; received 0. Set --lookahead_stages"),
    ("mixed", 5, "lookahead_stages must be 1 to 4 with padding='mixed'; received 5"),
    ("causal", 2, "lookahead_stages must be 0 with padding='causal'; received 2"),
])
def test_bad_combinations_are_refused(padding, stages, message):
    with pytest.raises(ConfigError, match=message):
        stage_paddings(padding, stages, 4)


@pytest.mark.parametrize("name, features, lookahead", [
    ("bc_resnet", "bc_resnet", [2, *[1] * 2, *[2] * 2, *[0] * 8, 0]), ("sparknet", "sparknet", [5, 7, 0, 0]),
    ("ds_cnn", "mlperf_tiny", [5, 1, 1, 0, 0]),
])
def test_networks_place_their_paddings_by_it(name, features, lookahead):
    """The layers over time in order: the stem, stages of 2, 2, 4 and 4 blocks (BC-ResNet) or 1 each, and BC-ResNet's head."""
    features = FEATURE_PRESETS[features]
    network = models.build(ModelConfig(model=name, padding="mixed", lookahead_stages=2), features, 3, 49, seed=1)
    layers = [layer for layer, _, _ in network.layer_shapes((1, 49, features.n_features, 1)) if isinstance(layer, TemporalPadding)]
    assert [layer.lookahead_frames for layer in layers] == lookahead
    assert type(network).from_config(network.get_config()).get_config() == network.get_config()
