import subprocess
import sys

import pytest

from kws_tf import atomic_file


def test_replaces_the_file_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "config.json"
    atomic_file.write_text(target, "first")
    atomic_file.write_text(target, "sécond")
    assert target.read_text(encoding="utf-8") == "sécond"
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_temporary_name_is_in_the_same_folder_and_keeps_the_suffixes(tmp_path):
    with atomic_file.replacing(tmp_path / "best.weights.h5") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".weights.h5")
        temporary.write_bytes(b"x")


def test_a_failed_write_keeps_the_previous_file(tmp_path):
    target = tmp_path / "last.npz"
    atomic_file.write_bytes(target, b"whole")
    with pytest.raises(RuntimeError), atomic_file.replacing(target) as temporary:
        temporary.write_bytes(b"ha")
        raise RuntimeError("killed half way")
    assert target.read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["last.npz"]


def test_what_a_kill_has_left_is_known_by_its_name(tmp_path):
    with atomic_file.replacing(tmp_path / "last.npz") as temporary:
        assert atomic_file.is_temporary(temporary)
        temporary.touch()
    assert not atomic_file.is_temporary(tmp_path / "last.npz") and not atomic_file.is_temporary(".cache")


def test_a_folder_appears_when_it_is_complete(tmp_path):
    folder = tmp_path / "sets" / "rooms"
    with pytest.raises(RuntimeError), atomic_file.new_folder(folder) as partial:
        (partial / "half.wav").touch()
        raise RuntimeError("killed half way")
    assert not list((tmp_path / "sets").iterdir())
    (tmp_path / "sets" / ".rooms.partial").mkdir()
    (tmp_path / "sets" / ".rooms.partial" / "old.wav").touch()
    with atomic_file.new_folder(folder) as partial:
        (partial / "whole.wav").touch()
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == ["whole.wav"] and [path.name for path in folder.parent.iterdir()] == ["rooms"]
    with pytest.raises(OSError), atomic_file.new_folder(folder):
        pass
    assert [path.name for path in folder.iterdir()] == ["whole.wav"]


def test_an_error_names_the_file_and_not_its_temporary_one(tmp_path):
    (tmp_path / "notes").write_text("a file")
    for path in (tmp_path / "none" / "last.npz", tmp_path / "notes" / "last.npz"):
        with pytest.raises(OSError) as caught:
            atomic_file.write_bytes(path, b"whole")
        assert caught.value.filename == str(path)


def test_a_full_disk_is_told_of_the_file(tmp_path):
    with pytest.raises(OSError) as caught, atomic_file.replacing(tmp_path / "last.npz"):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "last.npz")
    with pytest.raises(OSError) as caught, atomic_file.replacing(tmp_path / "last.npz"):
        raise OSError(2, "No such file", "another")
    assert caught.value.filename == "another"


def test_a_link_to_an_empty_folder_gets_the_content(tmp_path):
    (tmp_path / "elsewhere" / "empty").mkdir(parents=True)
    (tmp_path / "link").symlink_to("elsewhere/empty")
    with atomic_file.new_folder(tmp_path / "link") as partial:
        (partial / "a.wav").touch()
    assert (tmp_path / "link").is_symlink() and [path.name for path in (tmp_path / "elsewhere" / "empty").iterdir()] == ["a.wav"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "link"]


def test_a_folder_that_is_being_made_is_left_to_its_maker(tmp_path):
    with atomic_file.new_folder(tmp_path / "rooms") as partial:
        (partial / "a.wav").touch()
        with pytest.raises(BlockingIOError, match="another process is making it"), atomic_file.new_folder(tmp_path / "rooms"):
            pass
        assert (partial / "a.wav").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["rooms"] and [path.name for path in (tmp_path / "rooms").iterdir()] == ["a.wav"]


def test_a_lock_ends_with_its_process(tmp_path):
    code = f"import os; from kws_tf import atomic_file; atomic_file.growing_folder({str(tmp_path / 'set')!r}).__enter__(); os._exit(1)"
    subprocess.run([sys.executable, "-c", code], check=False)
    with atomic_file.growing_folder(tmp_path / "set") as partial:
        assert partial.name == ".set.partial"
