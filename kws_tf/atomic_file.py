"""Files and folders that appear whole or not at all: write beside the target, flush to disk, rename over it."""

import contextlib
import os
import pathlib
import re
import shutil


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
        flush_to_disk(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)  # the name that the caller knows
        raise
    flush_to_disk(path.parent)


@contextlib.contextmanager
def new_folder(folder):
    """Yields a hidden folder beside `folder`; when the block ends well, it gets that name. What a killed run left in it goes first.

    Args:
        folder: absent, or empty. Its parents are made.

    Raises:
        OSError: the folder cannot be made, or holds something.

    Example:
        with new_folder("data/rooms") as partial:
            (partial / "room.wav").write_bytes(content)
    """
    folder = pathlib.Path(folder).absolute()
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        flush_to_disk(partial)
        if folder.is_dir():
            folder.rmdir()
        os.rename(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    flush_to_disk(folder.parent)


def is_temporary(path):
    """Whether a file is what a killed `replacing` has left."""
    return re.match(r"\.\d+\.tmp\.", pathlib.Path(path).name) is not None


def flush_to_disk(path):
    """Makes a file last, or the names in a folder where the system can open one."""
    if os.name != "posix" and os.path.isdir(path):
        return
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
