import json
import pathlib

import numpy as np

from kws_tf.detector_settings import DetectorSettings
from kws_tf.manifest import TensorSpec
from kws_tf.runtime.detector import detect
from kws_tf.runtime.score_bytes import ScoreBytes
from tools import golden_detector

FILE = pathlib.Path(__file__).parents[2] / "firmware" / "golden" / "detector.json"


def test_the_file_is_what_the_tool_makes():
    assert FILE.read_text(encoding="utf-8") == golden_detector.to_text(golden_detector.make(seed=14)), "run tools/golden_detector.py"


def test_the_whole_recording_gives_the_same_events():
    for case in json.loads(FILE.read_text(encoding="utf-8")):
        scores = ScoreBytes(TensorSpec("logits", (1, 2), "int8", case["scale"]))(np.array(case["logits"], np.int8))
        assert scores.tolist() == case["scores"]
        ends = case["samples_per_score"] * np.arange(1, len(scores) + 1)
        events = detect(scores, ends, case["labels"], case["keywords"], DetectorSettings(**case["settings"]))
        ended = [event for event in case["events"] if event["end_sample"] is not None]
        assert [vars(event) for event in events if event.end_sample is not None] == [
            {name: value for name, value in event.items() if name != "at"} for event in ended]
        assert len(case["events"]) - 2 * len(ended) == sum(event.end_sample is None for event in events) <= 1


def test_every_rule_occurs():
    cases = {case["name"]: case for case in json.loads(FILE.read_text(encoding="utf-8"))}
    assert all(case["events"] for case in cases.values())
    assert {event["keyword"] for event in cases["two keywords and background"]["events"]} == {"class1", "class2"}
    assert len(cases["pause longer than the stream"]["events"]) <= 2 < len(cases["no hysteresis, no pause"]["events"])
    assert cases["first scores ignored"]["events"][0]["at"] >= 50
    ties = np.sort(np.array(cases["every label a keyword: ties"]["scores"]), axis=1)
    assert np.any((ties[:, -1] == ties[:, -2]) & (ties[:, -1] >= 85))
