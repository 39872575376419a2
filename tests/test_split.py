"""The program that deals clips to splits."""

import csv
import pathlib
import shutil

import numpy as np
import pytest
import soundfile
from absl import flags

from kws_tf import split
from kws_tf.curation import partition
from kws_tf.errors import ConfigError, DatasetError


@pytest.fixture
def source(tmp_path):
    """Two classes, twelve speakers, three takes each."""
    rng = np.random.default_rng(1)
    for label in ("no", "yes"):
        for speaker in range(12):
            folder = pathlib.Path(tmp_path, "source", label, f"sp{speaker}")
            folder.mkdir(parents=True)
            for take in range(3):
                soundfile.write(folder / f"{take}.wav", rng.uniform(-0.2, 0.2, 3000), 16000)
    return tmp_path / "source"


@pytest.fixture
def run(monkeypatch):
    def call(*arguments):
        values = flags.FlagValues()
        split.define(values)
        rest = values(["split", "--workers=1", *map(str, arguments)])
        monkeypatch.setattr(split, "FLAGS", values)
        return split.main(rest)
    return call


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.wav"))}


def speakers(folder):
    return {name: {path.parent.name for path in (folder / name).rglob("*.wav")} for name in split.SPLITS}


def test_speakers_stay_together_and_originals_stay_where_they_are(run, source, tmp_path, capsys):
    before = contents(source)
    run("--input", source, "--output", tmp_path / "new", "--shares=0.5,0.25,0.25")
    found = speakers(tmp_path / "new")
    assert sorted(map(len, found.values())) == [3, 3, 6] and len(set().union(*found.values())) == 12
    assert sorted(contents(tmp_path / "new").values()) == sorted(before.values()) and contents(source) == before
    assert "training    36 clips of 6 groups: no 18, yes 18" in capsys.readouterr().out
    with open(tmp_path / "new" / "split.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 72 and all((tmp_path / "new" / row["file"]).read_bytes() == (source / row["source"]).read_bytes() for row in rows)
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(DatasetError, match="exists already"):
        run("--input", source, "--output", tmp_path / "new")


def test_links_and_dry_run(run, source, tmp_path, capsys):
    run("--input", source, "--output", tmp_path / "new", "--dry_run")
    assert "clips of" in capsys.readouterr().out and not (tmp_path / "new").exists()
    run("--input", source, "--output", tmp_path / "new", "--link")
    files = list((tmp_path / "new").rglob("*.wav"))
    assert len(files) == 72 and all(path.is_symlink() and path.exists() for path in files)


def test_a_set_that_is_dealt_already_is_dealt_again(run, source, tmp_path):
    run("--input", source, "--output", tmp_path / "one")
    run("--input", tmp_path / "one", "--output", tmp_path / "two", "--seed=5")
    assert sorted(contents(tmp_path / "two").values()) == sorted(contents(source).values())
    assert speakers(tmp_path / "one") != speakers(tmp_path / "two")


def test_copies_of_a_sound_are_never_in_two_splits(run, source, tmp_path):
    for speaker in range(12):
        shutil.copy(source / "yes/sp0/0.wav", source / f"no/sp{speaker}/copy.wav") if speaker in (4, 7) else None
    run("--input", source, "--output", tmp_path / "new", "--by=file", "--shares=0.4,0.3,0.3")
    same = (source / "yes/sp0/0.wav").read_bytes()
    assert len({path.split("/")[0] for path, data in contents(tmp_path / "new").items() if data == same}) == 1


def test_clusters_and_stable_deals(run, source, tmp_path):
    run("--input", source, "--output", tmp_path / "c", "--by=cluster", "--clusters=6")
    assert len(contents(tmp_path / "c")) == 72
    run("--input", source, "--output", tmp_path / "s", "--stable", "--shares=0.5,0.25,0.25")
    shutil.rmtree(source / "yes" / "sp3")
    run("--input", source, "--output", tmp_path / "t", "--stable", "--shares=0.5,0.25,0.25")
    first, second = contents(tmp_path / "s"), contents(tmp_path / "t")
    assert set(second) == {path for path in first if "yes/sp3" not in path}


def test_a_copy_that_is_added_later_moves_no_clip(source):
    def splits(**options):
        items = split.find_items(source, "file", **options)
        dealt = partition.deal_by_hash(items, dict(zip(split.SPLITS, (0.4, 0.3, 0.3), strict=True)), seed=1)
        return {item.path: dealt[item.group] for item in items}

    before = splits()
    for path in sorted(source.rglob("*.wav")):
        shutil.copy(path, path.with_name(f"0_again_{path.name}"))
    after = splits()
    assert {path: after[path] for path in before} == before and len(after) == 2 * len(before)


def test_two_clips_of_one_name_are_told_by_a_dry_run_too(run, source, tmp_path):
    for label in ("no", "yes"):
        shutil.copytree(source / label, source / "training" / label)
    shutil.rmtree(source / "no")
    shutil.rmtree(source / "yes")
    shutil.copytree(source / "training", source / "testing")
    with pytest.raises(DatasetError, match="would both become"):
        run("--input", source, "--output", tmp_path / "new", "--dry_run")
    (tmp_path / "new").mkdir()
    with pytest.raises(DatasetError, match="exists already"):
        run("--input", source, "--output", tmp_path / "new", "--dry_run")


def test_clips_without_speaker_and_unreadable_ones_are_listed(run, source, tmp_path):
    shutil.copy(source / "yes/sp0/0.wav", source / "yes/loose.wav")
    (source / "no/sp1/0.wav").write_text("no sound")
    with pytest.raises(DatasetError, match="2 problems.*--speaker_pattern") as caught:
        run("--input", source, "--output", tmp_path / "new")
    assert "yes/loose.wav: no speaker" in str(caught.value) and "no/sp1/0.wav: not a recording" in str(caught.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    ((), "--input and --output are needed"), (("--input=none", "--output=x"), "there is no such folder"),
    (("--input=.", "--output=x", "--shares=1,2"), r"--shares=1\.0,2\.0: expected three numbers"),
    (("--input=.", "--output=x", "--by=cluster", "--stable"), "--stable: with --by=cluster"),
    (("--input=.", "--output=x", "--by=file", "--speaker_pattern=x"), "belongs to --by=speaker"), (("x",), "unexpected argument"),
])
def test_wrong_flags_are_one_clear_error(run, arguments, message):
    with pytest.raises((ConfigError, DatasetError), match=message):
        run(*arguments)


def test_a_folder_without_classes_is_refused(run, tmp_path):
    with pytest.raises(DatasetError, match="expected <class>/<clip>; found no folder"):
        run("--input", tmp_path, "--output", tmp_path / "x")
