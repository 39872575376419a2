import pathlib

import numpy as np
import pytest
import soundfile

from kws_tf.errors import ConfigError, DatasetError
from kws_tf.synthesis import clip_set, recordings
from kws_tf.synthesis.render import render
from kws_tf.synthesis.settings import SynthesisConfig
from tests.synthesis import manifest_clips

SETTINGS = SynthesisConfig(phrases=("hey jarvis",), recorded_share=0.0)
BOTH = SynthesisConfig(phrases=("hey jarvis", "computer"))


def write(folder, *names, rate=44100):
    rng = np.random.default_rng(1)
    for name in names:
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, rng.uniform(-0.1, 0.1, (rate // 2, 2)), rate)


def splits_of(clips):
    found = {}
    for clip in clips:
        found.setdefault(clip.speaker, set()).add(clip.file.split("/")[0])
    return found


def test_folders_below_the_class_are_speakers_and_stay_together(tmp_path):
    write(tmp_path, *(f"hey_jarvis/{speaker}/{take}.wav" for speaker in ("ann", "bob", "cy", "dan", "eve") for take in range(3)),
          "_unknown_/ann/talk.wav")
    clips = recordings.find(tmp_path, SETTINGS)
    assert len(clips) == 16 and all(clip.kind == "recording" for clip in clips)
    splits = splits_of(clips)
    assert sorted(splits) == [f"recorded {name}" for name in ("ann", "bob", "cy", "dan", "eve")]
    assert all(len(found) == 1 for found in splits.values()), "no speaker is in two splits"
    assert set().union(*splits.values()) == {"training", "validation", "testing"}
    assert recordings.find(tmp_path, SETTINGS) == clips


def test_a_pattern_finds_the_speaker(tmp_path):
    write(tmp_path, "s01_a.wav", "s01_b.wav", "s02_a.wav", "s03_a.wav")
    clips = recordings.find(tmp_path, SETTINGS, r"^(s\d+)_")
    assert {clip.speaker for clip in clips} == {"recorded s01", "recorded s02", "recorded s03"}
    assert {clip.label for clip in clips} == {"hey_jarvis"}
    with pytest.raises(DatasetError, match="4 problems") as caught:
        recordings.find(tmp_path, SETTINGS, r"^t\d+")
    assert "hey_jarvis/s01_a.wav: --speaker_pattern='^t\\\\d+' finds no speaker" in str(caught.value)
    with pytest.raises(ConfigError, match="not a regular expression"):
        recordings.find(tmp_path, SETTINGS, "(")
    with pytest.raises(DatasetError, match="4 problems"):
        recordings.find(tmp_path, SETTINGS, "^(t)?")  # its group finds nothing


def test_one_speaker_is_for_training(tmp_path):
    write(tmp_path, "a.wav", "b.wav")
    assert splits_of(recordings.find(tmp_path, SETTINGS)) == {"recorded": {"training"}}


def test_what_fits_no_class_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="--recordings=.*there is no such folder"):
        recordings.find(tmp_path / "none", SETTINGS)
    with pytest.raises(DatasetError, match="there is no recording"):
        recordings.find(tmp_path, SETTINGS)
    write(tmp_path, "ann/a.wav")
    with pytest.raises(DatasetError, match="expected a folder for each class .*computer.*hey_jarvis; found ann"):
        recordings.find(tmp_path, BOTH)
    write(tmp_path, "computer/ann/a.wav")
    with pytest.raises(DatasetError, match="ann: not one of the classes"):
        recordings.find(tmp_path, BOTH)


def test_a_folder_that_is_nearly_called_as_a_class_is_no_speaker(tmp_path):
    write(tmp_path, *(f"{name}/{speaker}/a.wav" for name in ("Hey Jarvis", "unknown", "Silence", "ann") for speaker in ("bob", "cid")))
    with pytest.raises(DatasetError, match="3 problems") as caught:
        recordings.find(tmp_path, SETTINGS)
    assert list(caught.value.problems) == [
        f"{name}: nearly the name of a class. If it is a speaker, rename it, such as {name}_1; else name it {label}."
        for name, label in (("Hey Jarvis", "hey_jarvis"), ("Silence", "_silence_"), ("unknown", "_unknown_"))]


def test_folders_in_the_folder_of_a_speaker_are_the_speakers(tmp_path):
    write(tmp_path, "ann/monday/a.wav", "ann/tuesday/a.wav", "ann/b.wav")
    assert {(clip.label, clip.speaker) for clip in recordings.find(tmp_path, SETTINGS)} == {("hey_jarvis", "recorded ann")}


def test_what_would_be_left_out_is_told(tmp_path):
    write(tmp_path, "hey_jarvis/a.wav", "loose.wav", "other.wav")
    with pytest.raises(DatasetError, match="--recordings=.*2 problems") as caught:
        recordings.find(tmp_path, SETTINGS)
    assert "loose.wav: a clip outside the class folders. Move it to <class>/" in str(caught.value) and "other.wav" in str(caught.value)


def test_a_recording_that_cannot_be_used_is_told_before_anything_is_spoken(tmp_path):
    write(tmp_path, "ann/a.wav")
    soundfile.write(tmp_path / "ann" / "b.wav", np.full(160, np.nan, np.float32), 16000, subtype="FLOAT")
    with pytest.raises(DatasetError, match="1 problem") as caught:
        recordings.find(tmp_path, SETTINGS)
    assert "b.wav: the recording holds samples that are not finite" in str(caught.value)


def test_recordings_join_the_set_as_16_khz_mono(tmp_path, tone_engine):
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")
    write(tmp_path / "own", "computer/ann/a.wav", "computer/bob/a.wav", "computer/cy/a.wav")
    settings = SynthesisConfig(phrases=("computer",), positives=(1, 1, 1), unknowns=(4, 1, 1), silences=(1, 1, 1), noise_files=1,
                               other_words=("water", "green", "door", "seven"), unseen_share=0.0, recorded_share=0.0, clip_seconds=1.0,
                               babble_voices=0)
    found = recordings.find(tmp_path / "own", settings)
    clip_set.make(tmp_path / "set", settings, tone_engine, recordings=found, n_workers=1, progress=False)
    own = [clip for clip in manifest_clips.read(tmp_path / "set") if clip.kind == "recording"]
    assert {clip.file.split("/")[0] for clip in own} == {"training", "validation", "testing"}
    for clip in own:
        pcm, rate = soundfile.read(tmp_path / "set" / clip.file)
        assert rate == 16000 and pcm.shape == (8000,) and pathlib.Path(clip.source).exists()


def test_of_a_long_recording_of_a_phrase_the_loudest_stretch_is_taken(tmp_path):
    loud = np.zeros(48000, np.int16)
    loud[30000:40000] = np.random.default_rng(1).integers(-9000, 9000, 10000)
    for name in ("hey_jarvis/ann/a.wav", "_unknown_/ann/a.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        soundfile.write(path, loud, 16000)
    pcm = {clip.label: render(clip, SETTINGS, None)[0] for clip in recordings.find(tmp_path, SETTINGS)}
    assert len(pcm["hey_jarvis"]) == SETTINGS.clip_samples and np.count_nonzero(pcm["hey_jarvis"]) == np.count_nonzero(loud)
    np.testing.assert_array_equal(pcm["_unknown_"], loud)


def test_few_recordings_are_repeated_in_training_alone(tmp_path):
    write(tmp_path, *(f"hey_jarvis/{speaker}/{take}.wav" for speaker in ("ann", "bob", "cy", "dan", "eve") for take in range(3)),
          "_unknown_/ann/talk.wav", rate=8000)
    plain = recordings.find(tmp_path, SETTINGS)
    own = [clip for clip in plain if clip.file.startswith("training/hey_jarvis")]
    for share, times in ((0.25, 20), (5 * len(own) / 2000, 5), (0.4 * len(own) / 2000, 1)):
        clips = recordings.find(tmp_path, SynthesisConfig(phrases=("hey jarvis",), recorded_share=share))
        assert len(clips) == len(plain) + (times - 1) * len(own) and len({clip.file for clip in clips}) == len(clips)
        for clip in own:
            assert sum(other.source == clip.source for other in clips) == times
