import dataclasses

import numpy as np
import pytest

from kws_tf.detector_settings import DetectorSettings
from kws_tf.errors import ConfigError
from kws_tf.runtime.detector import Detector, Event, detect, mean_scores

LABELS = ("_unknown_", "jarvis", "computer")
KEYWORDS = ("jarvis", "computer")


def streamed(scores, settings, keywords=KEYWORDS, labels=LABELS, hop=160):
    """Events by Detector.step: complete ones as they end, the open one last."""
    detector = Detector(labels, keywords, settings)
    changes = [detector.step(row, (index + 1) * hop) for index, row in enumerate(scores.tolist())]
    started = [event for event in changes if event and event.end_sample is None]
    ended = [event for event in changes if event and event.end_sample is not None]
    assert [event.start_sample for event in started][:len(ended)] == [event.start_sample for event in ended]
    return ended + ([detector.event] if detector.event else [])


def at_once(scores, settings, keywords=KEYWORDS, labels=LABELS, hop=160):
    return detect(scores, hop * np.arange(1, len(scores) + 1), labels, keywords, settings)


def rows(jarvis, computer=None):
    jarvis = np.array(jarvis)
    computer = np.zeros_like(jarvis) if computer is None else np.array(computer)
    return np.stack([255 - jarvis - computer, jarvis, computer], 1).astype(np.uint8)


def random_scores(random, n_scores, n_classes):
    """Bytes that rest, rise and fall as those of words do: a smoothed random walk of logits through a softmax."""
    steps = random.normal(size=(n_scores, n_classes)) * random.uniform(0.2, 4)
    logits = np.cumsum(steps, 0) * random.choice([0.0, 1.0]) + steps * random.uniform(0, 2)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.floor(255 * powers / powers.sum(1, keepdims=True) + 0.5).astype(np.uint8)


def test_by_hand():
    settings = DetectorSettings(threshold=100, release=60, window_scores=2, refractory_scores=6)
    #       mean      0   50  100  150  125   75   50   50  100 |150 (refractory until 8)
    scores = rows([0, 100, 100, 200, 50, 100, 0, 100, 100, 200, 0])
    assert streamed(scores, settings) == [Event("jarvis", 150, 480, 640, 1120), Event("jarvis", 150, 1440, 1600, None)]
    assert at_once(scores, settings) == streamed(scores, settings)


def test_mean_is_rounded_down_and_starts_with_zeros():
    assert mean_scores(rows([255, 254, 1, 0]), LABELS, KEYWORDS, 3)[:, 0].tolist() == [85, 169, 170, 85]
    assert mean_scores(rows([255, 254, 1, 0]), LABELS, KEYWORDS, 3, warmup_scores=2)[:, 0].tolist() == [0, 0, 0, 0]
    assert mean_scores(rows([255, 254, 9, 0]), LABELS, KEYWORDS, 3, warmup_scores=1)[:, 0].tolist() == [0, 84, 87, 87]


def test_reported_at_the_start_and_at_the_end():
    detector = Detector(LABELS, KEYWORDS, DetectorSettings(threshold=200, release=100, window_scores=1, refractory_scores=0))
    changes = [detector.step(row, 10 * index) for index, row in enumerate(rows([0, 210, 250, 100, 99, 0]).tolist())]
    assert changes == [None, Event("jarvis", 210, 10, 10), None, None, Event("jarvis", 250, 10, 20, 40), None]
    assert detector.event is None and detector.means == (0, 0)


def test_hysteresis_holds_one_event_through_a_dip():
    dip = rows([0, 220, 160, 220, 0])
    narrow, wide = (DetectorSettings(200, release, 1, 0) for release in (200, 150))
    assert len(streamed(dip, narrow)) == 2 and len(streamed(dip, wide)) == 1


def test_refractory_counts_from_the_start():
    pulses = rows([255, 0, 255, 0, 255, 0])
    starts = {pause: [event.start_sample // 160 - 1 for event in streamed(pulses, DetectorSettings(200, 100, 1, pause))]
              for pause in (0, 2, 3, 4, 5)}
    assert starts == {0: [0, 2, 4], 2: [0, 2, 4], 3: [0, 4], 4: [0, 4], 5: [0]}


def test_keywords_exclude_each_other_and_ties_go_to_the_first():
    settings = DetectorSettings(100, 50, 1, 0)
    together = rows([0, 120, 120, 0, 0], [0, 120, 130, 200, 0])
    assert [(event.keyword, event.start_sample) for event in streamed(together, settings)] == [("jarvis", 320)]
    swapped = streamed(together, settings, keywords=("computer", "jarvis"))
    assert [(event.keyword, event.score, event.peak_sample) for event in swapped] == [("computer", 200, 640)]
    after = rows([0, 120, 0, 0, 0], [0, 0, 130, 200, 0])
    assert [(event.keyword, event.start_sample) for event in streamed(after, settings)] == [("jarvis", 320), ("computer", 640)]
    assert streamed(after, settings, keywords=("computer",))[0].start_sample == 480


def test_reset_forgets_everything():
    detector = Detector(LABELS, KEYWORDS, DetectorSettings(200, 100, 3, 50, 2))
    scores = rows([255] * 8)
    first = [detector.step(row, index) for index, row in enumerate(scores.tolist())]
    detector.reset()
    assert detector.event is None and detector.means == (0, 0)
    assert [detector.step(row, index) for index, row in enumerate(scores.tolist())] == first and any(first)


def test_frame_by_frame_and_at_once_agree_on_ten_thousand_random_streams():
    random = np.random.default_rng(7)
    n_events = n_open = 0
    for _ in range(10_000):
        n_classes = int(random.integers(2, 5))
        labels = tuple(f"label{index}" for index in range(n_classes))
        keywords = tuple(random.permutation(labels)[:random.integers(1, n_classes + 1)].tolist())
        threshold = int(random.integers(1, 256))
        settings = DetectorSettings(threshold, int(random.integers(1, threshold + 1)), int(random.integers(1, 7)),
                                    int(random.choice([0, 1, 2, 5, 20])), int(random.choice([0, 0, 3])))
        scores = random_scores(random, int(random.integers(1, 25)), n_classes)
        events = at_once(scores, settings, keywords, labels)
        assert events == streamed(scores, settings, keywords, labels), (settings, keywords, scores.tolist())
        n_events += len(events)
        n_open += any(event.end_sample is None for event in events)
    assert n_events > 5000 and n_open > 500


@pytest.mark.parametrize("keywords", [(), ("alexa",), ("jarvis", "jarvis")])
def test_wrong_keywords(keywords):
    with pytest.raises(ConfigError, match="keywords must be labels of the model.*Set --keywords"):
        Detector(LABELS, keywords, DetectorSettings())


def test_wrong_number_of_scores():
    with pytest.raises(ConfigError, match="3 bytes, one per label; received 2"):
        Detector(LABELS, KEYWORDS, DetectorSettings()).step((0, 1), 160)


def test_no_scores_no_events():
    assert at_once(np.zeros((0, 3), np.uint8), DetectorSettings()) == []
    assert dataclasses.astuple(DetectorSettings()) == (204, 153, 10, 100, 0)


def test_an_event_as_a_line():
    assert Event("x", 255, 100, 200).line(1000) == {
        "keyword": "x", "score": 1.0, "start_seconds": 0.1, "peak_seconds": 0.2, "end_seconds": None}
    assert Event("x", 51, 100, 200, 300).line(1000)["end_seconds"] == 0.3
