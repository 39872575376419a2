import csv

import numpy as np
import pytest
import soundfile

from kws_tf import atomic_file
from kws_tf.dataset.scan import Scan
from kws_tf.errors import ConfigError, DatasetError
from kws_tf.evaluation import mined_clips, mining
from tests.spoken_stream import HOP, speak, write_model


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "audio"
    (folder / "sub").mkdir(parents=True)
    soundfile.write(folder / "a.wav", speak(600, [(1, 10, 14), (2, 200, 230), (1, 260, 290), (1, 400, 408)]), 16000)
    soundfile.write(folder / "sub" / "a.wav", speak(300, [(1, 150, 170)]), 16000)
    return folder


def mine(model, recordings, output, **options):
    return mining.mine(model, recordings, output, workers=1, progress=False, **options)


def test_clips_are_what_the_network_had_heard(spoken_model, recordings, tmp_path):
    found = mine(spoken_model, recordings, tmp_path / "out")
    rows = list(csv.DictReader(found.csv_file.read_text(encoding="utf-8").splitlines()))
    # Ten scores of a word give the highest mean; the second word of a.wav is within a second of the first.
    assert [(row["keyword"], float(row["score"]), row["file"], float(row["start_seconds"])) for row in rows] == [
        ("computer", 1.0, "_unknown_/a_0001100.wav", 1.1), ("jarvis", 1.0, "_unknown_/sub__a_0000600.wav", 0.6),
        ("jarvis", 0.8, "_unknown_/a_0003080.wav", 3.08)]
    whole = soundfile.read(recordings / "a.wav", dtype="int16")[0]
    clip, rate = soundfile.read(tmp_path / "out" / rows[0]["file"], dtype="int16")
    assert rate == 16000 and np.array_equal(clip, whole[110 * HOP:210 * HOP])
    assert (found.n_events, found.n_known) == (3, 0) and found.hours == pytest.approx(9 / 3600) and found.rows[2]["score"] == 0.8


def test_again_and_with_a_limit(spoken_model, recordings, tmp_path):
    mine(spoken_model, recordings, tmp_path / "out", limit=1)
    assert len(list((tmp_path / "out").rglob("*.wav"))) == 1
    before = (tmp_path / "out" / "_unknown_" / "a_0001100.wav").stat().st_mtime_ns
    found = mine(spoken_model, recordings, tmp_path / "out", threshold=0.3)
    assert found.n_known == 1 and len(found.rows) == found.n_events == 4
    assert (tmp_path / "out" / "_unknown_" / "a_0001100.wav").stat().st_mtime_ns == before


def test_clips_of_other_recordings_of_the_same_name_are_kept_apart(spoken_model, recordings, tmp_path):
    first = mine(spoken_model, recordings, tmp_path / "out")
    other = speak(300, [(1, 150, 170)])
    other[1::HOP] = 7
    soundfile.write(recordings / "sub" / "a.flac", other, 16000)
    soundfile.write(recordings / ("long_" * 48 + ".wav"), other, 16000)
    found = mine(spoken_model, recordings, tmp_path / "out")
    assert found.n_known == len(first.rows) == 3 and len({row["file"] for row in found.rows}) == 5
    for row in found.rows:
        start = round(16000 * row["start_seconds"])
        whole, clip = (soundfile.read(path, dtype="int16")[0] for path in (row["recording"], tmp_path / "out" / row["file"]))
        np.testing.assert_array_equal(clip, whole[start:start + len(clip)])
    assert mine(spoken_model, recordings, tmp_path / "out").n_known == 5
    at_once = mine(spoken_model, recordings, tmp_path / "at_once")
    assert at_once.n_known == 0 and len(list((tmp_path / "at_once").rglob("*.wav"))) == len({row["file"] for row in at_once.rows}) == 5


