"""Files that appear whole or not at all: write beside the target, flush to disk, rename over it."""

import contextlib
import os
import pathlib


@contextlib.contextmanager
def replacing(path):
    """Yields a temporary path in the folder of `path`; when the block ends well, the file written there replaces `path`.

    A kill at any moment leaves the previous file or the new one. The temporary name keeps the suffixes of `path`, because
    several writers choose their format by it. If the block raises, the temporary file is removed and `path` stays as it was.

    Args:
        path: the file to make or replace; its folder must exist.

    Example:
        with replacing("run/config.json") as temporary:
            temporary.write_text(text)
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{os.getpid()}.tmp.{path.name}")
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_to_disk(path.parent)


def _flush_to_disk(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path, data):
    """Writes bytes to `path` as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path, text):
    """Writes UTF-8 text to `path` as `replacing` does."""
    write_bytes(path, text.encode("utf-8"))
