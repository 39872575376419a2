"""manifest.jsonl of a synthesised set: a line with every parameter of every clip."""

import json
import pathlib

from kws_tf.errors import DatasetError

MANIFEST_FILE = "manifest.jsonl"


def speakers(folder):
    """Who speaks in every clip of a set: {path relative to the folder: name}; empty if there is no manifest.

    Raises:
        DatasetError: the manifest cannot be read.
    """
    path = pathlib.Path(folder) / MANIFEST_FILE
    if not path.exists():
        return {}
    try:
        # Not splitlines: a text may hold what Unicode counts as the end of a line.
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        return {row["file"]: row["speaker"] for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}). Remove it, or make the set again: python -m kws_tf.synthesize.") from error
