"""Recordings without the phrases become pieces of _unknown_: where they are cut, which split they are in, what is read."""

import pathlib

import numpy as np
import pytest
import soundfile

from kws_tf.errors import AudioError, DatasetError
from kws_tf.synthesis import clip_set, other_speech
from kws_tf.synthesis.settings import SynthesisConfig
from tests.synthesis import manifest_clips

SETTINGS = SynthesisConfig(phrases=("computer",), clip_seconds=1.0)


def write(folder, seconds, rate=16000):
    """A ramp: the value tells the place."""
    for name, length in seconds.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.arange(round(length * rate), dtype=np.int16), rate)


def test_pieces_of_two_clips_begin_every_one_and_a_half(tmp_path):
    write(tmp_path, {"training/a.wav": 5.0, "training/b.wav": 0.4, "validation/c.wav": 1.0, "testing/d.wav": 2.0})
    clips = other_speech.find(tmp_path, SETTINGS)
    starts = {}
    for clip in clips:
        split, label, _ = clip.file.split("/")
        assert label == clip.label == "_unknown_" and clip.kind == "other_speech" and clip.source_seconds == 2.0
        starts.setdefault((split, pathlib.Path(clip.source).name), []).append(clip.source_start_s)
    assert starts == {("training", "a.wav"): [0.0, 1.5, 3.0], ("training", "b.wav"): [0.0], ("validation", "c.wav"): [0.0],
                      ("testing", "d.wav"): [0.0]}
    assert len({clip.file for clip in clips}) == len(clips)


def test_a_piece_is_what_the_recording_has_there(tmp_path):
    write(tmp_path, {"training/a.wav": 2.0}, rate=8000)
    first, = other_speech.find(tmp_path, SETTINGS)
    assert len(other_speech.read(first, 8000)) == 16000 and len(other_speech.read(first, 16000)) == 32000
    write(tmp_path, {"training/b.wav": 4.0})
    last = [clip for clip in other_speech.find(tmp_path, SETTINGS) if clip.source_start_s == 3.0]
    pcm = other_speech.read(last[0], 16000)
    np.testing.assert_array_equal(pcm, np.arange(48000, 64000).astype(np.int16), "the last piece ends with the recording")
    pathlib.Path(tmp_path, "training/b.wav").unlink()
    with pytest.raises(AudioError, match="b.wav: not a recording that can be decoded"):
        other_speech.read(last[0], 16000)


def test_recordings_whose_names_differ_little_have_files_of_their_own(tmp_path):
    write(tmp_path, {f"training/{name}": 1.0 for name in ("a b.wav", "a-b.wav", "a b.flac", "x" * 70 + ".wav", "y" + "x" * 70 + ".wav")})
    clips = other_speech.find(tmp_path, SETTINGS)
    assert len(clips) == 5 == len({clip.file for clip in clips}) == len({clip.source for clip in clips})


def test_without_folders_whole_recordings_are_dealt_and_later_ones_move_none(tmp_path):
    write(tmp_path, {f"{number:02d}.wav": 1.0 for number in range(40)})
    found = other_speech.by_split(tmp_path, SETTINGS.speaker_shares)
    assert sum(map(len, found.values())) == 40 and len(found["training"]) > 20 and all(found.values())
    write(tmp_path, {"99.wav": 1.0})
    later = other_speech.by_split(tmp_path, SETTINGS.speaker_shares)
    assert all(set(found[name]) <= set(later[name]) for name in found)


def test_many_pieces_are_thinned_out(tmp_path):
    write(tmp_path, {"training/a.wav": 60.0, "validation/b.wav": 60.0})
    some = SynthesisConfig(phrases=("computer",), clip_seconds=1.0, other_speech=(10, 5, 5))
    clips = other_speech.find(tmp_path, some)
    assert [sum(clip.file.startswith(split) for clip in clips) for split in ("training", "validation")] == [10, 5]
    assert clips == other_speech.find(tmp_path, some)


def test_what_cannot_be_used_is_told(tmp_path):
    with pytest.raises(DatasetError, match="--negatives=.*there is no such folder"):
        other_speech.find(tmp_path / "none", SETTINGS)
    with pytest.raises(DatasetError, match="there is no recording"):
        other_speech.find(tmp_path, SETTINGS)
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "a.wav").write_bytes(b"RIFF no recording")
    with pytest.raises(DatasetError, match="1 recording cannot be read") as caught:
        other_speech.find(tmp_path, SETTINGS)
    assert "training/a.wav" in str(caught.value)
    soundfile.write(tmp_path / "training" / "a.wav", np.full(160, np.nan, np.float32), 16000, subtype="FLOAT")
    with pytest.raises(DatasetError, match="1 recording cannot be read") as caught:
        other_speech.find(tmp_path, SETTINGS)
    assert "training/a.wav: the recording holds samples that are not finite" in str(caught.value)


def test_recordings_beside_the_splits_are_told(tmp_path):
    write(tmp_path, {"training/a.wav": 1.0, "more/b.wav": 1.0, "more/c/d.wav": 1.0, "loose.wav": 1.0})
    with pytest.raises(DatasetError, match="--negatives=.*2 problems") as caught:
        other_speech.find(tmp_path, SETTINGS)
    assert "more: 2 recordings beside training. Move into one of training, validation, testing" in str(caught.value)
    assert "loose.wav: 1 recording beside training." in str(caught.value)


def test_pieces_join_the_set(tmp_path, tone_engine):
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")
    write(tmp_path / "talk", {"training/a.wav": 3.0, "validation/b.wav": 2.0, "testing/c.wav": 2.0})
    settings = SynthesisConfig(phrases=("computer",), positives=(1, 1, 1), unknowns=(4, 1, 1), silences=(1, 1, 1), noise_files=1,
                               other_words=("water", "green", "door", "seven"), unseen_share=0.0, clip_seconds=1.0, babble_voices=0)
    clip_set.make(tmp_path / "set", settings, tone_engine, recordings=other_speech.find(tmp_path / "talk", settings), n_workers=1,
                  progress=False)
    own = {clip.file: clip for clip in manifest_clips.read(tmp_path / "set") if clip.kind == "other_speech"}
    assert sorted(file.split("-a_")[-1] for file in own if file.startswith("training")) == ["00000000.flac", "00001500.flac"]
    pcm, _ = soundfile.read(tmp_path / "set" / "training/_unknown_/other_speech_training-a_00001500.flac", dtype="int16")
    np.testing.assert_array_equal(pcm, np.arange(24000, 48000).astype(np.int16))
    talk, _ = soundfile.read(tmp_path / "set" / "noise" / "talk_0.flac", dtype="int16")
    assert len(talk) >= 60 * 16000 and len(np.unique(talk)) > 40000, "of the whole recording"
