"""Tests of kws_tf.screen."""

from rich.table import Table

from kws_tf import screen

TEXT = "pip install 'kws_tf[dev]' :left: [/]"


def test_brackets_and_colons_are_printed_as_they_are(capsys):
    table = Table(title=TEXT)
    table.add_column(TEXT)
    table.add_row(TEXT)
    screen.console().print(TEXT)
    screen.console().print(table)
    assert capsys.readouterr().out.count(TEXT) == 4


def test_names_that_are_no_text_are_escaped():
    assert screen.printable("a\udcffb ü") == "a\\udcffb ü"
