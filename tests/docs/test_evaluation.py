import json
import pathlib
import re

from kws_tf.detector_settings import DetectorSettings
from kws_tf.evaluation import annotations

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    python (?:-m (\S+)|(tools/\w+)\.py)\s+(.*)$", TEXT.replace("\\\n", " "), re.MULTILINE)


def test_every_program_is_shown():
    assert {module or tool for module, tool, _ in COMMANDS} == {
        "kws_tf.convert", "kws_tf.calibrate", "kws_tf.evaluate", "kws_tf.mine", "kws_tf.listen", "kws_tf.train", "tools/long_audio"}


def test_the_settings_are_those_of_the_detector():
    named = re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)
    assert named == list(DetectorSettings.__dataclass_fields__)


def test_the_example_of_annotations_can_be_read(tmp_path):
    example = re.search(r"^    (\[\{\"wav_file\".*?\}\])$", TEXT, re.DOTALL | re.MULTILINE).group(1)
    (tmp_path / "recording_000.flac").touch()
    (tmp_path / "a.json").write_text(example)
    recording, = annotations.read(tmp_path / "a.json")
    assert [word.keyword for word in recording.words] == ["jarvis", "computer"] and recording.words[0].conditions["room"] == 2
    assert json.loads(example)[0]["length_sec"] == recording.length_seconds
