"""The demo's data set: complete, voice-disjoint, the same from the same seed, all or nothing."""

import csv
import dataclasses
import json

import numpy as np
import pytest
import soundfile

from kws_tf.errors import ConfigError, DatasetError
from kws_tf.synthesis import demo_set, mixing, speakers
from kws_tf.synthesis.demo_set import Clip, DemoSetConfig

pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")

from kws_tf.synthesis.espeak import Espeak  # noqa: E402

SMALL = DemoSetConfig(training=(4, 6, 2), validation=(1, 2, 1), testing=(2, 3, 1))


@pytest.fixture(scope="module")
def espeak():
    return Espeak()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "set"
    assert demo_set.make(folder, SMALL, n_workers=1, progress=False)
    return folder


def rows(folder):
    with open(folder / "manifest.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_is_the_layout_that_training_reads(made):
    count = {str(path.relative_to(made)): len(list(path.glob("*.flac"))) for path in sorted(made.glob("*/*/"))}
    expected = {}
    for split in ("training", "validation", "testing"):
        n_command, n_unknown, n_silence = getattr(SMALL, split)
        expected |= {f"{split}/{label}": n_command for label in SMALL.commands}
        expected |= {f"{split}/_unknown_": n_unknown, f"{split}/_silence_": n_silence}
    assert count == expected
    assert not list(made.parent.glob(".*"))


def test_every_clip_is_a_second_at_16_khz_without_clipping(made):
    for row in rows(made):
        pcm, sample_rate = soundfile.read(made / row["file"], dtype="int16")
        assert (sample_rate, pcm.shape) == (16000, (16000,))
        peak_db = 20 * np.log10(np.abs(pcm.astype(int)).max() / 32767)
        assert peak_db == pytest.approx(float(row["peak_db"]), abs=0.2)
        assert np.count_nonzero(np.abs(pcm.astype(int)) == 32767) == 0


def test_noise_for_augmentation_is_ten_seconds_or_more_of_every_kind(made):
    files = sorted((made / "noise").glob("*.flac"))
    assert {path.stem.split("_")[0] for path in files} == {"white", "pink", "brown", "hum"}
    assert all(soundfile.info(path).samplerate == 16000 and soundfile.info(path).duration >= 10 for path in files)


def test_the_manifest_makes_every_clip_again(made, espeak):
    kinds = {field.name: field.type for field in dataclasses.fields(Clip)}
    table = rows(made)
    assert len(table) == sum(4 * n_command + n_unknown + n_silence for n_command, n_unknown, n_silence in
                             (SMALL.training, SMALL.validation, SMALL.testing))
    for row in table[::5]:
        clip = Clip(**{name: kinds[name](value) for name, value in row.items()})
        pcm, _ = demo_set.render(clip, SMALL, espeak)
        np.testing.assert_array_equal(pcm, soundfile.read(made / clip.file, dtype="int16")[0])


def test_no_speaker_is_in_two_splits(espeak):
    clips = demo_set.plan(DemoSetConfig(), espeak)
    groups = speakers.group_by_speaker(speakers.natural(espeak.variants), espeak.data_path)
    speaker_of = {variant.identifier: index for index, group in enumerate(groups) for variant in group}
    heard = {split: {speaker_of[clip.variant] for clip in clips if clip.text and clip.file.startswith(split)}
             for split in ("training", "validation", "testing")}
    assert len(heard["training"]) >= 30 and len(heard["validation"]) >= 8 and len(heard["testing"]) >= 12
    assert sum(map(len, heard.values())) == len(set().union(*heard.values())) == len(groups)
    for split in heard:
        assert {clip.gender for clip in clips if clip.text and clip.file.startswith(split)} == {"female", "male"}


def test_testing_has_words_that_training_lacks_and_no_command_is_an_other_word(espeak):
    clips = demo_set.plan(DemoSetConfig(), espeak)
    words = {split: {clip.text for clip in clips if clip.label == "_unknown_" and clip.file.startswith(split)}
             for split in ("training", "testing")}
    assert words["training"] == set(demo_set.OTHER_WORDS)
    assert words["testing"] == set(demo_set.OTHER_WORDS) | set(demo_set.UNSEEN_WORDS)
    assert all(clip.text == clip.label for clip in clips if clip.label in DemoSetConfig().commands)
    assert not words["testing"] & set(DemoSetConfig().commands)
    pronounced = {espeak.phonemes(word)[0] for word in words["testing"]}
    assert not pronounced & {espeak.phonemes(command)[0] for command in DemoSetConfig().commands}


def test_the_plan_follows_the_seed(espeak):
    assert demo_set.plan(SMALL, espeak) == demo_set.plan(SMALL, espeak)
    assert demo_set.plan(SMALL, espeak) != demo_set.plan(dataclasses.replace(SMALL, seed=2), espeak)
    files = [clip.file for clip in demo_set.plan(DemoSetConfig(), espeak)]
    assert len(files) == len(set(files))


def test_processes_write_the_same_files(made, tmp_path):
    demo_set.make(tmp_path / "set", SMALL, n_workers=2, progress=False)
    assert (tmp_path / "set" / "manifest.csv").read_bytes() == (made / "manifest.csv").read_bytes()
    for row in rows(made):
        assert (tmp_path / "set" / row["file"]).read_bytes() == (made / row["file"]).read_bytes()


def test_a_long_word_is_spoken_faster_and_kept_whole(espeak, monkeypatch):
    clip = demo_set.plan(SMALL, espeak)[0]
    long_clip = dataclasses.replace(clip, text="extraordinary", speed_wpm=110)
    lengths = []
    place = mixing.place
    monkeypatch.setattr(mixing, "place", lambda speech, n, position: lengths.append(len(speech)) or place(speech, n, position))
    pcm, rendered = demo_set.render(long_clip, SMALL, espeak)
    assert len(pcm) == 16000 and lengths[0] <= 16000
    assert rendered.speed_wpm > 110 and dataclasses.replace(rendered, speed_wpm=110) == long_clip
    slower = dataclasses.replace(rendered, speed_wpm=round(rendered.speed_wpm / 1.1) - 1)
    assert demo_set.render(slower, SMALL, espeak)[1].speed_wpm > slower.speed_wpm
    with pytest.raises(DatasetError, match="at any speed"):
        demo_set.render(dataclasses.replace(clip, text="one extraordinarily long sentence that cannot be said in time"), SMALL, espeak)


def test_the_formant_scale_speeds_the_voice_up_like_a_tape(espeak, monkeypatch):
    clip = dataclasses.replace(demo_set.plan(SMALL, espeak)[0], text="go", speed_wpm=150)
    lengths = []
    monkeypatch.setattr(mixing, "place", lambda speech, n, position: lengths.append(len(speech)) or np.resize(speech, n))
    for scale in (0.9, 1.0, 1.2):
        demo_set.render(dataclasses.replace(clip, formant_scale=scale), SMALL, espeak)
    assert lengths[0] / lengths[1] == pytest.approx(1 / 0.9, rel=0.05) and lengths[2] / lengths[1] == pytest.approx(1 / 1.2, rel=0.05)


def test_the_snr_of_a_clip_is_the_drawn_one(espeak):
    """The same draw with 60 dB more signal-to-noise ratio is clean speech: the difference is the noise."""
    clip = dataclasses.replace(demo_set.plan(SMALL, espeak)[0], snr_db=6.0, peak_db=-1.0)
    noisy = demo_set.render(clip, SMALL, espeak)[0].astype(float)
    clean = demo_set.render(dataclasses.replace(clip, snr_db=90.0), SMALL, espeak)[0].astype(float)
    spoken = np.abs(clean) > 20
    start, end = np.flatnonzero(spoken)[[0, -1]]
    quiet = np.ones(len(clean), bool)
    quiet[max(0, start - 400):end + 400] = False
    gain = np.dot(noisy[start:end], clean[start:end]) / np.dot(clean[start:end], clean[start:end])
    snr_db = 10 * np.log10(np.mean((gain * clean[start:end]) ** 2) / np.mean(noisy[quiet] ** 2))
    assert snr_db == pytest.approx(6.0, abs=1.5)


def test_a_finished_set_is_found_and_a_different_one_refused(made, tmp_path, monkeypatch):
    before = (made / "manifest.csv").stat().st_mtime_ns
    assert not demo_set.make(made, SMALL, progress=False)
    assert (made / "manifest.csv").stat().st_mtime_ns == before
    with pytest.raises(DatasetError, match="other settings"):
        demo_set.make(made, dataclasses.replace(SMALL, seed=2), progress=False)
    with monkeypatch.context() as other_words:
        other_words.setattr(demo_set, "OTHER_WORDS", ("lamp", "chair"))
        with pytest.raises(DatasetError, match="another version"):
            demo_set.make(made, SMALL, progress=False)
    (tmp_path / "recordings").mkdir()
    with pytest.raises(DatasetError, match="something else"):
        demo_set.make(tmp_path / "recordings", SMALL, progress=False)


def test_an_interrupted_set_leaves_no_folder_and_starts_anew(tmp_path, monkeypatch):
    render, calls = demo_set.render, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return render(*arguments)

    monkeypatch.setattr(demo_set, "render", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo_set.make(tmp_path / "set", SMALL, n_workers=1, progress=False)
    assert not (tmp_path / "set").exists() and len(list(tmp_path.rglob("*.flac"))) > 4
    assert demo_set.make(tmp_path / "set", SMALL, n_workers=1, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert json.loads((tmp_path / "set" / "demo_set.json").read_text())["settings"]["seed"] == 1


@pytest.mark.parametrize(("change", "words"), [
    ({"training": (1, 2)}, "training must be three positive numbers"),
    ({"testing": (1, 0, 1)}, "testing must be"),
    ({"commands": ("yes", "snow")}, "received snow"),
    ({"commands": ()}, "received none"),
])
def test_impossible_settings_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        DemoSetConfig(**change)
