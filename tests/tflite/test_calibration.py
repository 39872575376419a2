import numpy as np
import pytest

from kws_tf.errors import ConversionError
from kws_tf.tflite.calibration import choose_clips

LABELS = np.repeat([0, 1, 2], [50, 30, 4])


def test_classes_are_served_in_turn():
    chosen = choose_clips(LABELS, 30, seed=1)
    assert len(set(chosen.tolist())) == 30 and (np.diff(chosen) > 0).all()
    assert np.bincount(LABELS[chosen]).tolist() == [13, 13, 4]


def test_seed_decides():
    assert (choose_clips(LABELS, 20, seed=1) == choose_clips(LABELS, 20, seed=1)).all()
    assert (choose_clips(LABELS, 20, seed=1) != choose_clips(LABELS, 20, seed=2)).any()


def test_all_of_them_if_there_are_fewer():
    assert choose_clips(LABELS, 1000, seed=1).tolist() == list(range(84))


@pytest.mark.parametrize("labels, n_clips", [([], 5), (LABELS, 0)])
def test_refuses_nothing(labels, n_clips):
    with pytest.raises(ConversionError, match="Set --calibration_clips"):
        choose_clips(labels, n_clips, seed=1)
