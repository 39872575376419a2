import json
import re

import pytest

from kws_tf.errors import ConfigError
from tools import document_tables, models_table
from tools.document_tables import replace_tables

TEXT = "before\n<!-- a -->\nold\n<!-- /a -->\nbetween\n<!-- b -->\n<!-- /b -->\nafter\n"


def test_tables_are_replaced_and_the_rest_is_kept():
    expected = "before\n<!-- a -->\n1\n2\n<!-- /a -->\nbetween\n<!-- b -->\n3\n<!-- /b -->\nafter\n"
    assert replace_tables(TEXT, {"a": ["1", "2"], "b": ["3"]}) == expected


@pytest.mark.parametrize("text", [TEXT, TEXT + "<!-- c -->\n", TEXT + "<!-- /c -->\n"])
def test_a_document_without_the_place_is_refused(text):
    with pytest.raises(ConfigError, match="docs/x.md: no place for the table c; expected <!-- c --> ... <!-- /c -->"):
        replace_tables(text, {"c": ["1"]}, "docs/x.md")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project with a page that has places for two tables."""
    monkeypatch.setattr(document_tables, "ROOT", tmp_path / "project")
    monkeypatch.setattr(document_tables, "RECORDS", tmp_path / "project" / "docs" / "measured")
    page = tmp_path / "project" / "docs" / "x.md"
    page.parent.mkdir(parents=True)
    page.write_text(TEXT)
    return page


def test_publishing_writes_the_page_and_records_those_of_the_project_alone(project, tmp_path):
    other = tmp_path / "other.md"
    other.write_text(TEXT)
    document_tables.publish(project, {"a": ["1", "2"]}, "python tools/a.py")
    document_tables.publish(project, {"b": ["3"]}, "python tools/b.py")
    document_tables.publish(other, {"b": ["4"]}, "python tools/b.py")
    assert "<!-- b -->\n4\n" in other.read_text()
    records = document_tables.read_records()
    assert [(place, record["command"], record["lines"]) for place, record in records.items()] == [
        (("docs/x.md", "a"), "python tools/a.py", ["1", "2"]), (("docs/x.md", "b"), "python tools/b.py", ["3"])]
    made = project.read_text()
    project.write_text(made.replace("2\n", "by hand\n"))
    assert list(document_tables.pages()) == [(project, made)]
    assert document_tables.places() == set(records)


def test_a_record_of_raw_figures_becomes_a_table(project):
    path = document_tables.record_path("docs/x.md", "b")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"page": "docs/x.md", "command": "python tools/b.py", "date": "2026-11-29", "columns": [{"title": "bytes"}],
                                "rows": [[1234]]}))
    (_, text), = document_tables.pages()
    assert "<!-- b -->\n| bytes |\n| ---: |\n| 1,234 |\n<!-- /b -->" in text


def test_records_without_their_place_are_refused(project):
    document_tables.publish(project, {"a": ["1"]}, "python tools/a.py")
    record = document_tables.record_path("docs/x.md", "a")
    project.write_text(TEXT.replace("<!-- a -->", ""))
    with pytest.raises(ConfigError, match="no place for the table a"):
        list(document_tables.pages())
    project.unlink()
    with pytest.raises(ConfigError, match="x.md is missing, but .*a.json is a table of it"):
        list(document_tables.pages())
    record.rename(document_tables.RECORDS / "a.json")
    with pytest.raises(ConfigError, match="a table of docs/x.md is expected in .*x/a.json"):
        document_tables.read_records()


def test_pages_say_what_was_recorded():
    found = list(document_tables.pages())
    assert len(found) >= 10
    for page, text in found:
        assert page.read_text(encoding="utf-8") == text, f"{page} is not what was recorded; run: make tables"


def test_every_table_with_a_place_has_a_record():
    recorded = set(document_tables.read_records()) | {(page, table) for page, tables in models_table.TABLES.items() for table in tables}
    assert document_tables.places() == recorded


def test_records_say_when_and_how():
    for place, record in document_tables.read_records().items():
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", record["date"]), place
        assert record["command"] and not re.search(r"[\"= ]/\w", json.dumps(record)), place


def test_no_table_of_figures_is_written_by_hand():
    """What a table outside of the places holds are words; but for two that are no measurements."""
    figure = re.compile(r"[<>+-]?\d[\d,.]*( ?(%|ms|s|dB|[kKMG]B|bytes|points|of \d+))?")
    by_hand = {"| `--padding` | what it does | delay of BC-ResNet | extra state |", "| kind | share | what it is |"}
    for pattern in document_tables.PAGES:
        for page in document_tables.ROOT.glob(pattern):
            text = re.sub(r"^<!-- (\w+) -->$.*?^<!-- /\1 -->$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
            for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
                head, *lines = table.splitlines()
                cells = {cell.strip() for line in lines for cell in line.strip("|").split("|")}
                assert head in by_hand or not any(map(figure.fullmatch, cells)), f"{page.name}: give this table a record: {head}"
