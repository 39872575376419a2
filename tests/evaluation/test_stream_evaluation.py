import functools
import json

import pytest
import soundfile

from kws_tf.errors import DatasetError
from kws_tf.evaluation import annotations, stream_evaluation
from kws_tf.evaluation.annotations import AnnotatedRecording, Word
from kws_tf.evaluation.detection import GRACE_SECONDS
from tests.spoken_stream import speak


@pytest.fixture
def material(tmp_path):
    """Ambient recordings with three false accepts, and annotated ones."""
    (tmp_path / "ambient").mkdir()
    for name, words in (("a", [(1, 100, 140), (2, 400, 440)]), ("b", []), ("c", [(1, 0, 40)])):
        soundfile.write(tmp_path / "ambient" / f"{name}.wav", speak(600, words), 16000)
    heard = [(1, 100, 130), (2, 500, 530), (1, 900, 930), (1, 1100, 1130), (1, 1300, 1330)]
    soundfile.write(tmp_path / "w.wav", speak(1500, heard), 16000)
    words = [Word(1.0, 1.2, "jarvis", {"snr_db": 3, "level_dbfs": -33, "speaker": "a", "source": "real"}),
             Word(3.0, 3.5, "jarvis", {"snr_db": 3, "level_dbfs": -33, "speaker": "b"}),
             Word(5.0, 5.2, "alexa"), Word(9.0, 10.2, "jarvis", {"snr_db": 25})]
    annotations.write(tmp_path / "w.json", [AnnotatedRecording(tmp_path / "w.wav", tuple(words), 15.0, 16000)])
    return tmp_path


@pytest.fixture
def evaluate(spoken_model):
    return functools.partial(stream_evaluation.evaluate_stream, spoken_model, workers=1, progress=False)


def test_ambient(material, evaluate):
    report = evaluate(ambient=material / "ambient")
    ambient = report["ambient"]
    assert (ambient["files"], ambient["false_accepts"], ambient["by_keyword"]) == (3, 3, {"jarvis": 2, "computer": 1})
    assert ambient["hours"] == pytest.approx(18 / 3600) and ambient["upper_bound_per_hour"] == pytest.approx(7.754 / 18 * 3600, rel=1e-3)
    # Threshold 204 of mean over 10 scores: the ninth score of a word starts the event.
    assert {(event["recording"][-5:], event["start_seconds"]) for event in ambient["events"]} == {
        ("a.wav", 1.08), ("a.wav", 4.08), ("c.wav", 0.08)}
    assert report["annotated"] is None and report["recall_area"] is None and report["speed"]["audio_seconds"] == 18.0
    assert report["sweep"][203]["false_accepts"] == 3 and report["sweep"][203]["miss_rate"] is None
    assert json.loads(json.dumps(report)) == report


def test_annotated(material, evaluate):
    report = evaluate(annotated=material / "w.json")
    found = report["annotated"]
    assert (found["words"], found["hits"], found["misses"], found["other_words"], found["repeats"]) == (3, 2, 1, 1, 1)
    # "computer" heard where "alexa" is said, and "jarvis" where nothing is.
    events = found["false_accepts"]["events"]
    assert [(event["keyword"], event["start_seconds"]) for event in events] == [("computer", 5.08), ("jarvis", 13.08)]
    assert found["latency"]["seconds"] == pytest.approx([9.08 - 10.2, 1.08 - 1.2])
    assert [(row["group"], row["misses"], row["words"]) for row in found["by_snr"]] == [("0 to 5 dB", 1, 2), ("20 to 30 dB", 0, 1)]
    assert [(row["group"], row["words"]) for row in found["by_level"]] == [("-40 to -30 dBFS", 2)]
    assert [row["group"] for row in found["by_speaker"]] == ["a", "b"] and [row["group"] for row in found["by_source"]] == ["real"]
    assert [(word["start_seconds"], word["best_score"]) for word in found["missed"]] == [(3.0, 0.0)]
    assert report["sweep_hours"] == pytest.approx(15 / 3600) and report["ambient"] is None
    assert json.loads(json.dumps(report)) == report


def test_both_and_other_settings(material, evaluate):
    report = evaluate(ambient=material / "ambient", annotated=material / "w.json", keywords=("jarvis",),
                      changes={"threshold": 255, "window_scores": 20})
    assert report["detector"]["settings"]["threshold"] == 255 and report["detector"]["keywords"] == ["jarvis"]
    assert report["ambient"]["false_accepts"] == 2 and report["ambient"]["events"][0]["start_seconds"] in (0.2, 1.2)
    assert report["sweep_hours"] == pytest.approx(18 / 3600), "false accepts are counted where no keyword is"
    assert report["sweep"][-1] == {"threshold": 255, "hits": 2, "misses": 1, "repeats": 1, "false_accepts": 2, "per_hour": 400.0,
                                   "miss_rate": pytest.approx(1 / 3)}
    assert report["recall_area"] == 0.0


def test_a_missed_word_that_was_nearly_found(material, evaluate):
    found = evaluate(annotated=material / "w.json", changes={"threshold": 255, "window_scores": 60})["annotated"]
    assert [word["best_score"] for word in found["missed"]] == [pytest.approx(127 / 255, abs=1e-3)] * 2 + [0.0]
    assert GRACE_SECONDS == 1.0


def test_no_word_of_the_model(material, evaluate):
    with pytest.raises(DatasetError, match="annotated are alexa, jarvis; keywords are computer"):
        evaluate(annotated=material / "w.json", keywords=("computer",))


def test_words_behind_the_end_of_the_audio(material, evaluate):
    entry = json.loads((material / "w.json").read_text())[0] | {"length_sec": 200.6}
    (material / "longer.json").write_text(json.dumps(entry | {"detection_windows": [*entry["detection_windows"][:3], [200.0, 200.6]]}))
    (material / "rounded.json").write_text(json.dumps(entry | {"detection_windows": [*entry["detection_windows"][:3], [14.5, 15.05]]}))
    with pytest.raises(DatasetError, match="ends before the last annotated word in 1 recording; .*\n  .*w.wav: the last word ends at "
                                           "200.60 s, the recording at 15.00 s"):
        evaluate(annotated=material / "longer.json")
    assert evaluate(annotated=material / "rounded.json")["annotated"]["words"] == 3
