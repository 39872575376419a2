import dataclasses

import numpy as np
import pytest

from kws_tf.detector_settings import DetectorSettings
from kws_tf.evaluation.annotations import Word
from kws_tf.evaluation.detection import match
from kws_tf.evaluation.score_track import Track
from kws_tf.evaluation.sweep import Sweep
from kws_tf.runtime.detector import detect

LABELS, KEYWORDS = ("_unknown_", "jarvis", "computer"), ("jarvis", "computer")


def track(seed, n_scores=1000):
    """Scores with bumps of random height, 10 ms apart."""
    random = np.random.default_rng(seed)
    scores = np.zeros((n_scores, 3))
    for start in range(50, n_scores - 100, 100):
        k, height = random.integers(1, 3), random.integers(20, 256)
        scores[start:start + 30, k] = height
    scores[:, 0] = 255 - scores.sum(1)
    return Track(str(seed), scores.astype(np.uint8), 160 * np.arange(1, n_scores + 1), 160 * n_scores, 16000, 0.0)


@pytest.fixture(scope="module")
def material():
    negative, positive = [track(1), track(2)], [track(3), track(4)]
    words = [[Word(start / 100, start / 100 + 0.3, KEYWORDS[start // 100 % 2]) for start in range(50, 900, 100)] for _ in positive]
    return negative, positive, words


def test_points_equal_the_detector_on_every_recording(material):
    negative, positive, words = material
    settings = DetectorSettings(120, 80, 5, 30, 3)
    sweep = Sweep(LABELS, KEYWORDS, negative, positive, words, count_positive=True)
    for other in (settings, dataclasses.replace(settings, window_scores=9), dataclasses.replace(settings, threshold=200), settings):
        false, hits = 0, 0
        for one in negative:
            false += len(detect(one.scores, one.end_samples, LABELS, KEYWORDS, other))
        for one, own in zip(positive, words, strict=True):
            found = match(detect(one.scores, one.end_samples, LABELS, KEYWORDS, other), own, 16000)
            hits, false = hits + len(found.hits), false + len(found.false_accepts)
        point = sweep.point(other)
        assert (point["hits"], point["false_accepts"], point["misses"]) == (hits, false, 18 - hits) and hits > 2 and false > 2
    assert sweep.hours == pytest.approx(40 / 3600) and sweep.n_words == 18
    alone = Sweep(LABELS, KEYWORDS, negative, positive, words)
    assert alone.hours == pytest.approx(20 / 3600) and alone.point(settings)["false_accepts"] < sweep.point(settings)["false_accepts"]


def test_a_curve_keeps_the_ratio_of_the_release_and_falls(material):
    negative, positive, words = material
    curve = Sweep(LABELS, KEYWORDS, negative, positive, words).curve(DetectorSettings(200, 100, 1, 0), range(1, 256, 10))
    assert [point["threshold"] for point in curve] == list(range(1, 256, 10))
    # Bumps are apart, so a higher threshold only takes events away.
    for name in ("hits", "false_accepts"):
        assert np.all(np.diff([point[name] for point in curve]) <= 0) and curve[0][name] > curve[-1][name]
