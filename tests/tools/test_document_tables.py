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


def test_publishing_writes_the_page_and_records_those_of_the_project_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(document_tables, "ROOT", tmp_path / "project")
    monkeypatch.setattr(document_tables, "RECORDS", tmp_path / "project" / "docs" / "measured")
    page, other = tmp_path / "project" / "docs" / "x.md", tmp_path / "other.md"
    page.parent.mkdir(parents=True)
    for each in (page, other):
        each.write_text(TEXT)
    document_tables.publish(page, {"a": ["1", "2"]}, "python tools/a.py")
    document_tables.publish(page, {"b": ["3"]}, "python tools/b.py")
    document_tables.publish(other, {"b": ["4"]}, "python tools/b.py")
    assert "<!-- b -->\n4\n" in other.read_text()
    record, = document_tables.RECORDS.iterdir()
    assert json.loads(record.read_text()) == {"page": "docs/x.md", "tables": {
        "a": {"command": "python tools/a.py", "lines": ["1", "2"]}, "b": {"command": "python tools/b.py", "lines": ["3"]}}}
    made = page.read_text()
    page.write_text(made.replace("2\n", "by hand\n"))
    assert list(document_tables.pages(document_tables.RECORDS, document_tables.ROOT)) == [(page, made)]


def test_pages_say_what_was_recorded():
    found = list(document_tables.pages())
    assert len(found) >= 5
    for page, text in found:
        assert page.read_text(encoding="utf-8") == text, f"{page} is not what was recorded; run: make tables"


def test_every_table_with_a_place_has_a_record():
    records = [json.loads(path.read_text(encoding="utf-8")) for path in document_tables.RECORDS.glob("*.json")]
    recorded = {(record["page"], table) for record in records for table in record["tables"]}
    recorded |= {(page, table) for page, tables in models_table.TABLES.items() for table in tables}
    places = {(page.relative_to(document_tables.ROOT).as_posix(), table)
              for pattern in ("README.md", "docs/*.md", "firmware/*.md") for page in document_tables.ROOT.glob(pattern)
             for table in re.findall(r"^<!-- (\w+) -->$", page.read_text(encoding="utf-8"), re.MULTILINE)}
    assert places == recorded
