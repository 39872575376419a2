"""A set on disk: complete, the same from the same settings, resumable, all or nothing. Spoken by tones and by espeak-ng."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from kws_tf import atomic_file, config
from kws_tf.errors import DatasetError
from kws_tf.synthesis import clip_plan, clip_set, mixing
from kws_tf.synthesis import render as render_module
from kws_tf.synthesis.clip_plan import Clip
from kws_tf.synthesis.render import render
from kws_tf.synthesis.settings import SPLITS, SynthesisConfig
from kws_tf.synthesis.texts import Piece
from tests.synthesis import manifest_clips

pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")

from kws_tf.synthesis.espeak_engine import EspeakEngine  # noqa: E402

WORDS = tuple("yet chess low note snow stock left right house water music paper seven dog".split())
SMALL = SynthesisConfig(phrases=("yes", "hey you"), positives=(6, 2, 2), unknowns=(20, 6, 6), silences=(3, 1, 1), other_words=WORDS,
                        clip_seconds=1.0, noise_files=1, babble_voices=2)


@pytest.fixture(scope="module")
def engine():
    return EspeakEngine("en")


@pytest.fixture(scope="module")
def made(tmp_path_factory, engine):
    folder = tmp_path_factory.mktemp("synthesis") / "set"
    assert clip_set.make(folder, SMALL, engine, n_workers=1, progress=False)
    return folder


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_folder_is_the_layout_that_training_reads(made):
    count = {str(path.relative_to(made)): len(list(path.glob("*.flac"))) for path in sorted(made.glob("*/*/"))}
    expected = {}
    for index, split in enumerate(SPLITS):
        expected |= {f"{split}/yes": SMALL.positives[index], f"{split}/hey_you": SMALL.positives[index],
                     f"{split}/_unknown_": SMALL.unknowns[index], f"{split}/_silence_": SMALL.silences[index]}
    assert count == expected
    assert [path.name for path in made.parent.iterdir()] == ["set"] and not list(made.glob("journal*"))
    assert config.from_dict(SynthesisConfig, json.loads((made / "synthesis.json").read_text())["settings"]) == SMALL


def test_every_clip_has_its_length_rate_and_level(made):
    clips = manifest_clips.read(made)
    assert len(clips) == 57
    for clip in clips:
        pcm, sample_rate = soundfile.read(made / clip.file, dtype="int16")
        assert (sample_rate, pcm.shape) == (16000, (16000,))
        peak = np.abs(pcm.astype(int)).max()
        assert 20 * np.log10(peak / 32767) == pytest.approx(clip.peak_db, abs=0.2) and peak < 32767


def test_training_is_clean_and_the_rest_noisy(made):
    clips = [clip for clip in manifest_clips.read(made) if clip.pieces]
    for clip in clips:
        zeros = np.mean(soundfile.read(made / clip.file)[0] == 0)
        assert bool(clip.noise) != clip.file.startswith("training/")
        assert zeros < 0.2 or not clip.noise
    assert np.mean([np.mean(soundfile.read(made / clip.file)[0] == 0) for clip in clips if not clip.noise]) > 0.2


def test_noise_for_augmentation_of_every_kind(made):
    files = sorted((made / "noise").glob("*.flac"))
    assert [path.stem for path in files] == ["babble_0", "brown_0", "hum_0", "pink_0", "white_0"]
    assert all(soundfile.info(path).samplerate == 16000 and soundfile.info(path).duration == 12 for path in files)
    babble = soundfile.read(files[0])[0]
    rms = np.sqrt(np.mean(babble.reshape(-1, 1600) ** 2, axis=1))
    assert (rms > 0.005).mean() > 0.9, "somebody talks all the time"


def test_the_manifest_makes_every_clip_again(made, engine):
    for clip in manifest_clips.read(made)[::7]:
        pcm, again = render(clip, SMALL, engine)
        assert again == clip
        np.testing.assert_array_equal(pcm, soundfile.read(made / clip.file, dtype="int16")[0])
        assert bool(clip.phonemes) == bool(clip.pieces)


def test_no_speaker_is_in_two_splits(engine):
    clips = clip_plan.plan(dataclasses.replace(SMALL, positives=(200, 60, 60)), engine).clips
    heard = {split: {clip.speaker for clip in clips if clip.pieces and clip.file.startswith(split)} for split in SPLITS}
    assert sum(map(len, heard.values())) == len(set().union(*heard.values())) == 63 and min(map(len, heard.values())) >= 9
    takes = {split: {clip.voice["variant"] for clip in clips if clip.pieces and clip.file.startswith(split)} for split in SPLITS}
    assert not takes["training"] & takes["testing"] and not takes["training"] & takes["validation"]


def test_the_plan_follows_the_seed(engine):
    first = clip_plan.plan(SMALL, engine)
    assert first.clips == clip_plan.plan(SMALL, engine).clips
    assert first.clips != clip_plan.plan(dataclasses.replace(SMALL, seed=2), engine).clips
    assert len({clip.file for clip in first.clips}) == len(first.clips)
    assert "yet" in [miss.text for miss in first.near_misses["yes"]]


def test_processes_write_the_same_files(made, tmp_path, engine):
    clip_set.make(tmp_path / "set", SMALL, engine, n_workers=2, progress=False)
    assert contents(tmp_path / "set") == contents(made)


def test_an_interrupted_set_leaves_no_folder_and_goes_on_where_it_ended(made, tmp_path, monkeypatch, engine):
    calls = []

    def interrupted(*arguments):
        calls.append(arguments[0].file)
        if len(calls) == 25:
            raise KeyboardInterrupt
        return render(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(clip_set, "render", interrupted)
        with pytest.raises(KeyboardInterrupt):
            clip_set.make(tmp_path / "set", SMALL, engine, n_workers=1, progress=False)
    assert not (tmp_path / "set").exists()
    with open(tmp_path / ".set.partial" / "journal.jsonl", "a", encoding="utf-8") as journal:
        journal.write('{"file": "cut off')
    again = []
    monkeypatch.setattr(clip_set, "render", lambda clip, *rest: again.append(clip.file) or render(clip, *rest))
    assert clip_set.make(tmp_path / "set", SMALL, engine, n_workers=1, progress=False)
    assert len(again) == 57 - 24 and again[0] == calls[-1]
    assert contents(tmp_path / "set") == contents(made) and [path.name for path in tmp_path.iterdir()] == ["set"]


def test_what_another_plan_left_is_not_taken_over(made, tmp_path, engine):
    partial = tmp_path / ".set.partial"
    partial.mkdir()
    (partial / "synthesis.json").write_text((made / "synthesis.json").read_text().replace('"seed": 1', '"seed": 2'))
    (partial / "journal.jsonl").write_text((made / "manifest.jsonl").read_text())
    assert clip_set.make(tmp_path / "set", SMALL, engine, n_workers=1, progress=False)
    assert contents(tmp_path / "set") == contents(made)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_files(made, tmp_path, engine):
    script = ("import sys; from kws_tf.synthesis import clip_set; from kws_tf.synthesis.espeak_engine import EspeakEngine; "
              "from kws_tf import config; from kws_tf.synthesis.settings import SynthesisConfig; import json; "
              "settings = config.from_dict(SynthesisConfig, json.loads(sys.argv[2])); "
              "clip_set.make(sys.argv[1], settings, EspeakEngine('en'), n_workers=1, progress=False)")
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "set"), json.dumps(config.to_dict(SMALL))])
    journal = tmp_path / ".set.partial" / "journal.jsonl"
    limit = time.monotonic() + 60
    while not (journal.exists() and journal.read_text().count("\n") > 5) and time.monotonic() < limit:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    n_done = journal.read_text().count("\n")
    assert 5 < n_done < 57, "the kill came too early or too late to show anything"
    assert clip_set.make(tmp_path / "set", SMALL, engine, n_workers=1, progress=False)
    assert contents(tmp_path / "set") == contents(made)


def test_a_finished_set_is_found_and_a_different_one_refused(made, tmp_path, engine, tone_engine):
    before = (made / "manifest.jsonl").stat().st_mtime_ns
    assert not clip_set.make(made, SMALL, engine, progress=False)
    assert (made / "manifest.jsonl").stat().st_mtime_ns == before
    with pytest.raises(DatasetError, match=r"exists and holds a set spoken by espeak, not by tone \(--engine\)"):
        clip_set.make(made, SMALL, tone_engine, progress=False)
    for other_settings, other_engine in ((dataclasses.replace(SMALL, seed=2), engine), (SMALL, EspeakEngine("en-gb"))):
        with pytest.raises(DatasetError, match="other settings"):
            clip_set.make(made, other_settings, other_engine, progress=False)
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "a.wav").touch()
    with pytest.raises(DatasetError, match="something else"):
        clip_set.make(tmp_path / "recordings", SMALL, engine, progress=False)


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path, tone_engine):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="--output=.* cannot be made: "):
        clip_set.make(tmp_path / "file" / "set", SMALL, tone_engine, n_workers=1, progress=False)


def test_an_empty_folder_is_taken_and_a_link_to_one_too(made, tmp_path, engine):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    assert clip_set.make(tmp_path / "link", SMALL, engine, n_workers=1, progress=False)
    assert contents(tmp_path / "empty") == contents(made) and (tmp_path / "link").is_symlink()


def test_a_set_that_another_process_makes_is_left_to_it(tmp_path, engine):
    with atomic_file.growing_folder(tmp_path / "set") as partial:
        (partial / "theirs.flac").touch()
        with pytest.raises(DatasetError, match="set cannot be made: another process is making it; wait for it"):
            clip_set.make(tmp_path / "set", SMALL, engine, n_workers=1, progress=False)
        assert [path.name for path in partial.iterdir()] == ["theirs.flac"]


def test_a_recording_that_was_replaced_is_noticed(tmp_path, tone_engine):
    soundfile.write(tmp_path / "own.wav", np.ones(16000, np.int16), 16000)
    clip = Clip(file="training/yes/recording.flac", label="yes", kind="recording", source=str(tmp_path / "own.wav"))
    own = {"recordings": [clip], "n_workers": 1, "progress": False}
    assert clip_set.make(tmp_path / "set", SMALL, tone_engine, **own)
    assert not clip_set.make(tmp_path / "set", SMALL, tone_engine, **own)
    soundfile.write(tmp_path / "own.wav", np.ones(8000, np.int16), 16000)
    with pytest.raises(DatasetError, match="holds a set of other settings, other recordings or another version"):
        clip_set.make(tmp_path / "set", SMALL, tone_engine, **own)


def test_a_full_disk_is_one_clear_error(tmp_path, monkeypatch, tone_engine):
    def fail(path, samples, sample_rate):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(clip_set.sound_file, "write", fail)
    with pytest.raises(DatasetError, match="set cannot be made: No space left on device"):
        clip_set.make(tmp_path / "set", SMALL, tone_engine, n_workers=1, progress=False)


@pytest.fixture
def lengths(monkeypatch):
    """Samples of the speech of every clip that is placed."""
    found, place = [], mixing.place
    monkeypatch.setattr(render_module.mixing, "place", lambda speech, n, position: found.append(len(speech)) or place(speech, n, position))
    return found


def tone_clip(text, kind="positive", **changes):
    return Clip(file="x", label="x", kind=kind, pieces=(Piece(text),), voice={"hz": 400, "speed": 1.0}, peak_db=-3.0, **changes)


def test_a_long_phrase_is_spoken_faster_and_kept_whole(tone_engine, lengths):
    pcm, used = render(tone_clip("a b c d e f g h i j"), SMALL, tone_engine)
    assert used.voice["speed"] == pytest.approx(1.331) and len(pcm) == 16000
    assert lengths == [pytest.approx(10 * 0.12 / 1.331 * 16000 + 640, rel=0.01)]
    with pytest.raises(DatasetError, match=r"'a .*' by 'me' does not fit into 1 s at any speed. .*--clip_duration; or, .* leave it out"):
        render(tone_clip(" ".join("abcdefghijklmnopqrstuvwxyz"), speaker="me"), SMALL, tone_engine)


def test_of_a_long_sentence_a_stretch_is_taken(tone_engine):
    pcm, used = render(tone_clip(" ".join("abcdefghijklmnopqrstuvwxyz"), "sentence", position=0.5), SMALL, tone_engine)
    assert used.voice["speed"] == 1.0 and np.count_nonzero(np.abs(pcm) > 100) > 15000


def test_pieces_are_cut_and_joined(tone_engine, lengths):
    clip = dataclasses.replace(tone_clip("", "spliced"), pieces=(Piece("one two", 0.0, 0.5), Piece("three", 0.5, 1.0)))
    render(clip, SMALL, tone_engine)
    whole = [len(mixing.trim(np.pad(np.ones(round(0.12 * words * 16000)), 320), 16000)) for words in (2, 1)]
    assert lengths[0] == pytest.approx(sum(whole) / 2, abs=60)


def test_the_formant_scale_speeds_the_voice_up_like_a_tape(tone_engine, lengths):
    for scale in (0.8, 1.0, 1.25):
        pcm, _ = render(tone_clip("a b c", formant_scale=scale), SMALL, tone_engine)
        spectrum = np.abs(np.fft.rfft(pcm))
        assert np.argmax(spectrum) == pytest.approx(400 * scale, abs=3), "16000 samples at 16 kHz: one bin is 1 Hz"
    assert lengths[0] / lengths[1] == pytest.approx(1.25, rel=0.05) and lengths[2] / lengths[1] == pytest.approx(0.8, rel=0.05)


def test_the_snr_of_a_clip_is_the_drawn_one(tone_engine):
    """The same draw with 90 dB of signal-to-noise ratio is clean speech: the difference is the noise."""
    clip = tone_clip("a b c", noise="white", position=0.5, seed=4)
    noisy = render(dataclasses.replace(clip, snr_db=6.0), SMALL, tone_engine)[0].astype(float)
    clean = render(dataclasses.replace(clip, snr_db=90.0), SMALL, tone_engine)[0].astype(float)
    start, end = np.flatnonzero(np.abs(clean) > 50)[[0, -1]]
    gain = np.dot(noisy[start:end], clean[start:end]) / np.dot(clean[start:end], clean[start:end])
    noise = np.concatenate([noisy[:start - 400], noisy[end + 400:]])
    assert 10 * np.log10(np.mean((gain * clean[start:end]) ** 2) / np.mean(noise**2)) == pytest.approx(6.0, abs=1.0)
