"""The detector and the score bytes in C++ against those of kws_tf.runtime, on the golden streams and on random ones."""

import json
import subprocess

import numpy as np
import pytest

from kws_tf.detector_settings import DetectorSettings
from kws_tf.manifest import TensorSpec
from kws_tf.runtime.detector import Detector
from kws_tf.runtime.score_bytes import ScoreBytes, exponential_table
from tests.firmware.conftest import HERE

GOLDEN = json.loads((HERE.parents[1] / "firmware" / "golden" / "detector.json").read_text(encoding="utf-8"))
HOP = 160


def stream(values, chosen, settings, exponentials=()):
    """What detector_program.cc reads for one stream."""
    head = [int(bool(exponentials)), values.shape[1], len(chosen), settings.threshold, settings.release, settings.window_scores,
            settings.refractory_scores, settings.warmup_scores, HOP, len(values)]
    return np.concatenate([head, chosen, exponentials, values.reshape(-1)]).astype("<i4").tobytes()


def golden_stream(case):
    chosen = [case["labels"].index(keyword) for keyword in case["keywords"]]
    return stream(np.array(case["logits"]), chosen, DetectorSettings(**case["settings"]), exponential_table(case["scale"]))


def golden_lines(number, case):
    """What the program has to print for a golden stream."""
    changes = {event["at"]: event for event in case["events"]}
    for at, scores in enumerate(case["scores"]):
        yield f"{number} scores {' '.join(map(str, scores))}"
        if at in changes:
            yield line(number, at, changes[at], case["keywords"])


def line(number, at, event, keywords):
    return (f"{number} {at} {'started' if event['end_sample'] is None else 'ended'} {keywords.index(event['keyword'])} {event['score']} "
            f"{event['start_sample']} {event['peak_sample']} {event['end_sample'] or 0}")


def test_golden_streams(detector_program):
    found = subprocess.run([detector_program], input=b"".join(map(golden_stream, GOLDEN)), capture_output=True, check=True)
    expected = [entry for number, case in enumerate(GOLDEN) for entry in golden_lines(number, case)]
    assert found.stdout.decode().splitlines() == expected and sum("started" in entry for entry in expected) > 20


def test_ten_thousand_random_streams(detector_program):
    random = np.random.default_rng(23)
    # Tables take longer than streams: a hundred scales serve them all.
    scales = [(exponential_table(scale), ScoreBytes(TensorSpec("logits", (1, 2), "int8", scale)))
              for scale in random.uniform(0.002, 0.3, 100).tolist()]
    sent, expected = [], []
    for number in range(10_000):
        n_classes = int(random.integers(2, 6))
        labels = tuple(f"label{index}" for index in range(n_classes))
        chosen = random.permutation(n_classes)[:random.integers(1, n_classes + 1)].tolist()
        threshold = int(random.integers(1, 256))
        settings = DetectorSettings(threshold, int(random.integers(1, threshold + 1)), int(random.integers(1, 9)),
                                    int(random.choice([0, 1, 2, 5, 20])), int(random.choice([0, 0, 3])))
        walk = np.cumsum(random.normal(0, random.uniform(1, 40), (int(random.integers(1, 30)), n_classes)), axis=0)
        logits = np.clip(np.rint(walk), -128, 127).astype(np.int8)
        table, score_bytes = scales[number % len(scales)]
        scores = score_bytes(logits)
        sent.append(stream(logits, chosen, settings, table))
        keywords = [labels[index] for index in chosen]
        detector = Detector(labels, keywords, settings)
        for at, row in enumerate(scores.tolist()):
            expected.append(f"{number} scores {' '.join(map(str, row))}")
            event = detector.step(row, (at + 1) * HOP)
            if event:
                expected.append(line(number, at, vars(event), keywords))
    found = subprocess.run([detector_program], input=b"".join(sent), capture_output=True, check=True).stdout.decode().splitlines()
    assert found == expected
    assert sum(" started " in entry for entry in expected) > 5000 and sum(" ended " in entry for entry in expected) > 2000


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 0.1, 10.0, 1e30])
def test_score_bytes_of_extreme_scales(detector_program, scale):
    values = np.array([[-128, 127], [127, -128], [0, 0], [-1, 0], [127, 127]], np.int8)
    expected = ScoreBytes(TensorSpec("logits", (1, 2), "int8", scale))(values).tolist()
    sent = stream(values, [1], DetectorSettings(255, 255, 1, 0), exponential_table(scale))
    found = subprocess.run([detector_program], input=sent, capture_output=True, check=True).stdout.decode().splitlines()
    assert [entry for entry in found if "scores" in entry] == [f"0 scores {' '.join(map(str, row))}" for row in expected]


def test_settings_out_of_range_are_refused(detector_program):
    head = [0, 2, 1, 100, 101, 10, 0, 0, HOP, 0, 1]
    found = subprocess.run([detector_program], input=np.array(head, "<i4").tobytes(), capture_output=True, check=True)
    assert found.stdout == b"0 refused\n"