def test_a_clip_of_a_long_name_is_not_hidden(spoken_model, tmp_path):
    path = tmp_path / ("x" * 20 + "." + "y" * 59 + ".wav")
    soundfile.write(path, speak(300, [(1, 150, 170)]), 16000)
    found = mine(spoken_model, path, tmp_path / "out")
    assert [file.path for file in Scan(tmp_path / "out" / "_unknown_").files] == [found.rows[0]["file"].removeprefix("_unknown_/")]


def test_the_table_tells_what_other_recordings_gave_before(spoken_model, recordings, tmp_path):
    first = mine(spoken_model, recordings / "a.wav", tmp_path / "out")
    second = mine(spoken_model, recordings / "sub", tmp_path / "out")
    assert len(first.rows) == 2 and len(second.rows) == 1
    rows = mined_clips.read(second.csv_file)
    assert {row["file"] for row in rows} == {row["file"] for row in (*first.rows, *second.rows)} and len(rows) == 3
    assert [row["score"] for row in rows] == [1.0, 1.0, 0.8]
    assert mined_clips.forget(tmp_path / "out") == 3 and not list((tmp_path / "out").rglob("*.wav"))


def test_a_kill_while_clips_are_written_leaves_none_without_a_name(spoken_model, recordings, tmp_path, monkeypatch):
    write, written = atomic_file.write_bytes, []

    def write_two(path, content):
        if len(written) == 2:
            raise KeyboardInterrupt
        if path.suffix == ".wav":
            written.append(path)
        write(path, content)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(atomic_file, "write_bytes", write_two)
        mine(spoken_model, recordings, tmp_path / "out")
    table, = (tmp_path / "out").glob("mined_*.csv")
    assert {tmp_path / "out" / row["file"] for row in mined_clips.read(table)} > set(written) == set((tmp_path / "out").rglob("*.wav"))
    assert mine(spoken_model, recordings, tmp_path / "out").n_known == 2


def test_a_table_that_cannot_be_read_is_told_before_anything_is_scored(spoken_model, recordings, tmp_path, monkeypatch):
    table = mine(spoken_model, recordings, tmp_path / "out").csv_file
    table.write_text(table.read_text().replace("0.8", "much"))
    monkeypatch.setattr(mining, "score_recordings", None)
    with pytest.raises(DatasetError, match="not a table of kws_tf.mine .*'much'"):
        mine(spoken_model, recordings, tmp_path / "out")


def test_an_event_at_the_start_gives_the_start(spoken_model, recordings, tmp_path):
    row = mine(spoken_model, recordings / "a.wav", tmp_path / "out", threshold=0.3, keywords=("jarvis",)).rows[-1]
    clip, _ = soundfile.read(tmp_path / "out" / row["file"])
    assert row["start_seconds"] == 0.0 and len(clip) == 16000 and row["score"] == pytest.approx(0.4)


def test_the_class_of_the_clips(spoken_model, recordings, tmp_path):
    assert mining.background_label(("yes", "_silence_")) == "_silence_"
    assert mining.background_label(("_silence_", "_unknown_")) == "_unknown_"
    for labels in (("yes", "no"), ("_a_", "_b_", "c")):
        with pytest.raises(ConfigError, match="--label is missing: the class for clips that are no keyword; the labels are"):
            mining.background_label(labels)
    with pytest.raises(ConfigError, match="--label=jarvis: this is a keyword"):
        mine(spoken_model, recordings, tmp_path / "out", label="jarvis")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--output=.*file: this folder cannot be made"):
        mine(spoken_model, recordings, tmp_path / "file")
    assert mine(spoken_model, recordings, tmp_path / "out", label="noise").rows[0]["file"].startswith("noise/")


def test_nothing_found_leaves_an_empty_table(spoken_model, tmp_path):
    soundfile.write(tmp_path / "q.wav", speak(300, []), 16000)
    found = mine(write_model(tmp_path / "model"), tmp_path / "q.wav", tmp_path / "out")
    assert found.rows == [] and found.csv_file.read_text() == "file,recording,start_seconds,keyword,score\n"
