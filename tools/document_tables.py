"""Tables of figures in documents, between <!-- name --> and <!-- /name -->, from what was recorded.

    python tools/document_tables.py       writes every recorded table into its page again (make tables)

docs/measured/<page>/<name>.json is the record of a table: its page, the command that measures, the date, and either "columns" and "rows"
of raw figures (tools/measured_table.py says how they become a table) or "lines", as a tool gave them to publish. A test fails when a page
says something else than what was recorded, when a record has no place in its page, and when a place has no record.
"""

import datetime
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kws_tf import atomic_file  # noqa: E402
from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.flags import run  # noqa: E402
from tools import measured_table  # noqa: E402

RECORDS = ROOT / "docs" / "measured"
PAGES = ("README.md", "docs/*.md", "firmware/*.md")


def replace_tables(text, tables, where="the document"):
    """A document with its tables replaced.

    Args:
        text: Markdown. tables: {name: lines}. where: name of the document, for messages.

    Raises:
        ConfigError: the document has no place for a table.
    """
    for name, lines in tables.items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if not begin or not end:
            raise ConfigError(f"{where}: no place for the table {name}; expected <!-- {name} --> ... <!-- /{name} -->.")
        text = before + begin + "".join(f"{line}\n" for line in lines) + end + after
    return text


def record_path(page, table, records=None):
    """Where the record of a table is kept.

    Args:
        page: name of the page in the project, as docs/streaming.md. table: its name. records: folder of all, None for docs/measured.
    """
    folder = pathlib.PurePosixPath(page).with_suffix("").as_posix().removeprefix("docs/").replace("/", "_")
    return pathlib.Path(records or RECORDS, folder, f"{table}.json")


def publish(page, tables, command):
    """Writes tables into a page and, for a page of this project, records them.

    Args:
        page: path of the Markdown file. tables: {name: lines}. command: what measures them, as one types it in the project's folder.

    Raises:
        ConfigError: the page has no place for a table; nothing is changed.
    """
    page = pathlib.Path(page).resolve()
    text = replace_tables(page.read_text(encoding="utf-8"), tables, page)
    if page.is_relative_to(ROOT):
        name = page.relative_to(ROOT).as_posix()
        for table, lines in tables.items():
            path = record_path(name, table)
            today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
            record = {"page": name, "command": command, "date": today, "lines": lines}
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_file.write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    atomic_file.write_text(page, text)


def read_records(records=None):
    """Every record.

    Args:
        records: folder of the records, None for docs/measured.

    Returns:
        {(page, table): record}, by name.

    Raises:
        ConfigError: a record in another place than that of its page and table.
    """
    found = {}
    for path in sorted(pathlib.Path(records or RECORDS).rglob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        expected = record_path(record["page"], path.stem, records)
        if path != expected:
            raise ConfigError(f"{path}: a table of {record['page']} is expected in {expected}.")
        found[record["page"], path.stem] = record
    return found


def pages(records=None, root=None):
    """Every page that has recorded tables, as it has to be.

    Args:
        records: folder of the records, None for docs/measured. root: folder that the names of pages begin at, None for the project.

    Yields:
        (path of the page, its text with the recorded tables).

    Raises:
        ConfigError: a record whose page is missing or has no place for it.
    """
    tables = {}
    for (page, table), record in read_records(records).items():
        lines = record["lines"] if "lines" in record else measured_table.lines(record, record_path(page, table, records))
        tables.setdefault(page, {})[table] = lines
    for name, own in tables.items():
        page = pathlib.Path(root or ROOT, name)
        if not page.is_file():
            raise ConfigError(f"{page} is missing, but {record_path(name, next(iter(own)), records)} is a table of it. Remove its records.")
        yield page, replace_tables(page.read_text(encoding="utf-8"), own, page)


def places(root=None):
    """Every place for a table: {(page, table)}.

    Args:
        root: folder that the names of pages begin at, None for the project.
    """
    root = pathlib.Path(root or ROOT)
    return {(page.relative_to(root).as_posix(), table) for pattern in PAGES for page in root.glob(pattern)
            for table in re.findall(r"^<!-- (\w+) -->$", page.read_text(encoding="utf-8"), re.MULTILINE)}


def main(argv):
    if argv[1:]:
        raise ConfigError(f"unexpected argument {argv[1]!r}; this tool takes none.")
    for page, text in pages():
        atomic_file.write_text(page, text)
        print(f"written: {page}")


if __name__ == "__main__":
    run(main)
