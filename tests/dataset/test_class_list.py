"""Classes come from training alone; an index file may only change their order."""

import os

import pytest

from kws_tf.dataset.class_list import find_classes, name_problem


@pytest.fixture
def root(folder):
    folder.fill(splits=("training",), classes=("yes", "no", "_silence_"), n_clips=1)
    folder.fill(splits=("validation",), classes=("yes", "extra"), n_clips=1)
    return folder.root


def test_classes_are_the_training_folders_in_alphabetical_order(root):
    assert find_classes(root) == (("_silence_", "no", "yes"), [])


def test_an_index_fixes_the_order(root, tmp_path):
    (tmp_path / "index.txt").write_text("yes\n\n  _silence_ \r\nno\n")
    assert find_classes(root, str(tmp_path / "index.txt")) == (("yes", "_silence_", "no"), [])


@pytest.mark.parametrize("text, problems", [
    ("yes\nno\n", ["not named in it: _silence_"]),
    ("yes\nno\n_silence_\nstop\nextra\n", ["without a folder in training: extra, stop"]),
    ("yes\nno\n_silence_\nno\n", ["named twice: no"]),
    ("", ["not named in it: _silence_, no, yes"]),
    ("Yes\nno\nno\n_silence_\n", ["named twice: no", "without a folder in training: Yes", "not named in it: yes"]),
])
def test_an_index_that_is_not_the_set_of_folders_is_refused(root, tmp_path, text, problems):
    (tmp_path / "index.txt").write_text(text)
    names, found = find_classes(root, str(tmp_path / "index.txt"))
    assert names == ("_silence_", "no", "yes") and len(found) == len(problems)
    assert all(expected in line and "index.txt" in line for expected, line in zip(problems, found, strict=True))


def test_an_unreadable_index_is_named(root, tmp_path):
    assert "No such file" in find_classes(root, str(tmp_path / "none.txt"))[1][0]
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in find_classes(root, str(tmp_path / "binary"))[1][0]


@pytest.mark.parametrize("classes, found", [((), "found none"), (("yes",), "found only yes")])
def test_fewer_than_two_classes_are_a_problem(folder, classes, found):
    folder.fill(splits=("training",), classes=classes, n_clips=1)
    _, problems = find_classes(folder.root)
    assert len(problems) == 1 and found in problems[0] and "training" in problems[0]


@pytest.mark.parametrize("name", ["hey jarvis", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0939\u093f\u0928\u094d\u0926\u0940",
                                  "5 $"])
def test_names_of_any_language_are_legal(name):
    assert name_problem(name) == ""


@pytest.mark.parametrize("name, problem", [("yes\nno", "one line"), ("yes\u2028no", "one line"), (" yes", "one line"), ("", "one line"),
                                           ("caf\udce9", "UTF-8")])
def test_names_that_a_file_of_labels_cannot_hold_are_refused(name, problem):
    assert problem in name_problem(name)


def test_a_folder_whose_name_is_no_text_is_a_problem(root):
    os.mkdir(os.fsencode(root) + b"/training/caf\xe9")
    _, problems = find_classes(root)
    assert len(problems) == 1 and "'caf\\udce9': the name of a class must be UTF-8 text" in problems[0]
