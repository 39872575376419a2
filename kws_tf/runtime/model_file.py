"""Reads a model file and its manifest, and trusts neither before they agree."""

import pathlib

from kws_tf import manifest as manifests
from kws_tf import shipped
from kws_tf.errors import ConfigError, ModelFileError

TFLITE_IDENTIFIER = b"TFL3"


def find(path, kind=None):
    """The folder of an exported model, and the model file that the caller named.

    Args:
        path: a .tflite file, the export folder that holds it, or the name of a model that ships with kws_tf, such as "hello_demo" or
            "hello_demo/streaming" (kws_tf.zoo lists them). What is on the disk goes before a name.
        kind: which file of a shipped model is meant if its name alone is given: "clip" or "streaming".

    Returns:
        folder, file name or None when the folder was given.

    Raises:
        ModelFileError: there is nothing at that path and no model of that name, or the name stands for several files.
    """
    path = pathlib.Path(path)
    try:
        if path.is_dir():
            return path, None
        if path.is_file():
            return path.parent, path.name
        exists = path.exists()
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: cannot be opened ({error}).") from error
    if not exists and (found := _shipped(path, kind)):
        return found, None
    problem = "this is no regular file" if exists else "there is no such file"
    raise ModelFileError(f"{path}: {problem}. --model takes a .tflite file, its export folder, or the name of a shipped model{_names()}.")


def shipped_models():
    """Every model that ships with kws_tf: {name: {"clip" or "streaming": export folder}}, by name."""
    try:
        root = shipped.folder("models")
    except ConfigError:
        return {}
    found = {}
    for path in sorted(root.glob(f"*/*/{manifests.MANIFEST_FILE}")):
        found.setdefault(path.parents[1].name, {})[path.parent.name] = path.parent
    return found


def _shipped(path, kind):
    name, *rest = path.parts or ("",)
    files = shipped_models().get(name, {})
    wanted = "/".join(rest) or kind
    if not files or wanted in files:
        return files.get(wanted)
    raise ModelFileError(f"{path}: the shipped model {name} has {' and '.join(f'{name}/{each}' for each in files)}; name one of them.")


def _names():
    names = ", ".join(shipped_models())
    return f" ({names})" if names else ""


def read(path, kind=None):
    """The manifest and the checked bytes of an exported model.

    Size and SHA-256 are compared with the manifest before anything else looks at the bytes: interpreters do not verify the
    flatbuffer, and crash on a damaged one.

    Args:
        path, kind: see find.

    Returns:
        Manifest, bytes.

    Raises:
        ModelFileError: a missing file, a manifest that is wrong or names another file, another size or SHA-256.

    Example:
        >>> manifest, content = read("runs/pi/export/features")
    """
    folder, name = find(path, kind)
    manifest = manifests.read(folder)
    if name is not None and name != manifest.model_file:
        raise ModelFileError(f"{folder / manifests.MANIFEST_FILE}: describes {manifest.model_file}, not {name}. "
                             "Keep each model file in an export folder of its own.")
    file = folder / manifest.model_file
    try:
        if not file.is_file():
            raise ModelFileError(f"{file}: the manifest names this file, but it is not there.")
        found_bytes = file.stat().st_size
        if found_bytes != manifest.model_bytes:
            raise ModelFileError(f"{file}: {found_bytes} bytes, but the manifest says {manifest.model_bytes}: truncated or replaced. "
                                 "Copy or export it again.")
        content = file.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read ({error}).") from error
    found_id = manifests.model_id(content)
    if found_id != manifest.model_id:
        raise ModelFileError(f"{file}: SHA-256 {found_id[:16]}…, but the manifest says {manifest.model_id[:16]}…: the file was altered "
                             "after the export. Copy or export it again.")
    if content[4:8] != TFLITE_IDENTIFIER:
        raise ModelFileError(f"{file}: not a TFLite file (identifier {content[4:8]!r}, expected {TFLITE_IDENTIFIER!r}).")
    return manifest, content
