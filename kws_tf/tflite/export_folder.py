"""Writes an export folder as a whole: the previous one, or the new one, never a mixture."""

import ctypes
import errno
import os
import pathlib
import shutil

from kws_tf import manifest as manifests
from kws_tf.atomic_file import flush_to_disk
from kws_tf.errors import ConversionError, ModelFileError

# Where kws_tf.firmware puts the sources of an export by default.
FIRMWARE_FOLDER = "firmware"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def check(folder, model_file):
    """Refuses a folder that an export would damage.

    Args:
        folder: where the export is to go; it may be absent.
        model_file: name of the model file to be written.

    Raises:
        ConversionError: the folder belongs to another model file, or to something else, or cannot be looked at.
    """
    folder = pathlib.Path(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise ConversionError(f"{folder}: is a file; an export needs a folder. Set --output to another path.")
        if not folder.exists() or not any(folder.iterdir()):
            return
        owner = manifests.read(folder).model_file
    except ModelFileError as error:
        raise ConversionError(f"{folder}: is not empty and holds no readable export ({error}) Choose an empty or new folder.") from error
    except OSError as error:
        raise ConversionError(f"{folder}: cannot be looked at ({error}). Set --output to another path.") from error
    if owner != model_file:
        raise ConversionError(f"{folder}: its {manifests.MANIFEST_FILE} describes {owner}, not {model_file}. "
                              "Keep each model file in a folder of its own.")


def write(folder, files, model_file, gone=()):
    """Makes or replaces an export folder in one step.

    The new folder is completed beside the old one and takes its place by one rename (an exchange, if the old one exists).
    Files of the old folder that the export does not know are carried over.

    Args:
        folder: absent, empty, or an earlier export of the same model file; its parents are made. Of a link, what it points to is replaced.
        files: name -> bytes; the model file and manifest.json among them. A name may have folders in front, with slashes.
        model_file: name of the model file.
        gone: names of files of the old folder that are not carried over.

    Raises:
        ConversionError: see check; or the disk refuses, which leaves the old folder as it was.
    """
    folder = pathlib.Path(folder).resolve()
    check(folder, model_file)
    staging = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        for name, content in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            _write_flushed(staging / name, content)
        if folder.exists():
            _carry_over(folder, staging, gone)
            flush_to_disk(staging)
            _exchange(staging, folder)
        else:
            flush_to_disk(staging)
            os.rename(staging, folder)
        flush_to_disk(folder.parent)
    except OSError as error:
        raise ConversionError(f"{folder}: the export cannot be written ({error}).") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _carry_over(old, new, gone=()):
    """Copies what only the old folder has, but for some names."""
    for entry in (entry for entry in old.iterdir() if entry.name not in gone):
        target = new / entry.name
        if not os.path.lexists(target):
            _copy(entry, target)
        elif target.is_dir() and entry.is_dir() and not entry.is_symlink():
            _carry_over(entry, target)


def _copy(source, target):
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _write_flushed(path, content):
    path.write_bytes(content)
    flush_to_disk(path)


def _exchange(new, old):
    """Swaps two folders by one system call where Linux offers it, else by two renames with a way back."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        if renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old), ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(code, os.strerror(code), str(old))
    aside = old.with_name(f".{old.name}.{os.getpid()}.old")
    os.rename(old, aside)
    try:
        os.rename(new, old)
    except OSError:
        os.rename(aside, old)
        raise
    os.rename(aside, new)
