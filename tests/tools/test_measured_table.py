import pytest

from kws_tf.errors import ConfigError
from tools import measured_table

COLUMNS = [{"title": "run"}, {"title": "clips"},
           {"title": "right", "format": "{share.percent:.2f} % ({share.low:.1f} to {share.high:.1f})"},
           {"title": "time", "format": "{0:.1f} to {1:.1f} ms"}]


def test_figures_become_cells():
    record = {"columns": COLUMNS, "rows": [["one", 12000, [95, 100], [1.5, 2]], ["two", 0.5, None, "as above"]]}
    assert measured_table.lines(record) == [
        "| run | clips | right | time |",
        "| --- | ---: | ---: | ---: |",
        "| one | 12,000 | 95.00 % (88.8 to 97.8) | 1.5 to 2.0 ms |",
        "| two | 0.5 | - | as above |"]


def test_rows_stand_beside_each_other():
    record = {"transposed": True, "columns": [{"title": ""}, {"title": "change", "format": "{share.percent:+.2f}"}, {"title": "bytes"}],
              "rows": [["before", [-3, 400], 1000], ["", [0, 400], 999]]}
    assert measured_table.lines(record) == [
        "| | before | |",
        "| --- | ---: | ---: |",
        "| change | -0.75 | +0.00 |",
        "| bytes | 1,000 | 999 |"]


def test_means_are_those_of_the_rows_above():
    columns = [{"title": "seed"}, {"title": "accuracy", "format": "{share.percent:.1f}"}]
    rows = [[1, [10, 100]], [2, [90, 100]], [3, [92, 100]], {"mean_of": 2, "cells": ["mean"]}]
    assert measured_table.lines({"columns": columns, "rows": rows})[-1] == "| mean | 91.00, 1.41 |"


@pytest.mark.parametrize("row, message", [
    (["one", 1, [1, 2]], r"x.json: row 1 has 3 cells; expected one for each of the 4 columns"),
    (["one", 1, 5, None], r"x.json: the format '\{share.percent.*' of 'right' cannot show 5"),
    (["one", 1, [3, 2], None], r"wilson_interval"),
    (["one", 1, None, [3]], r"of 'time' cannot show \[3\]")])
def test_a_record_that_cannot_be_shown_is_refused(row, message):
    with pytest.raises(ConfigError, match=message):
        measured_table.lines({"columns": COLUMNS, "rows": [row]}, "x.json")
