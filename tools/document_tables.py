"""Tables that tools write into documents, between <!-- name --> and <!-- /name -->.

    python tools/document_tables.py       writes every recorded table into its page again (make tables)

A tool that measures gives its tables to publish, which keeps them in docs/measured, one file per page, with the command that made
them, and writes them into the page. A test fails when a page says something else than what was recorded.
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kws_tf import atomic_file  # noqa: E402
from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.flags import run  # noqa: E402

RECORDS = ROOT / "docs" / "measured"


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
        name = page.relative_to(ROOT)
        path = RECORDS / f"{name.with_suffix('').as_posix().removeprefix('docs/').replace('/', '_')}.json"
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"page": name.as_posix(), "tables": {}}
        record["tables"].update({table: {"command": command, "lines": lines} for table, lines in tables.items()})
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_file.write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    atomic_file.write_text(page, text)


def pages(records=RECORDS, root=ROOT):
    """Every page that has recorded tables, as it has to be.

    Args:
        records: folder of the records. root: folder that the names of pages begin at.

    Yields:
        (path of the page, its text with the recorded tables).
    """
    for path in sorted(pathlib.Path(records).glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        page = pathlib.Path(root, record["page"])
        tables = {name: table["lines"] for name, table in record["tables"].items()}
        yield page, replace_tables(page.read_text(encoding="utf-8"), tables, page)


def main(argv):
    if argv[1:]:
        raise ConfigError(f"unexpected argument {argv[1]!r}; this tool takes none.")
    for page, text in pages():
        atomic_file.write_text(page, text)
        print(f"written: {page}")


if __name__ == "__main__":
    run(main)
