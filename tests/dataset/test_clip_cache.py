"""Clips are decoded once; whatever happens in between, what is opened is whole and right."""

import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from kws_tf import audio
from kws_tf.dataset import clip_cache
from kws_tf.dataset.clip_cache import ClipCache, default_cache_dir
from kws_tf.dataset.decode import SoundfileDecoder
from kws_tf.dataset.scan import FoundFile, Scan
from kws_tf.errors import DatasetError

REPOSITORY = pathlib.Path(__file__).parents[2]


class CountingDecoder(SoundfileDecoder):
    """Remembers which files it read."""

    def __init__(self):
        self.names = []

    def read(self, path):
        self.names.append(os.path.basename(path))
        return super().read(path)


@pytest.fixture
def decoder():
    return CountingDecoder()


@pytest.fixture
def clips(folder):
    return {path: folder.clip(path, n_samples=100 + i) for i, path in enumerate(["a.wav", "b/c.wav", "b/d.wav", "e.wav"])}


@pytest.fixture
def open_cache(folder, decoder, tmp_path):
    def open_now(**settings):
        cache = ClipCache(folder.root, "some clips", **{"sample_rate": 16000, "decoder": decoder, "cache_dir": str(tmp_path / "cache"),
                                                        "progress": False, **settings})
        return cache.open(Scan(folder.root).files)
    return open_now


def homes(tmp_path):
    return sorted((tmp_path / "cache").iterdir())


def assert_holds(entry, clips):
    assert [row.path for row in entry.rows] == sorted(clips)
    for i, row in enumerate(entry.rows):
        np.testing.assert_array_equal(entry.clip(i), clips[row.path])


def test_all_clips_are_decoded_in_the_order_of_their_paths(open_cache, clips, decoder):
    entry, unreadable = open_cache()
    assert_holds(entry, clips)
    assert unreadable == [] and sorted(decoder.names) == ["a.wav", "c.wav", "d.wav", "e.wav"]
    assert len({row.sound for row in entry.rows}) == 4 and not entry.problems


