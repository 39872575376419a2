"""Files and folders that appear whole or not at all: write beside the target, flush to disk, rename over it."""

import contextlib
import errno
import os
import pathlib
import re
import shutil

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


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
        # The name that the caller knows; a write to a full disk has none.
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    flush_to_disk(path.parent)


@contextlib.contextmanager
def new_folder(folder):
    """Yields a hidden folder beside `folder`; when the block ends well, it gets that name. What a killed run left in it goes first.

    Args:
        folder: absent, or empty. Its parents are made.

    Raises:
        OSError: the folder cannot be made, holds something, or is being made by another process.

    Example:
        with new_folder("data/rooms") as partial:
            (partial / "room.wav").write_bytes(content)
    """
    with growing_folder(folder) as partial:
        try:
            clear(partial)
            yield partial
            appear(partial, folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


@contextlib.contextmanager
def growing_folder(folder):
    """Yields the hidden folder beside `folder` in which it grows, with what an earlier run left in it; no other process has it meanwhile.

    Args:
        folder: see new_folder. Where it is a link, what it leads to.

    Raises:
        OSError: the folder cannot be made, or is being made by another process.
    """
    folder = pathlib.Path(folder).resolve()
    partial = folder.with_name(f".{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    descriptor = None
    try:
        if fcntl:
            try:
                # The folder itself is locked: no file is left behind.
                descriptor = os.open(partial, os.O_RDONLY)
                lock(descriptor, wait=False)
                theirs = not os.path.samestat(os.fstat(descriptor), os.stat(partial))
            except (BlockingIOError, FileNotFoundError):
                theirs = True
            if theirs:
                raise BlockingIOError(errno.EWOULDBLOCK, "another process is making it; wait for it, or choose another folder, --output",
                                      str(folder))
        yield partial
    finally:
        if descriptor is not None:
            os.close(descriptor)


def lock(descriptor, wait=True):
    """Locks an open file or folder for this process until it is closed. The system frees the lock of a process that dies.

    Args:
        descriptor: of the file or folder. wait: until another process frees it.

    Returns:
        Whether it is locked: not on Windows and on network folders without locks.

    Raises:
        BlockingIOError: another process has locked it; not with `wait`.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def appear(partial, folder):
    """Gives a folder of growing_folder its name.

    Raises:
        OSError: something is there.
    """
    folder = pathlib.Path(folder).resolve()
    flush_to_disk(partial)
    if folder.is_dir():
        folder.rmdir()
    os.rename(partial, folder)
    flush_to_disk(folder.parent)


def clear(folder):
    """Removes what is in a folder."""
    for path in pathlib.Path(folder).iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


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
