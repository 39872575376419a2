import json

import numpy as np
import pytest
import soundfile
from absl import flags

from kws_tf.errors import AudioError, ConfigError, DatasetError
from kws_tf.evaluation import annotations
from tools import long_audio

RATE = 16000


@pytest.fixture
def material(tmp_path):
    """Folders of words (tone bursts of 0.4 s in silence), noise, speech (tones) and a room."""
    random = np.random.default_rng(0)
    for word, pitch in (("high", 2000), ("low", 300)):
        (tmp_path / "words" / word).mkdir(parents=True)
        for speaker in ("anna", "ben"):
            clip = np.zeros(RATE)
            clip[4800:11200] = 0.5 * np.sin(2 * np.pi * pitch * np.arange(6400) / RATE)
            soundfile.write(tmp_path / "words" / word / f"{speaker}_1.wav", clip, RATE)
    for folder, signal in (("noise", random.normal(0, 0.1, 3 * RATE)), ("speech", 0.3 * np.sin(np.arange(2 * RATE) * 0.4)),
                           ("rooms", np.r_[np.zeros(100), 1.0, np.zeros(799), 0.6, np.zeros(3000)])):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "a.wav", signal, RATE)
    return tmp_path


@pytest.fixture
def run(monkeypatch, material):
    def call(output, *arguments):
        values = flags.FlagValues()
        long_audio.define(values)
        values(["long_audio", "--words", str(material / "words"), "--output", str(material / output), "--minutes", "0.5", *arguments])
        monkeypatch.setattr(long_audio, "FLAGS", values)
        long_audio.main(["long_audio"])
        return material / output
    return call


def test_words_are_where_and_as_loud_as_the_annotation_says(run, material):
    folder = run("out", "--noise", str(material / "noise"), "--snr_db", "10,20", "--level_dbfs=-40,-25", "--gap_seconds", "1,2",
                 "--speaker_pattern", "^([a-z]+)_", "--source", "tones", "--format", "wav")
    recording, = annotations.read(folder / "annotations.json")
    pcm, rate = soundfile.read(recording.path)
    assert rate == RATE and len(pcm) == 30 * RATE == round(recording.length_seconds * RATE) and len(recording.words) > 8
    for word in recording.words:
        start, end = round(word.start_seconds * RATE), round(word.end_seconds * RATE)
        assert 0.38 < word.end_seconds - word.start_seconds <= 0.44
        spoken, before = np.mean(pcm[start:end] ** 2), np.mean(pcm[start - 6400:start - 1000] ** 2)
        snr, level = word.conditions["snr_db"], word.conditions["level_dbfs"]
        assert 10 * np.log10(spoken) == pytest.approx(level + 10 * np.log10(1 + 10 ** (-snr / 10)), abs=0.5)
        assert 10 * np.log10(before) == pytest.approx(level - snr, abs=0.7)
        pitch = np.argmax(np.abs(np.fft.rfft(pcm[start:end], RATE)))
        assert word.keyword == ("high" if pitch > 1000 else "low") and word.conditions["source"] == "tones"
        assert word.conditions["speaker"] in ("anna", "ben") and word.conditions["clip"].startswith(word.keyword + "/")


def test_the_seed_alone_decides(run, material):
    arguments = ("--noise", str(material / "noise"), "--rooms", str(material / "rooms"), "--speech", str(material / "speech"),
                 "--count", "2")
    first, again, other = (run(name, *arguments, "--seed", seed) for name, seed in (("a", "1"), ("b", "1"), ("c", "2")))
    for name in ("recording_000.flac", "recording_001.flac", "annotations.json"):
        assert (first / name).read_bytes() == (again / name).read_bytes() != (other / name).read_bytes()
    assert (first / "recording_000.flac").read_bytes() != (first / "recording_001.flac").read_bytes()
    rooms = [word.conditions.get("room") for recording in annotations.read(first / "annotations.json") for word in recording.words]
    assert {0, None} == set(rooms)


def test_other_speech_is_not_annotated(run, material):
    words = {share: len(json.loads((run(f"s{share}", "--speech", str(material / "speech"), "--speech_share", share, "--minutes", "2")
                                    / "annotations.json").read_text())[0]["keywords"]) for share in ("0", "0.8")}
    assert 0 < words["0.8"] < words["0"] / 2


def test_a_loud_segment_is_lowered_not_clipped(run):
    folder = run("loud", "--level_dbfs=-1,0", "--keywords", "low")
    recording, = annotations.read(folder / "annotations.json")
    pcm, _ = soundfile.read(recording.path)
    assert np.abs(pcm).max() == pytest.approx(0.99, abs=1e-3)
    assert {word.keyword for word in recording.words} == {"low"}
    assert all(word.conditions["level_dbfs"] == pytest.approx(-3.2, abs=0.3) for word in recording.words)


def test_a_word_is_in_the_room_of_a_voice_whatever_that_of_the_noise_is(run, material):
    voice = np.r_[1.0, np.zeros(799), 0.6, np.zeros(3199)]
    for folder, responses in (("voices", voice), ("pairs", np.stack([voice, 0.5 * voice[::-1]], axis=1))):
        (material / folder).mkdir()
        soundfile.write(material / folder / "a.wav", responses, RATE, subtype="FLOAT")
    (material / "pairs" / "rooms.json").write_text('{"channels": ["voice", "noise"]}')
    arguments = ("--noise", str(material / "noise"), "--room_share", "1", "--rooms")
    recorded, simulated = (run(f"in_{name}", *arguments, str(material / name)) / "recording_000.flac" for name in ("voices", "pairs"))
    assert recorded.read_bytes() == simulated.read_bytes()


def test_extent_ignores_a_noise_floor():
    random = np.random.default_rng(3)
    signal = random.normal(0, 0.01, RATE)
    signal[4000:9000] += np.sin(np.arange(5000) * 0.3)
    first, last = long_audio.word_extent(signal, RATE)
    assert abs(first - 4000) <= 320 and abs(last - 9000) <= 320


@pytest.mark.parametrize("arguments, error, message", [
    (["--snr_db", "3"], ConfigError, "--snr_db: expected two numbers"),
    (["--snr_db", "3,1"], ConfigError, r"--snr_db: expected two numbers, low,high; received 3\.0,1\.0"),
    (["--noise_part", "0.5,0.5"], ConfigError, "--noise_part=0.5,0.5: expected 0 <= from < to <= 1"),
    (["--keywords", "middle"], DatasetError, "middle: there is no such file or folder"),
    (["--words", ""], ConfigError, "--words is missing"),
    (["--output", ""], ConfigError, "--output is missing"),
    (["--gap_seconds=-2,-1"], ConfigError, r"--gap_seconds: expected two numbers, low,high with low >= 0; received -2\.0,-1\.0"),
    (["--rooms", "none"], DatasetError, "--rooms=none: there is no such folder"),
])
def test_refusals(run, arguments, error, message):
    with pytest.raises(error, match=message):
        run("x", *arguments)


def test_a_silent_clip_is_named(run, material):
    soundfile.write(material / "words" / "low" / "anna_1.wav", np.zeros(RATE), RATE)
    with pytest.raises(AudioError, match="low/anna_1.wav: the clip is silent throughout"):
        run("x", "--keywords", "low")