def make_unreadable_in_secret(path):
    """Size and time of change stay; were the file read, that would be a problem."""
    status = path.stat()
    path.write_bytes(b"\0" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_nothing_is_read_again_when_nothing_changed(open_cache, clips, decoder, folder, log):
    first, _ = open_cache()
    decoder.names.clear()
    for path in clips:
        make_unreadable_in_secret(folder.root / path)
    again, _ = open_cache()
    assert_holds(again, clips)
    assert decoder.names == [] and again.folder == first.folder
    assert f"some clips: 4 clips, unchanged, from the cache {first.folder} (0.0 MB)." in log()


def test_a_new_time_of_change_alone_decodes_and_writes_no_samples(open_cache, clips, decoder, folder):
    first, _ = open_cache()
    written = (first.folder / "clips.int16").stat()
    decoder.names.clear()
    for path in clips:
        os.utime(folder.root / path, ns=(1, 1))
    again, _ = open_cache()
    assert_holds(again, clips)
    assert decoder.names == [] and again.folder == first.folder and {row.mtime_ns for row in again.rows} == {1}
    assert (again.folder / "clips.int16").stat().st_mtime_ns == written.st_mtime_ns


def test_only_changed_and_added_clips_are_decoded_and_the_old_entry_goes(open_cache, clips, decoder, folder, log):
    first, _ = open_cache()
    decoder.names.clear()
    clips["b/c.wav"] = folder.clip("b/c.wav", 333)
    clips["new.wav"] = folder.clip("new.wav", 55)
    del clips["a.wav"]
    (folder.root / "a.wav").unlink()
    make_unreadable_in_secret(folder.root / "b/d.wav")
    second, _ = open_cache()
    assert_holds(second, clips)
    assert sorted(decoder.names) == ["c.wav", "new.wav"]
    assert not first.folder.exists() and any("supersedes" in line and str(first.folder) in line for line in log())


def test_a_moved_clip_is_not_decoded_again(open_cache, clips, decoder, folder):
    open_cache()
    decoder.names.clear()
    (folder.root / "e.wav").rename(folder.root / "b/moved.wav")
    clips["b/moved.wav"] = clips.pop("e.wav")
    assert_holds(open_cache()[0], clips)
    assert decoder.names == []


def test_settings_have_caches_of_their_own(open_cache, clips, decoder, tmp_path):
    open_cache()
    halved, _ = open_cache(sample_rate=8000)
    assert [row.n_samples for row in halved.rows] == [50, 51, 51, 52] and halved.rows[0].source == "16000 Hz, 1 channel"
    decoder_of_other_identity = type("Other", (SoundfileDecoder,), {"identity": "another version"})()
    open_cache(decoder=decoder_of_other_identity)
    assert len(homes(tmp_path)) == 3
    decoder.names.clear()
    open_cache()
    assert decoder.names == []


def test_bad_files_are_remembered_with_their_reason(open_cache, clips, decoder, folder):
    (folder.root / "b/text.wav").write_text("no sound")
    (folder.root / "zero.wav").write_bytes(b"")
    for _ in range(2):
        entry, _ = open_cache()
        assert [problem.split(":")[0] for problem in entry.problems] == ["b/text.wav", "zero.wav"]
        assert "not a recording" in entry.problems[0] and "empty" in entry.problems[1]
        assert [row.n_samples for row in entry.rows] == [100, 101, 102, 0, 103, 0]
        np.testing.assert_array_equal(entry.clip(4), clips["e.wav"])
    assert decoder.names.count("text.wav") == 1


def test_a_file_that_cannot_be_opened_has_no_row_and_is_tried_again(folder, decoder, tmp_path, clips):
    files = [*Scan(folder.root).files, FoundFile("gone.wav", 5, 5)]
    cache = ClipCache(folder.root, "x", sample_rate=16000, decoder=decoder, cache_dir=str(tmp_path / "cache"), progress=False)
    for _ in range(2):
        entry, unreadable = cache.open(files)
        assert unreadable == ["gone.wav: cannot be opened: No such file or directory."]
        assert_holds(entry, clips)
    assert len(decoder.names) == 4


def test_digital_silence_has_no_identity(open_cache, folder):
    folder.clip("a.wav", pcm=np.zeros(50, np.int16))
    folder.clip("b.wav", pcm=np.full(60, -3, np.int16))
    folder.clip("c.wav", pcm=np.array([0, 0, 1], np.int16))
    assert [bool(row.sound) for row in open_cache()[0].rows] == [False, False, True]


def test_an_empty_list_of_files_is_an_empty_entry(open_cache, folder):
    folder.root.mkdir()
    assert open_cache()[0].rows == [] and open_cache()[0].rows == []


@pytest.mark.parametrize("damage", [
    lambda entry: (entry / "clips.int16").write_bytes(b"\0" * 10),
    lambda entry: (entry / "index.json").write_text("{"),
    lambda entry: (entry / "index.json").unlink(),
    shutil.rmtree,
])
def test_a_damaged_entry_is_built_again(open_cache, clips, decoder, damage):
    first, _ = open_cache()
    folder = first.folder
    del first
    damage(folder)
    entry, _ = open_cache()
    assert_holds(entry, clips)
    assert entry.folder == folder and len(decoder.names) == 8


def test_an_entry_in_use_survives_its_removal(open_cache, clips, folder):
    first, _ = open_cache()
    folder.clip("z.wav")
    open_cache()
    assert not first.folder.exists()
    assert_holds(first, clips)


def test_an_error_while_decoding_leaves_nothing_behind(open_cache, clips, decoder, tmp_path, monkeypatch):
    def fail(path):
        raise RuntimeError("boom")

    with monkeypatch.context() as patch:
        patch.setattr(decoder, "read", fail)
        with pytest.raises(RuntimeError, match="boom"):
            open_cache()
    assert [path.name for path in homes(tmp_path)[0].iterdir()] == [".lock"]
    assert_holds(open_cache()[0], clips)


BUILDER = """
import sys, time
from kws_tf.dataset import clip_cache, scan, decode
class Slow(decode.SoundfileDecoder):
    def read(self, path):
        if path.endswith("e.wav"):
            print("reached", flush=True)
            time.sleep(60)
        return super().read(path)
root, cache = sys.argv[1:]
clip_cache.ClipCache(root, "some clips", sample_rate=16000, decoder=Slow(), cache_dir=cache, progress=False).open(scan.Scan(root).files)
"""


def test_a_builder_killed_at_work_harms_nobody(open_cache, clips, folder, decoder, tmp_path, log):
    arguments = [sys.executable, "-c", BUILDER, str(folder.root), str(tmp_path / "cache")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        assert process.stdout.readline() == "reached\n"
        process.send_signal(signal.SIGKILL)
    (home,) = homes(tmp_path)
    assert [path.name.startswith(".building-") for path in home.iterdir() if path.is_dir()] == [True]
    entry, _ = open_cache()
    assert_holds(entry, clips)
    assert {path.name for path in home.iterdir()} == {".lock", entry.folder.name}
    assert any("interrupted run" in line for line in log())


def test_builders_at_the_same_time_build_once(folder, clips, tmp_path, log):
    started, go_on = threading.Event(), threading.Event()

    class Waiting(CountingDecoder):
        def read(self, path):
            started.set()
            go_on.wait(20)
            return super().read(path)

    first, second = Waiting(), Waiting()

    def build(decoder):
        cache = ClipCache(folder.root, "some clips", sample_rate=16000, decoder=decoder, cache_dir=str(tmp_path / "cache"), progress=False)
        return cache.open(Scan(folder.root).files)[0]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        one = pool.submit(build, first)
        assert started.wait(20)
        two = pool.submit(build, second)
        deadline = time.monotonic() + 20
        while not any("waiting for it" in line for line in log()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert second.names == [] and not two.done()
        go_on.set()
        assert_holds(one.result(20), clips)
        assert_holds(two.result(20), clips)
    assert (len(first.names), len(second.names)) == (4, 0)


def test_a_cache_that_cannot_be_written_names_the_flag(open_cache, clips, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"cannot be written in .*Not a directory.*--cache_dir"):
        open_cache(cache_dir=str(tmp_path / "file" / "cache"))


def test_a_full_disk_names_the_flag_and_leaves_nothing_behind(open_cache, clips, tmp_path, monkeypatch):
    def no_space(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DatasetError, match="No space left on device.*--cache_dir"):
        open_cache()
    assert [path.name for path in homes(tmp_path)[0].iterdir()] == [".lock"]


def test_the_default_is_the_cache_folder_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "kws_tf"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert default_cache_dir() == pathlib.Path("/home/someone/.cache/kws_tf")


def test_the_default_folder_is_used(open_cache, clips, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert (tmp_path / "user/kws_tf") in open_cache(cache_dir="")[0].folder.parents


def test_progress_of_a_long_build_goes_to_stderr(open_cache, clips, decoder, capsys, monkeypatch):
    monkeypatch.setattr("kws_tf.dataset.clip_cache._BAR_DELAY_SECONDS", 0.0)
    open_cache(progress=True)
    captured = capsys.readouterr()
    assert "decoding some clips" in captured.err and "4/4" in captured.err and captured.out == ""


def test_without_tqdm_the_log_says_what_goes_on(open_cache, clips, monkeypatch, log):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert_holds(open_cache(progress=True)[0], clips)
    assert any("decoding 4 clips" in line and "install tqdm" in line for line in log())


def test_sound_is_judged_after_decoding(open_cache, folder):
    """The same sound in another container has the same identity."""
    import soundfile

    pcm = folder.clip("a.wav")
    soundfile.write(folder.root / "b.flac", pcm, 16000)
    one, other = open_cache()[0].rows
    assert one.content != other.content and one.sound == other.sound
    np.testing.assert_array_equal(audio.read_pcm(folder.root / "b.flac", 16000), pcm)


def test_a_file_that_another_process_removes_while_sizes_are_added_counts_nothing(tmp_path):
    (tmp_path / "here").write_bytes(b"123")
    assert clip_cache._held_bytes([tmp_path / "here", tmp_path / "gone"]) == 3
