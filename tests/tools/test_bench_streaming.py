import pathlib
import re

import pytest

from tools import bench_streaming

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "streaming.md"


def table(name):
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", DOCS.read_text(encoding="utf-8"), re.DOTALL).group(1)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found.splitlines()]


@pytest.mark.parametrize("name, rows", [("work", len(bench_streaming.NETWORKS)), ("cost", len(bench_streaming.NETWORKS)), ("states", 6),
                                        ("hops", 3)])
def test_every_table_of_the_docs_is_filled(name, rows):
    head, _, *body = table(name)
    assert len(body) == rows and all(len(row) == len(head) and all(row) for row in body)


def test_nodes_of_the_docs_add_up():
    _, _, *body, total = table("nodes")
    for column in (1, 2, 3):
        assert sum(int(row[column]) for row in body) == int(total[column])
    cost = next(row for row in table("cost") if row[0] == bench_streaming.DETAILED)
    assert cost[2].split(",")[0] == total[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SparkNet-8", bench_streaming.DETAILED])
def test_the_work_of_the_docs_is_up_to_date(name):
    """One network of a kind; the others take the same way."""
    row = bench_streaming.work_table({name: bench_streaming.prepared(name)})[2]
    assert [cell.strip() for cell in row.strip("|").split("|")] in table("work"), "run tools/bench_streaming.py --docs=docs/streaming.md"
