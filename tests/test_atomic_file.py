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
