"""A scan finds every clip, at any depth and through links, and says what it leaves out."""

import os

import pytest

from kws_tf.dataset.scan import Scan, SplitScan, subfolders


def paths(scan):
    return [file.path for file in scan.files]


def test_clips_are_found_at_any_depth_sorted_with_size_and_time(folder):
    for path in ("b.wav", "a/deep/er/c.FLAC", "a/x.ogg"):
        folder.clip(path)
    scan = Scan(folder.root)
    assert paths(scan) == ["a/deep/er/c.FLAC", "a/x.ogg", "b.wav"] and not scan.problems
    status = os.stat(folder.root / "b.wav")
    assert scan.files[2] == ("b.wav", status.st_size, status.st_mtime_ns)


def test_paths_of_a_subfolder_stay_relative_to_the_root(folder):
    folder.clip("training/yes/a.wav")
    folder.clip("other/b.wav")
    assert paths(Scan(folder.root, "training/yes")) == ["training/yes/a.wav"]


def test_hidden_files_and_folders_are_ignored(folder):
    for path in (".hidden/a.wav", "x/.b.wav", "x/c.wav", ".DS_Store.wav"):
        folder.clip(path)
    assert paths(Scan(folder.root)) == ["x/c.wav"]


def test_notes_are_counted_and_unknown_kinds_are_problems(folder):
    folder.clip("a.wav")
    for name in ("notes.txt", "more.TXT", "labels.csv", "speech.m4a", "noending"):
        (folder.root / name).write_text("x")
    scan = Scan(folder.root)
    assert paths(scan) == ["a.wav"] and scan.ignored == {".txt": 2, ".csv": 1}
    assert [problem.split(":")[0] for problem in scan.problems] == ["noending", "speech.m4a"]
    assert "a name without ending" in scan.problems[0] and ".m4a is no kind of audio" in scan.problems[1]


def test_names_that_are_no_text_are_problems_that_can_be_printed(folder):
    folder.clip("caf\u00e9/a.wav")
    os.rename(folder.root / "caf\u00e9/a.wav", os.fsencode(folder.root) + b"/caf\xc3\xa9/\xff.wav")
    folder.clip("b.wav")
    scan = Scan(folder.root)
    assert paths(scan) == ["b.wav"] and scan.problems == ["caf\u00e9/\\udcff.wav: the name is not UTF-8 text. Rename it."]


def test_links_to_files_and_folders_are_followed(folder, tmp_path):
    folder.clip("../elsewhere/a.wav")
    folder.clip("b.wav")
    (folder.root / "linked").symlink_to(tmp_path / "elsewhere")
    (folder.root / "c.wav").symlink_to(tmp_path / "elsewhere/a.wav")
    assert paths(Scan(folder.root)) == ["b.wav", "c.wav", "linked/a.wav"]


def test_a_broken_link_and_a_circle_of_links_are_problems(folder):
    folder.clip("x/a.wav")
    (folder.root / "x/gone.wav").symlink_to(folder.root / "nothing.wav")
    (folder.root / "x/circle").symlink_to(folder.root)
    scan = Scan(folder.root)
    assert paths(scan) == ["x/a.wav"]
    assert [problem.split(":")[0] for problem in scan.problems] == ["x/circle", "x/gone.wav"]
    assert "leads back" in scan.problems[0] and "broken link" in scan.problems[1]


def test_something_that_is_no_file_is_a_problem(folder):
    folder.clip("a.wav")
    os.mkfifo(folder.root / "pipe.wav")
    assert Scan(folder.root).problems == ["pipe.wav: neither a file nor a folder."]


def test_subfolders_are_sorted_and_visible(folder):
    folder.fill(splits=("training",), classes=("no", ".git", "yes", "_silence_"))
    folder.clip("training/loose.wav")
    assert subfolders(folder.root / "training") == ["_silence_", "no", "yes"]
    assert subfolders(folder.root / "none") == []


def test_labels_are_the_positions_of_the_classes(folder):
    folder.fill(splits=("validation",), n_clips=1)
    scan = SplitScan(folder.root, "validation", ("yes", "no"))
    assert list(zip(paths(scan), scan.labels, strict=True)) == [("validation/no/0.wav", 1), ("validation/yes/0.wav", 0)]
    assert not scan.layout and not scan.problems


def test_missing_empty_and_unknown_classes_are_problems_of_layout(folder):
    folder.fill(splits=("validation",), classes=("no", "maybe"), n_clips=1)
    (folder.root / "validation/empty").mkdir()
    (folder.root / "validation/yes").mkdir()
    (folder.root / "validation/yes/only.txt").write_text("x")
    scan = SplitScan(folder.root, "validation", ("no", "yes", "stop"))
    assert scan.layout == ["validation/empty: not one of the classes, which are no, yes, stop.",
                           "validation/maybe: not one of the classes, which are no, yes, stop.",
                           "validation/yes: no clips in this folder.",
                           "validation/stop: the folder of this class is missing."]


def test_a_model_may_be_scored_on_part_of_its_classes(folder):
    folder.fill(splits=("testing",), classes=("no",), n_clips=1)
    scan = SplitScan(folder.root, "testing", ("no", "yes"), may_lack_classes=True)
    assert scan.missing_classes == ["yes"] and not scan.layout
    assert SplitScan(folder.root, "testing", ("up", "yes"), may_lack_classes=True).layout[-1] == "testing: no clips of any class."


@pytest.mark.parametrize("name, found", [("loose.wav", 1), ("README.txt", 0), (".hidden.wav", 0)])
def test_clips_outside_the_class_folders_are_problems(folder, name, found):
    folder.fill(splits=("testing",), n_clips=1)
    (folder.root / "testing" / name).write_text("x")
    scan = SplitScan(folder.root, "testing", ("no", "yes"))
    assert len(scan.problems) == found and all("outside the class folders" in problem for problem in scan.problems)


def test_a_link_to_itself_is_a_problem(folder):
    folder.clip("training/yes/a.wav")
    for path in ("training/yes/b.wav", "training/loose.wav"):
        (folder.root / path).symlink_to(folder.root / path)
    assert [problem.split(":")[0] for problem in Scan(folder.root, "training/yes").problems] == ["training/yes/b.wav"]
    assert [problem.split(":")[0] for problem in SplitScan(folder.root, "training", ("yes",)).problems] == [
        "training/yes/b.wav", "training/loose.wav"]
