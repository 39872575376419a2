import json

import pytest

from kws_tf.dataset import clip_manifest
from kws_tf.errors import DatasetError


def test_speakers_of_the_clips_whatever_they_say(tmp_path):
    assert clip_manifest.speakers(tmp_path) == {}
    rows = [{"file": "a.flac", "speaker": "ann", "pieces": [["hey\u2028you\u0085", 0, 1]]}, {"file": "b.flac", "speaker": ""}]
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    assert clip_manifest.speakers(tmp_path) == {"a.flac": "ann", "b.flac": ""}


@pytest.mark.parametrize("content", ['{"file": "a.fl', '{"file": "a.flac"}', "[1]", b"\xff"])
def test_a_damaged_manifest_is_refused(tmp_path, content):
    (tmp_path / "manifest.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatasetError, match="manifest.jsonl: cannot be read .*Remove it"):
        clip_manifest.speakers(tmp_path)
