"""One message names every problem; what is forgiven is counted."""

import numpy as np
import pytest

from kws_tf.dataset import checks
from kws_tf.dataset.cache_entry import ClipRow
from kws_tf.dataset.split import Split
from kws_tf.errors import DatasetError


class Rows:
    def __init__(self, **sounds):
        self.rows = [ClipRow(path, 1, 1, "", 1, sound, "", "") for path, sound in sounds.items()]


def test_of_copies_the_later_split_keeps_its_clip():
    entries = {"training": Rows(t1="x", t2="y", t3="z", t4="x"), "testing": Rows(e1="x", e2="w"),
               "validation": Rows(v1="x", v2="z", v3="q")}
    assert checks.find_copies(entries) == {"t1": "e1", "t3": "v2", "t4": "e1", "v1": "e1"}


def test_copies_within_a_split_and_digital_silence_are_no_leak():
    assert checks.find_copies({"training": Rows(a="x", b="x", c=""), "testing": Rows(d="", e="y", f="y")}) == {}


def test_one_sound_in_two_classes_is_a_contradiction():
    rows = Rows(a="x", b="x", c="y", d="x", e="", f="").rows
    split = Split("training", pcm=np.zeros(6, np.int16), starts=range(6), lengths=[1] * 6, labels=[0, 0, 0, 1, 0, 1], paths="abcdef")
    assert checks.find_contradictions(rows, split) == [("a", "d")]


def test_a_class_of_which_nothing_is_left_is_named():
    found = checks.emptied_classes("training", ("no", "yes", "up"), [0, 0, 1, 2], [0, 2])
    assert found == ["training/yes: none of its 1 clip can be used."]


def test_everything_is_listed_at_once():
    with pytest.raises(DatasetError) as error:
        checks.refuse("data_root", "here", ["layout a", "layout b"], ["file c"], allow_bad_files=False)
    assert str(error.value).split("\n") == [
        "--data_root=here: 2 layout problems and 1 unusable file. Every split needs clips of every class of training, and of no other.",
        "  layout a", "  layout b", "  file c"]
    assert error.value.problems == ("layout a", "layout b", "file c")


def test_unusable_files_alone_can_be_forgiven(log):
    with pytest.raises(DatasetError, match="1 unusable file. .*--allow_bad_files"):
        checks.refuse("data_root", "here", [], ["file c"], allow_bad_files=False)
    checks.refuse("data_root", "here", [], ["file c", "file d"], allow_bad_files=True)
    assert log() == ["--allow_bad_files: going on without 2 unusable files:\n  file c\n  file d"]


def test_a_layout_problem_is_never_forgiven():
    with pytest.raises(DatasetError, match="1 layout problem and 1 unusable file"):
        checks.refuse("data_root", "here", ["layout a"], ["file c"], allow_bad_files=True)


def test_nothing_wrong_says_nothing(log):
    checks.refuse("data_root", "here", [], [], allow_bad_files=True)
    assert log() == []


def test_the_root_must_be_named_and_be_a_folder_of_splits(tmp_path):
    (tmp_path / "file").write_text("")
    for root, words in (("", "No data set is named. Set --data_root"), (tmp_path / "none", "there is no such folder"),
                        (tmp_path / "file", "this is not a folder"), (tmp_path, "found no folders")):
        with pytest.raises(DatasetError, match=words):
            checks.check_root(str(root))


def test_a_root_of_other_folders_lists_them(tmp_path):
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
    with pytest.raises(DatasetError, match="expected training/<class>/.*; found train, val.$"):
        checks.check_root(str(tmp_path))
    (tmp_path / "validation_list.txt").write_text("")
    with pytest.raises(DatasetError, match="tools/speech_commands.py"):
        checks.check_root(str(tmp_path))
    (tmp_path / "training").mkdir()
    checks.check_root(str(tmp_path))
