import numpy as np
import pytest

from kws_tf.errors import ConfigError
from kws_tf.recall_area import ClipRecallArea, recall_area


@pytest.mark.parametrize("points, hours, area", [
    # (false accepts, hits) of 10 words
    ([(0, 10)], 1.0, 1.0),
    ([(0, 0), (3, 10)], 1.0, 0.0),
    ([(0, 4), (1, 8)], 1.0, (0.4 + 0.8) / 2),
    ([(1, 8), (0, 4)], 1.0, (0.4 + 0.8) / 2),
    ([(1, 8)], 1.0, 0.8 / 2),
    ([(1, 4), (0, 8)], 1.0, 0.8),
    ([(0, 2), (1, 6), (2, 8), (9, 10)], 2.0, (0.5 * 0.2 + 0.5 * 0.6 + 1.0 * 0.8) / 2),
    ([(1, 9)], 0.5, 0.0),
    ([(1, 9)], 0.1, 0.0),
])
def test_area_by_hand(points, hours, area):
    assert recall_area(*zip(*points, strict=True), 10, hours) == pytest.approx(area)


CLASSES = ("_silence_", "jarvis", "computer", "_unknown_")
RATE = 16000


def logits_of(rows):
    """Logits whose softmax are the rows."""
    return np.log(np.maximum(np.array(rows), 1e-9))


def test_clips_by_hand():
    rows = [[0.1, 0.9, 0.0, 0.0],   # jarvis, right at 0.9
            [0.2, 0.1, 0.7, 0.0],   # jarvis, taken for computer at 0.7: a false accept
            [0.0, 0.0, 0.5, 0.5],   # computer, right at 0.5
            [0.4, 0.6, 0.0, 0.0],   # silence, a false accept at 0.6
            [0.0, 0.0, 0.2, 0.8]]   # unknown, a false accept at 0.2
    labels = [1, 1, 2, 0, 3]
    area = ClipRecallArea(CLASSES, labels, [RATE] * 5, RATE, RATE)
    assert area.hours == pytest.approx(2 / 3600)
    # One false accept in two seconds is far above 2 per hour: only the recall above 0.7 counts.
    assert area(logits_of(rows)) == pytest.approx(1 / 3)
    # As if every second of the negatives lasted an hour: 0, 1, 2 and 3 false accepts come at 0, 0.5, 1 and 1.5 per hour.
    area.hours = 2.0
    assert area(logits_of(rows)) == pytest.approx((0.5 * 1 / 3 + 0.5 * 1 / 3 + 1.0 * 2 / 3) / 2)


def test_it_is_the_area_of_all_thresholds():
    random = np.random.default_rng(4)
    labels = random.integers(0, 4, 200)
    rows = random.dirichlet([0.4] * 4, 200) + 0.4 * np.eye(4)[labels]
    rows /= rows.sum(1, keepdims=True)
    area = ClipRecallArea(CLASSES, labels, [RATE] * 200, RATE, RATE)
    area.hours = 10.0
    false, hits = [], []
    for threshold in [*rows[:, 1], *rows[:, 2], 2.0]:
        answer, score = 1 + rows[:, 1:3].argmax(1), rows[:, 1:3].max(1)
        right = (labels == answer) & (score >= threshold - 1e-12)
        hits.append(right.sum())
        false.append(((score >= threshold - 1e-12) & ~right).sum())
    expected = recall_area(false, hits, np.isin(labels, (1, 2)).sum(), 10.0)
    assert area(np.log(np.maximum(rows, 1e-300))) == pytest.approx(expected) and 0.2 < expected < 0.95


def test_hours_are_what_the_network_saw():
    area = ClipRecallArea(CLASSES, [0, 3, 1], [RATE, 10 * RATE, 5], 2 * RATE, RATE)
    assert area.hours == pytest.approx(3 / 3600)


@pytest.mark.parametrize("labels", [[1, 2], [0, 3]])
def test_one_kind_of_clips_is_not_enough(labels):
    with pytest.raises(ConfigError, match="--monitor=recall_area needs validation clips of keywords and of classes without keywords"):
        ClipRecallArea(CLASSES, labels, [RATE] * 2, RATE, RATE)
