"""Clips decoded once into one flat int16 file that is memory-mapped: built in parallel, whole or not at all, reused while nothing changed.

    <cache_dir>/<name>-<key of folder and settings>/<key of the contents>/clips.int16, index.json

The key of the contents covers the path and the hash of every file. While size and time of change of all files are those in the index,
no file is read; else their contents are hashed, and only contents that no earlier entry holds are decoded.
"""

import concurrent.futures
import contextlib
import functools
import json
import os
import pathlib
import secrets
import shutil

import numpy as np
from absl import logging

from kws_tf import atomic_file, worker_pool
from kws_tf.dataset.cache_entry import DATA_FILE, CacheEntry, ClipRow, digest, write_index
from kws_tf.errors import AudioError, DatasetError

_FORMAT = 1
_TEMPORARY = ".building-"
_BAR_DELAY_SECONDS = 1.0  # no bar for what is done sooner


def default_cache_dir():
    """The user's cache folder: $XDG_CACHE_HOME/kws_tf, or ~/.cache/kws_tf."""
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "kws_tf"


class ClipCache:
    """The cache of one folder of clips with one set of settings.

    Safe against being killed at any moment and against other processes that do the same: an entry is built in a temporary folder under
    a lock, flushed to disk, then renamed. The entry that a new one supersedes is removed.

    Args:
        root: folder that the paths of the files are relative to.
        name: words for the log and for the name of the cache folder.
        sample_rate: Hz of the decoded clips.
        decoder: see `decode.choose`.
        cache_dir: folder of all caches; "" for `default_cache_dir`.
        progress: show progress bars.
    """

    def __init__(self, root, name, *, sample_rate, decoder, cache_dir="", progress=True):
        self._root = os.path.realpath(root)
        self._name = name
        self._sample_rate = sample_rate
        self._decoder = decoder
        self._progress = progress
        self._base = pathlib.Path(cache_dir).expanduser() if cache_dir else default_cache_dir()
        settings = json.dumps([_FORMAT, self._root, name, sample_rate, decoder.identity])
        self._home = self._base / f"{name.replace(os.sep, '_').replace(' ', '-')}-{digest(settings.encode(), 6)}"

    def open(self, files):
        """The decoded clips, from the cache if nothing changed, else decoded now.

        Args:
            files: list of FoundFile, sorted by path.

        Returns:
            (CacheEntry, unreadable): the entry has a row for every file that could be opened; unreadable has a line for each
            of the others.

        Raises:
            DatasetError: the cache cannot be written.
        """
        entry = self._unchanged(files)
        if entry:
            return entry, []
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            with self._lock():
                return self._build(files)
        except OSError as error:
            raise DatasetError(f"{self._name}: the cache of decoded clips cannot be written in {self._home}: {error.strerror or error}. "
                               "Name a folder on a disk with space that you may write to: --cache_dir.") from error

    def _unchanged(self, files):
        for entry in CacheEntry.read_all(self._home):
            if [row[:3] for row in entry.rows] == files:
                logging.info("%s: %d clips, unchanged, from the cache %s (%.1f MB).",
                             self._name, len(files), entry.folder, entry.n_bytes / 1e6)
                return entry
        return None

    def _build(self, files):
        earlier = {entry.folder: entry for entry in CacheEntry.read_all(self._home)}
        known = {row.content: (row, entry.clip(i)) for entry in earlier.values() for i, row in enumerate(entry.rows)}
        hashes = {row[:3]: row.content for entry in earlier.values() for row in entry.rows}
        contents, unreadable = [], []
        for file, (content, reason) in zip(files, self._parallel(functools.partial(self._content, hashes), files, "checking"), strict=True):
            if reason:
                unreadable.append(f"{file.path}: {reason}")
            else:
                contents.append((file, content))
        final = self._home / digest(json.dumps([(file.path, content) for file, content in contents]).encode())
        if final in earlier:
            rows = [row._replace(size=file.size, mtime_ns=file.mtime_ns)
                    for row, (file, _) in zip(earlier[final].rows, contents, strict=True)]
            write_index(final, rows)
        else:
            self._write_entry(final, contents, known)
        entry = CacheEntry.read(final)
        held = _held_bytes(self._base.glob(f"*/*/{DATA_FILE}"))
        logging.info("%s: %d clips in the cache %s (%.1f MB; all caches in %s: %.1f MB).",
                     self._name, len(entry.rows), final, entry.n_bytes / 1e6, self._base, held / 1e6)
        return entry, unreadable

    def _content(self, hashes, file):
        """(hash of the bytes of a file, "") or ("", reason)."""
        if file in hashes:
            return hashes[file], ""
        try:
            with open(os.path.join(self._root, file.path), "rb") as handle:
                return digest(handle.read()), ""
        except OSError as error:
            return "", f"cannot be opened: {error.strerror}."

    def _write_entry(self, final, contents, known):
        temporary = self._home / f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"
        temporary.mkdir()
        try:
            rows = []
            with open(temporary / DATA_FILE, "wb") as data:
                for row, pcm in self._parallel(functools.partial(self._decode, known), contents, "decoding"):
                    rows.append(row)
                    data.write(pcm.tobytes())
                data.flush()
                os.fsync(data.fileno())
            write_index(temporary, rows)
            atomic_file.flush_to_disk(temporary)
            shutil.rmtree(final, ignore_errors=True)  # not whole, or it would have been found
            with contextlib.suppress(FileExistsError):  # without a lock another process may have made the same entry
                os.rename(temporary, final)
            atomic_file.flush_to_disk(self._home)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        for folder in self._home.iterdir():
            if folder != final and folder.is_dir() and not folder.name.startswith("."):
                logging.info("%s: removing the cache entry that the new one supersedes: %s", self._name, folder)
                shutil.rmtree(folder, ignore_errors=True)

    def _decode(self, known, file_and_content):
        """(ClipRow, int16 samples) of one file."""
        file, content = file_and_content
        if content in known:
            row, pcm = known[content]
            return row._replace(path=file.path, size=file.size, mtime_ns=file.mtime_ns), pcm
        path = os.path.join(self._root, file.path)
        try:
            recording = self._decoder.read(path)
            pcm = self._decoder.to_pcm(recording, self._sample_rate)
        except AudioError as error:
            return ClipRow(*file, content, 0, "", "", str(error).removeprefix(f"{path}: ")), np.zeros(0, np.int16)
        rate, channels = recording.sample_rate, recording.samples.shape[1]
        source = "" if (rate, channels) == (self._sample_rate, 1) else f"{rate} Hz, {channels} channel{'s' if channels > 1 else ''}"
        sound = "" if pcm.min() == pcm.max() else digest(pcm.tobytes())
        return ClipRow(*file, content, len(pcm), sound, source, ""), pcm

    def _parallel(self, function, items, verb):
        """Results of a function that spends its time in the disk and in C code, in the order of the items."""
        pool = concurrent.futures.ThreadPoolExecutor(min(16, worker_pool.processors()), "clips")
        try:
            yield from self._with_progress(pool.map(function, items), len(items), verb)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _with_progress(self, items, total, verb):
        if not self._progress:
            return items
        try:
            from tqdm import tqdm
        except ImportError:
            logging.info("%s: %s %d clips (install tqdm to see the progress).", self._name, verb, total)
            return items
        return tqdm(items, desc=f"{verb} {self._name}", total=total, unit="clip", mininterval=0.5, delay=_BAR_DELAY_SECONDS)

    @contextlib.contextmanager
    def _lock(self):
        """One builder at a time; without locks two builders at once each do the whole work."""
        with open(self._home / ".lock", "w", encoding="utf-8") as file:
            try:
                locked = atomic_file.lock(file.fileno(), wait=False)
            except BlockingIOError:
                logging.info("%s: another process is building this cache; waiting for it.", self._name)
                locked = atomic_file.lock(file.fileno())
            if locked:  # so that what lies there is left over for certain
                for leftover in self._home.glob(_TEMPORARY + "*"):
                    logging.info("%s: removing what an interrupted run left in the cache: %s", self._name, leftover)
                    shutil.rmtree(leftover, ignore_errors=True)
            yield


def _held_bytes(paths):
    """Size of the files together; those that another process removes meanwhile count nothing."""
    total = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total
