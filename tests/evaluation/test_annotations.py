import json

import pytest

from kws_tf.errors import DatasetError
from kws_tf.evaluation import annotations
from kws_tf.evaluation.annotations import AnnotatedRecording, Word


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a.wav", "sub/b.wav"):
        (tmp_path / name).write_bytes(b"RIFF")
    return tmp_path


def written(folder, content):
    path = folder / "a_ww_windows.json"
    path.write_text(json.dumps(content))
    return path


def test_round_trip(folder):
    words = Word(1.0, 1.5, "jarvis", {"snr_db": 3.5, "speaker": "x"}), Word(1.2, 9.0)
    recordings = [AnnotatedRecording(folder / "a.wav", words, 10.0, 16000),
                  AnnotatedRecording(folder / "sub" / "b.wav", (), 2.0, 16000)]
    annotations.write(folder / "all.json", recordings)
    assert annotations.read(folder / "all.json") == recordings


def test_the_bare_list_of_the_streaming_benchmark(folder):
    found, = annotations.read(written(folder, [[1.0, 1.6476], [4.0, 4.76175]]))
    assert found == AnnotatedRecording(folder / "a.wav", (Word(1.0, 1.6476), Word(4.0, 4.76175)))


def test_one_object_with_the_least_that_is_needed(folder):
    found, = annotations.read(written(folder, {"wav_file": "sub/b.wav", "detection_windows": [[0, 1]]}))
    assert found == AnnotatedRecording(folder / "sub" / "b.wav", (Word(0.0, 1.0),))


@pytest.mark.parametrize("change, message", [
    ({"wav_file": "c.wav"}, "c.wav: there is no such audio file"),
    ({"detection_windows": [[2, 1]]}, r"window \[2, 1\] must begin after the one before it and end after its begin, within 9 s"),
    ({"detection_windows": [[3, 4], [2, 3]], "keywords": ["x", "y"], "conditions": [{}, {}]}, r"window \[2, 3\]"),
    ({"detection_windows": [[-1, 1]]}, r"window \[-1, 1\]"),
    ({"detection_windows": [[8, 10]]}, r"window \[8, 10\]"),
    ({"detection_windows": [[1]]}, "not enough values"),
    ({"detection_windows": "1-2"}, "detection_windows must be a list"),
    ({"detection_windows": [[1, float("inf")]], "length_sec": 0}, "must begin after"),
    ({"keywords": []}, "1 windows, but 0 keywords and 1 conditions"),
    ({"conditions": ["loud"]}, "conditions must be objects; received 'loud'"),
])
def test_every_wrong_recording_is_named(folder, change, message):
    good = {"wav_file": "a.wav", "detection_windows": [[1, 2]], "keywords": ["x"], "conditions": [{}], "length_sec": 9}
    with pytest.raises(DatasetError, match="cannot be used.\n  recording 2: .*" + message):
        annotations.read(written(folder, [good, {**good, **change}]))


@pytest.mark.parametrize("content, message", [
    ({}, "recording 1: lacks wav_file"),
    ([{"wav_file": "a.wav"}, 3], "recording 2: expected an object"),
    (3, "recording 1: expected an object"),
])
def test_other_content(folder, content, message):
    with pytest.raises(DatasetError, match=message):
        annotations.read(written(folder, content))


def test_no_json(folder):
    with pytest.raises(DatasetError, match="no annotations can be read from this file"):
        annotations.read(folder / "a.wav")
    with pytest.raises(DatasetError, match="no annotations can be read from this file"):
        annotations.read(folder / "absent.json")
