import numpy as np
import pytest

from kws_tf.errors import ConfigError
from kws_tf.layers import TemporalPadding
from tests.layers.contract import check_layer


def test_contract(tmp_path):
    check_layer(lambda **kwargs: TemporalPadding(3, dilation=2, padding="symmetric", rows=1, **kwargs), (5, 4, 3), (9, 6, 3), tmp_path)


@pytest.mark.parametrize("padding, expected", [
    ("causal", [0, 0, 0, 0, 1, 2]),
    ("symmetric", [0, 0, 1, 2, 0, 0]),
])
def test_where_the_zeros_go(padding, expected):
    x = np.array([1, 2], np.float32).reshape(1, 2, 1, 1)
    assert np.ravel(TemporalPadding(3, dilation=2, padding=padding)(x)).tolist() == expected


def test_even_kernel_takes_the_larger_part_after_as_tensorflow_does():
    x = np.array([1, 2], np.float32).reshape(1, 2, 1, 1)
    assert np.ravel(TemporalPadding(4, padding="symmetric")(x)).tolist() == [0, 1, 2, 0, 0]


def test_rows_pad_both_ends_of_the_frequency_axis():
    y = np.array(TemporalPadding(1, rows=2)(np.ones((1, 1, 3, 1), np.float32)))
    assert y.ravel().tolist() == [0, 0, 1, 1, 1, 0, 0]


def test_state_and_lookahead():
    causal, symmetric = TemporalPadding(5, dilation=2), TemporalPadding(5, dilation=2, padding="symmetric")
    assert (causal.state_frames, causal.lookahead_frames) == (8, 0)
    assert (symmetric.state_frames, symmetric.lookahead_frames) == (8, 4)


def test_step_puts_earlier_frames_in_the_place_of_the_zeros():
    layer, x = TemporalPadding(3, dilation=2, rows=1), np.arange(1, 8, dtype=np.float32).reshape(1, 7, 1, 1)
    state = np.zeros((1, *layer.state_shape((None, None, 1, 1))), np.float32)
    assert state.shape == (1, 4, 1, 1)
    windows = []
    for piece in (x[:, :1], x[:, 1:3], x[:, 3:]):
        window, state = layer.step(piece, state)
        assert not np.any(window[:, :, 0]) and not np.any(window[:, :, 2])
        windows.append(np.ravel(window[:, :, 1]).tolist())
    assert windows == [[0, 0, 0, 0, 1], [0, 0, 0, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7]]
    assert np.ravel(state).tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize("arguments, message", [
    ({"kernel_frames": 0}, "kernel_frames must be a whole number, at least 1; received 0"),
    ({"kernel_frames": 3, "dilation": 1.5}, "dilation must be a whole number, at least 1; received 1.5"),
    ({"kernel_frames": 3, "rows": -1}, "rows must be a whole number, at least 0; received -1"),
    ({"kernel_frames": 3, "padding": "same"}, "must be 'causal' or 'symmetric'; received 'same'"),
])
def test_refuses(arguments, message):
    with pytest.raises(ConfigError, match=message):
        TemporalPadding(**arguments)
