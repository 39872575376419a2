"""The tables of what kws_tf.mine has added to a training folder, and how it is taken out again."""

import csv
import pathlib

from kws_tf import manifest as manifests
from kws_tf.errors import DatasetError

# Name of the table for the first eight digits of a model's id.
TABLE = "mined_{}.csv"
COLUMNS = ("file", "recording", "start_seconds", "keyword", "score")


def read(table):
    """The rows of a table: list of dicts with the COLUMNS, start_seconds and score as float, the others as str.

    Raises:
        DatasetError: the table cannot be read.
    """
    try:
        with open(table, encoding="utf-8", newline="") as file:
            return [{name: float(row[name]) if name in ("start_seconds", "score") else row[name] for name in COLUMNS}
                    for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise DatasetError(f"{table}: not a table of kws_tf.mine ({error}). Remove it and the clips that were mined.") from error


def forget(folder, kept_models=()):
    """Removes the clips that were mined into a folder and the tables that tell them.

    Args:
        folder: --output of kws_tf.mine. kept_models: export folders of models; what was mined for them stays.

    Returns:
        Number of clips that were removed.

    Raises:
        DatasetError: a table cannot be read. ModelFileError: a manifest cannot.
    """
    folder = pathlib.Path(folder)
    tables = set(folder.glob(TABLE.format("*")))
    kept = {folder / TABLE.format(manifests.read(model).model_id[:8]) for model in kept_models} & tables if tables else set()
    clips = _clips(tables - kept) - _clips(kept)
    for path in (*(folder / clip for clip in clips), *(tables - kept)):
        path.unlink(missing_ok=True)
    return len(clips)


def _clips(tables):
    return {row["file"] for table in tables for row in read(table)}
