import numpy as np
import pytest
import soundfile

from kws_tf.detector_settings import DetectorSettings
from kws_tf.errors import AudioError, DatasetError
from kws_tf.evaluation import score_track
from tests.spoken_stream import SpokenStream, speak

SETTINGS = DetectorSettings(200, 100, 1, 0)


def test_tracks_of_files(spoken_model, tmp_path):
    for name, words in (("b.wav", [(1, 10, 20)]), ("sub/a.wav", [(2, 5, 6), (1, 30, 40)])):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, speak(100, words), 16000)
    (tmp_path / "notes.txt").write_text("x")
    paths = score_track.find_recordings(tmp_path)
    assert [path.name for path in paths] == ["b.wav", "a.wav"]
    tracks = score_track.score_recordings(spoken_model, paths, workers=1, progress=False)
    assert [track.name for track in tracks] == [str(path) for path in paths]
    events = [track.events(("_unknown_", "jarvis", "computer"), ("jarvis", "computer"), SETTINGS) for track in tracks]
    assert [[(event.keyword, event.start_sample, event.end_sample) for event in found] for found in events] == [
        [("jarvis", 11 * 160, 21 * 160)], [("computer", 6 * 160, 7 * 160), ("jarvis", 31 * 160, 41 * 160)]]
    assert tracks[0].hours == pytest.approx(1 / 3600) and tracks[0].scores.dtype == np.uint8
    figures = score_track.speed(tracks, 0.5)
    assert figures["audio_seconds"] == 2.0 and figures["wall_seconds"] == 0.5 and figures["times_real_time"] == 4.0
    assert figures["processor_seconds"] == sum(track.seconds for track in tracks) > 0
    assert figures["times_real_time_per_core"] == 2.0 / figures["processor_seconds"]


def test_chunks_do_not_matter_and_every_recording_starts_afresh(spoken_model):
    stream = SpokenStream(spoken_model)
    pcm = speak(50, [(1, 7, 30)])[:-33]
    whole = score_track.score_pcm(stream, pcm)
    for chunk in (1, 100, 163, 5000):
        part = score_track.score_pcm(stream, pcm, chunk_samples=chunk)
        assert np.array_equal(part.scores, whole.scores) and np.array_equal(part.end_samples, whole.end_samples)
    assert len(whole.scores) == 49 and whole.scores.max(axis=1).tolist() == [255] * 49


def test_signals_in_memory_and_a_recording_without_a_score(spoken_model):
    signals = [("a", speak(3, [(1, 0, 3)])), ("b", np.zeros(100, np.int16))]
    tracks = score_track.score_signals(spoken_model, signals, workers=1, progress=False)
    assert [track.scores.shape for track in tracks] == [(3, 3), (0, 3)]
    assert tracks[1].events(("_unknown_", "jarvis", "computer"), ("jarvis",), SETTINGS) == []


def test_all_bad_recordings_are_listed(spoken_model, tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    (tmp_path / "b.wav").write_bytes(b"")
    soundfile.write(tmp_path / "c.wav", np.zeros(1600, np.int16), 16000)
    with pytest.raises(AudioError, match=r"2 of 3 recordings cannot be used.\n  .*a.wav: not a recording.*\n  .*b.wav: the file is empty"):
        score_track.score_recordings(spoken_model, score_track.find_recordings(tmp_path), workers=1, progress=False)


def test_nothing_to_hear(tmp_path):
    with pytest.raises(DatasetError, match="no such file or folder of recordings"):
        score_track.find_recordings(tmp_path / "absent")
    with pytest.raises(DatasetError, match="no recordings in this folder"):
        score_track.find_recordings(tmp_path)
    (tmp_path / "film.mkv").write_text("")
    with pytest.raises(DatasetError, match="1 of the files cannot be used.\n  film.mkv: .mkv is no kind of audio"):
        score_track.find_recordings(tmp_path)


@pytest.mark.slow
def test_processes_give_what_one_process_gives(small_stream, tone_clips, tmp_path):
    for index in range(3):
        soundfile.write(tmp_path / f"{index}.wav", np.concatenate(tone_clips[0][index:index + 4]), 16000)
    (tmp_path / "3.wav").write_text("no sound")
    paths = [tmp_path / f"{index}.wav" for index in range(3)]
    one, two = (score_track.score_recordings(small_stream, paths, workers=workers, progress=False) for workers in (1, 2))
    for track, other in zip(one, two, strict=True):
        assert track.name == other.name and np.array_equal(track.scores, other.scores)
        assert np.array_equal(track.end_samples, other.end_samples) and len(np.unique(track.scores, axis=0)) > 10
    with pytest.raises(AudioError, match="1 of 4 recordings cannot be used.\n  .*3.wav: not a recording"):
        score_track.score_recordings(small_stream, [*paths, tmp_path / "3.wav"], workers=2, progress=False)
