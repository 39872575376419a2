"""A small folder in the layout of Speech Commands becomes a data set with the splits and counts of the paper."""

import json
import pathlib
import subprocess
import sys
import wave

import numpy as np
import pytest

from kws_tf import audio, dataset
from kws_tf.config import DataConfig
from kws_tf.errors import DatasetError
from tools import speech_commands
from tools.speech_commands import KEYWORDS, Archive, plan_12_labels, plan_all_words, write

REPOSITORY = pathlib.Path(__file__).parents[2]
OTHERS = {1: ("bed", "cat", "zero"), 2: ("backward", "bed", "visual")}
N_SPEAKERS = 5  # 0 to 2 train, 3 validates, 4 tests


def write_wav(path, pcm):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, len(pcm), "NONE", ""))
        file.writeframes(np.asarray(pcm, "<i2").tobytes())


def noise(seed, n_samples=200):
    return np.random.default_rng(seed).integers(-9000, 9000, n_samples)


def make_archive(folder, version):
    """Five speakers say each word once; two noise files count up, so that a cut shows where it is from."""
    lists = {"validation": [], "testing": []}
    for i, word in enumerate(KEYWORDS + OTHERS[version]):
        for speaker in range(N_SPEAKERS):
            name = f"{speaker:08x}_nohash_0.wav"
            write_wav(folder / word / name, noise(100 * i + speaker))
            if speaker >= 3:
                lists["validation" if speaker == 3 else "testing"].append(f"{word}/{name}")
    for split, names in lists.items():
        (folder / f"{split}_list.txt").write_text("\n".join(names) + "\n")
    for k, n_seconds in enumerate((20, 12)):
        write_wav(folder / "_background_noise_" / f"noise{k}.wav", np.arange(n_seconds * 16000) // 16 + 1)
    write_wav(folder / "_background_noise_" / "short.wav", np.ones(16000 * 5))
    (folder / "_background_noise_" / "README.md").write_text("x")
    (folder / "LICENSE").write_text("x")
    return folder


@pytest.fixture(params=[1, 2])
def archive(request, tmp_path):
    return Archive(make_archive(tmp_path / "archive", request.param))


@pytest.fixture
def archive_2(tmp_path):
    return Archive(make_archive(tmp_path / "archive", 2))


def names(clips, split, label):
    return sorted(clip.name for clip in clips if (clip.split, clip.label) == (split, label))


def test_the_version_is_told_by_its_words_and_the_lists_split_the_speakers(archive):
    assert archive.version == (2 if "visual" in archive.words["training"] else 1)
    for split, speakers in (("training", (0, 1, 2)), ("validation", (3,)), ("testing", (4,))):
        assert set(archive.words[split]) == set(KEYWORDS + OTHERS[archive.version])
        for paths in archive.words[split].values():
            assert [path.name for path in paths] == [f"{speaker:08x}_nohash_0.wav" for speaker in speakers]


def test_counts_of_the_paper(archive):
    clips = plan_12_labels(archive, seed=0)
    for split, n_silence in zip(speech_commands.SPLITS, {1: (1854, 258, 257), 2: (3077, 371, 408)}[archive.version], strict=True):
        assert len(names(clips, split, "_silence_")) == n_silence
        assert len(names(clips, split, "_unknown_")) == {"training": 9}.get(split, 3)  # all that this small archive has
        assert [len(names(clips, split, word)) for word in KEYWORDS] == [{"training": 3}.get(split, 1)] * 10


def test_unknown_clips_are_drawn_by_seed_from_the_other_words_and_keep_them_apart(archive_2):
    drawn = [names(plan_12_labels(archive_2, seed=seed, extra_clips=(4, 2, 1)), "training", "_unknown_") for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2] and all(len(set(one)) == 4 for one in drawn)
    assert all(name.split("_")[0] in OTHERS[2] for name in drawn[0])


def test_training_silence_is_digital_and_other_silence_is_noise_that_training_never_hears(archive_2, tmp_path):
    write(plan_12_labels(archive_2, seed=3, extra_clips=(3, 40, 40)), tmp_path / "out", progress=False)
    silence = {split: [audio.read_pcm(path, 16000) for path in sorted((tmp_path / "out" / split / "_silence_").iterdir())]
               for split in speech_commands.SPLITS}
    assert len(silence["training"]) == 3 and not any(np.any(pcm) for pcm in silence["training"])
    plan = {clip.split: [] for clip in plan_12_labels(archive_2, seed=3, extra_clips=(3, 40, 40))}
    for clip in plan_12_labels(archive_2, seed=3, extra_clips=(3, 40, 40)):
        if isinstance(clip.source, speech_commands.Cut):
            plan[clip.split].append(clip.source)
    for split, low, high in (("validation", 0.8, 0.9), ("testing", 0.9, 1.0)):
        assert len({cut.path.name for cut in plan[split]}) == 2  # of short.wav a tenth is less than a second
        amplitudes = [cut.amplitude for cut in plan[split]]
        assert 0 <= min(amplitudes) < 0.2 and 0.8 < max(amplitudes) <= 1
        for cut, pcm in zip(plan[split], silence[split], strict=True):
            whole = audio.read_pcm(cut.path, 16000)
            assert low * len(whole) <= cut.start and cut.start + 16000 <= high * len(whole)
            np.testing.assert_array_equal(pcm, np.rint(whole[cut.start:cut.start + 16000] * cut.amplitude))


def test_training_silence_can_be_noise_from_the_first_part(archive_2):
    clips = plan_12_labels(archive_2, seed=0, training_silence="noise", extra_clips=(30, 1, 1))
    cuts = [clip.source for clip in clips if (clip.split, clip.label) == ("training", "_silence_")]
    assert len(cuts) == 30 and all(cut.start + 16000 <= 0.8 * len(audio.read_pcm(cut.path, 16000)) for cut in cuts)


def test_every_word_can_be_a_class(archive):
    clips = plan_all_words(archive)
    assert {clip.label for clip in clips} == set(KEYWORDS + OTHERS[archive.version]) and len(clips) == 13 * N_SPEAKERS


def make_test_archive(folder, labels=(*KEYWORDS, "_unknown_", "_silence_")):
    for i, label in enumerate(labels):
        for k in range(2):
            write_wav(folder / label / f"{k}.wav", noise(5000 + 10 * i + k))
    return folder


def test_the_official_test_set_replaces_the_testing_list(archive_2, tmp_path):
    folder = make_test_archive(tmp_path / "test_set")
    clips = plan_12_labels(archive_2, seed=0, test_archive=str(folder), extra_clips=(1, 1, 1))
    testing = [clip for clip in clips if clip.split == "testing"]
    assert len(testing) == 24 and all(folder in clip.source.parents for clip in testing)
    assert {clip.label for clip in testing} == {*KEYWORDS, "_unknown_", "_silence_"}


@pytest.mark.parametrize("copy", [False, True])
def test_what_is_written_loads_as_a_data_set(archive_2, tmp_path, copy):
    write(plan_12_labels(archive_2, seed=0, extra_clips=(6, 2, 2)), tmp_path / "out", copy=copy, record={"seed": 0}, progress=False)
    data = DataConfig(data_root=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"), audio_backend="soundfile")
    found = dataset.load(data, 16000, progress=False)
    assert found.classes == ("_silence_", "_unknown_", *KEYWORDS)
    assert [found.splits[split].n_clips for split in speech_commands.SPLITS] == [42, 14, 14]
    clip = tmp_path / "out/validation/yes/00000003_nohash_0.wav"
    assert clip.is_symlink() != copy
    assert clip.read_bytes() == (archive_2.folder / "yes/00000003_nohash_0.wav").read_bytes()
    assert json.loads((tmp_path / "out/speech_commands.json").read_text()) == {"seed": 0}


def test_an_output_with_something_in_it_is_left_alone(archive_2, tmp_path):
    (tmp_path / "out").mkdir()
    write(plan_all_words(archive_2), tmp_path / "out", progress=False)  # an empty folder is welcome
    before = sorted((tmp_path / "out").rglob("*"))
    with pytest.raises(DatasetError, match="--output=.*not an empty folder"):
        write(plan_all_words(archive_2), tmp_path / "out", progress=False)
    assert sorted((tmp_path / "out").rglob("*")) == before and not list(tmp_path.glob(".*"))


def test_an_interrupted_run_leaves_no_half_data_set(archive_2, tmp_path, monkeypatch):
    clips = plan_all_words(archive_2)
    clips[-1] = clips[-1]._replace(source=tmp_path / "vanished.wav")
    with pytest.raises(FileNotFoundError):
        write(clips, tmp_path / "out", copy=True, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive"]


@pytest.mark.parametrize("damage, message", [
    (lambda folder: (folder / "testing_list.txt").unlink(), "testing_list.txt is missing"),
    (lambda folder: (folder / "yes/00000003_nohash_0.wav").unlink(), r"1 of 13 clips of validation_list.txt are[\s\S]*yes/00000003"),
    (lambda folder: (folder / "testing_list.txt").write_text("yes/00000003_nohash_0.wav"), "named in both"),
])
def test_an_archive_that_is_not_whole_is_refused(archive_2, damage, message):
    damage(archive_2.folder)
    with pytest.raises(DatasetError, match=message):
        Archive(archive_2.folder)


def test_missing_parts_for_12_labels_are_named(archive_2, tmp_path):
    with pytest.raises(DatasetError, match="--archive=.*no such folder"):
        Archive(tmp_path / "none")
    with pytest.raises(DatasetError, match="--test_archive=.*no clips of up, _silence_"):
        plan_12_labels(archive_2, seed=0, test_archive=make_test_archive(tmp_path / "t", (*KEYWORDS[:8], "yes", "_unknown_")))
    without_noise = Archive(archive_2.folder)
    without_noise.noises = []
    with pytest.raises(DatasetError, match="_background_noise_ holds no WAV file of which validation gets"):
        plan_12_labels(without_noise, seed=0)
    for words in archive_2.words.values():
        del words["yes"]
    with pytest.raises(DatasetError, match="the words yes are missing"):
        plan_12_labels(archive_2, seed=0)


def run_tool(*arguments):
    command = [sys.executable, str(REPOSITORY / "tools/speech_commands.py"), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=REPOSITORY)


def test_the_command_line(archive_2, tmp_path):
    base = (f"--archive={archive_2.folder}", f"--output={tmp_path / 'out'}", "--labels=35")
    dry = run_tool(*base, "--dry_run")
    assert dry.returncode == 0 and "dry run" in dry.stdout and not (tmp_path / "out").exists()
    assert "version 2, 13 words" in dry.stdout and dry.stdout.split("all")[1].split()[:3] == ["39", "13", "13"]
    done = run_tool(*base)
    assert done.returncode == 0
    assert f"--data_root={tmp_path / 'out'} --noise_dir={archive_2.folder}/_background_noise_ --noise_fraction=0.8" in done.stdout
    assert json.loads((tmp_path / "out/speech_commands.json").read_text())["labels"] == "35"
    again = run_tool(*base)
    assert again.returncode == 1 and again.stderr.startswith("error: --output=") and len(again.stderr.splitlines()) == 1
    mixed = run_tool(*base[:2], "--labels=35", "--test_archive=x", f"--output={tmp_path / 'new'}")
    assert mixed.returncode == 1 and "does not fit --labels=35" in mixed.stderr
