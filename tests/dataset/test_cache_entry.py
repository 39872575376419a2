"""An entry opens if it is whole, and only then."""

import json

import numpy as np
import pytest

from kws_tf.dataset.cache_entry import DATA_FILE, INDEX_FILE, CacheEntry, ClipRow, digest, write_index


def row(path, n_samples, problem=""):
    return ClipRow(path, 10, 1234567890123456789, "c0", n_samples, "s0", "", problem)


@pytest.fixture
def entry(tmp_path):
    (tmp_path / "e").mkdir()
    np.arange(7, dtype=np.int16).tofile(tmp_path / "e" / DATA_FILE)
    write_index(tmp_path / "e", [row("a", 3), row("b", 0, "broken."), row("c", 4)])
    return tmp_path / "e"


def test_rows_and_clips_come_back(entry):
    found = CacheEntry.read(entry)
    assert found.rows == [row("a", 3), row("b", 0, "broken."), row("c", 4)]
    assert [found.clip(i).tolist() for i in range(3)] == [[0, 1, 2], [], [3, 4, 5, 6]]
    assert found.problems == ["b: broken."] and found.n_bytes == 14
    assert isinstance(found.pcm, np.memmap) and not found.clip(0).flags.writeable


def test_an_entry_without_samples_is_an_entry(tmp_path):
    (tmp_path / DATA_FILE).write_bytes(b"")
    write_index(tmp_path, [])
    assert CacheEntry.read(tmp_path).rows == [] and len(CacheEntry.read(tmp_path).pcm) == 0


def test_the_index_is_replaced_and_leaves_nothing_behind(entry):
    write_index(entry, [row("x", 7)])
    assert CacheEntry.read(entry).rows == [row("x", 7)]
    assert sorted(path.name for path in entry.iterdir()) == [DATA_FILE, INDEX_FILE]


@pytest.mark.parametrize("damage", [
    lambda entry: (entry / DATA_FILE).unlink(),
    lambda entry: (entry / DATA_FILE).write_bytes(b"\0" * 13),
    lambda entry: (entry / DATA_FILE).write_bytes(b"\0" * 16),
    lambda entry: (entry / INDEX_FILE).unlink(),
    lambda entry: (entry / INDEX_FILE).write_text("{"),
    lambda entry: (entry / INDEX_FILE).write_text("[]"),
    lambda entry: (entry / INDEX_FILE).write_text("{}"),
    lambda entry: (entry / INDEX_FILE).write_text(json.dumps({**dict.fromkeys(ClipRow._fields, ["1"]), "size": []})),
])
def test_an_entry_that_is_not_whole_is_not_found(entry, damage):
    assert len(CacheEntry.read_all(entry.parent)) == 1
    damage(entry)
    assert CacheEntry.read_all(entry.parent) == []


def test_hidden_folders_and_missing_ones_hold_no_entries(entry, tmp_path):
    entry.rename(tmp_path / ".building-1")
    assert CacheEntry.read_all(tmp_path) == [] and CacheEntry.read_all(tmp_path / "none") == []


def test_digest_has_the_length_asked_for_and_depends_on_every_byte():
    assert len(digest(b"a")) == 32 and len(digest(b"a", 6)) == 12 and digest(b"ab") != digest(b"ba")
