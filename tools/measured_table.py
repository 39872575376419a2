"""Markdown table of a record: raw figures in, cells with thousands, percentages and intervals out.

A record in docs/measured has "columns", each with a "title" and, where a figure is not shown as it is, a "format", and "rows" of raw cells:

    figure                  format, which sees it as {0}; the default is {0:,}
    list of figures         format, which sees {0}, {1} ... and, of a count and what it is out of, {share.percent}, {share.low} and
                            {share.high} with the 95 % interval of Wilson
    text                    as it is
    null                    -
    {"mean_of": 6, "cells": [...]} in the place of a row: the cells, then mean and standard deviation of the shares of the six rows above

"transposed" turns rows and columns, for figures of different kinds that stand one below the other.
"""

import dataclasses
import pathlib
import re
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.evaluation.intervals import wilson_interval  # noqa: E402

NONE = "-"


@dataclasses.dataclass(frozen=True)
class Share:
    """A count out of others, in percent with the 95 % interval of Wilson.

    Args:
        count: what was counted; may be negative where a difference is shown. of: out of how many.
    """

    count: int
    of: int

    @property
    def percent(self):
        return 100 * self.count / self.of

    @property
    def low(self):
        return 100 * wilson_interval(self.count, self.of)[0]

    @property
    def high(self):
        return 100 * wilson_interval(self.count, self.of)[1]


def lines(record, where="the record"):
    """Lines of the table.

    Args:
        record: dict with "columns" and "rows", and "transposed" if it is. where: name of the record, for messages.

    Raises:
        ConfigError: a row without a cell for every column, or a cell that its format cannot show.
    """
    columns, rows = record["columns"], record["rows"]
    table = [[column["title"] for column in columns]]
    for number, row in enumerate(rows):
        if isinstance(row, dict):
            table.append(_means(row, rows[:number], len(columns)))
            continue
        if len(row) != len(columns):
            raise ConfigError(f"{where}: row {number + 1} has {len(row)} cells; expected one for each of the {len(columns)} columns.")
        table.append([_cell(value, column, where) for value, column in zip(row, columns, strict=True)])
    if record.get("transposed"):
        table = [list(line) for line in zip(*table, strict=True)]
    bars = ["---:" if _of_figures(column[1:]) else "---" for column in zip(*table, strict=True)]
    return [re.sub(r"(?<=\|) +(?=\|)", " ", f"| {' | '.join(line)} |") for line in (table[0], bars, *table[1:])]


def _cell(value, column, where):
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    figures = value if isinstance(value, list) else [value]
    form = column.get("format", "{0:,}")
    try:
        return form.format(*figures, share=Share(*figures[:2]) if "{share" in form else None)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{where}: the format {form!r} of {column['title']!r} cannot show {value}: {error}") from error


def _means(row, above, n_columns):
    """The cells of a line with mean and standard deviation over the last rows, in percent."""
    taken = above[-row["mean_of"]:]
    cells = list(row["cells"])
    for place in range(len(cells), n_columns):
        shares = [Share(*each[place][:2]).percent for each in taken]
        cells.append(f"{statistics.mean(shares):.2f}, {statistics.stdev(shares):.2f}")
    return cells


def _of_figures(cells):
    """Whether a column stands to the right: its first cell that says something begins with a figure."""
    return next((cell.lstrip("+-")[:1].isdigit() for cell in cells if cell not in (NONE, "")), False)
