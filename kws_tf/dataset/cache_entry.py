"""One entry of the cache of decoded clips: a flat int16 file and an index that says which clip lies where."""

import contextlib
import hashlib
import json
import os
import pathlib
import typing

import numpy as np

from kws_tf import atomic_file

DATA_FILE = "clips.int16"
INDEX_FILE = "index.json"


class ClipRow(typing.NamedTuple):
    """One file of a cache entry.

    Args:
        path: relative to the scanned folder. size: bytes. mtime_ns: time of the last change.
        content: hash of the bytes of the file.
        n_samples: decoded length, 0 if the file has a problem.
        sound: hash of the decoded samples; "" for a constant signal (digital silence), which has no identity of its own.
        source: rate and channels as stored, as "44100 Hz, 2 channels"; "" if they are what the model hears.
        problem: why the file cannot be used, in words; "" if it can.
    """

    path: str
    size: int
    mtime_ns: int
    content: str
    n_samples: int
    sound: str
    source: str
    problem: str


class CacheEntry:
    """Decoded clips of a folder, memory-mapped.

    Args:
        folder: that holds the two files.
        rows: list of ClipRow, sorted by path.

    Attributes:
        pcm: int16, all clips one after the other; row i is pcm[starts[i]:starts[i] + rows[i].n_samples].
        starts: int64 [rows]. n_bytes: size of pcm.

    Raises:
        OSError, ValueError: the data file is missing or has not the size that the rows ask for.
    """

    def __init__(self, folder, rows):
        self.folder = pathlib.Path(folder)
        self.rows = rows
        lengths = np.array([row.n_samples for row in rows], np.int64)
        self.starts = np.cumsum(lengths) - lengths
        self.n_bytes = 2 * int(lengths.sum())
        data = self.folder / DATA_FILE
        if data.stat().st_size != self.n_bytes:
            raise ValueError(f"{data}: {data.stat().st_size} bytes, expected {self.n_bytes}")
        self.pcm = np.memmap(data, np.int16, "r") if self.n_bytes else np.zeros(0, np.int16)

    @property
    def problems(self):
        """One line for each file that cannot be used."""
        return [f"{row.path}: {row.problem}" for row in self.rows if row.problem]

    def clip(self, i):
        """int16 [samples] of row i: a view into the memory map."""
        return self.pcm[self.starts[i]:self.starts[i] + self.rows[i].n_samples]

    @classmethod
    def read(cls, folder):
        """Opens an entry.

        Raises:
            OSError, ValueError, KeyError, TypeError: it is not whole.
        """
        with open(os.path.join(folder, INDEX_FILE), encoding="utf-8") as file:
            index = json.load(file)
        return cls(folder, [ClipRow(*values) for values in zip(*(index[field] for field in ClipRow._fields), strict=True)])

    @classmethod
    def read_all(cls, home):
        """The whole entries among the folders in home. What is not whole is left out: it is being removed, or damaged and built again."""
        found = []
        for folder in sorted(home.iterdir()) if home.is_dir() else ():
            if not folder.name.startswith("."):
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    found.append(cls.read(folder))
        return found


def write_index(folder, rows):
    """Writes or replaces the index of an entry."""
    columns = zip(*rows, strict=True) if rows else [()] * len(ClipRow._fields)
    atomic_file.write_text(pathlib.Path(folder) / INDEX_FILE, json.dumps(dict(zip(ClipRow._fields, columns, strict=True))))


def digest(data, n_bytes=16):
    """Hash of bytes as hexadecimal text."""
    return hashlib.blake2b(data, digest_size=n_bytes).hexdigest()
