import pathlib
import re

import pytest
import tensorflow

from kws_tf.tflite.firmware_folder import BOARDS
from tools import microcontroller_budget

ROOT = pathlib.Path(__file__).parents[2]
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("docs/microcontrollers.md", "firmware/README.md")}


def test_every_board_has_its_steps():
    for text in TEXTS.values():
        assert all(board in text for board in BOARDS)


@pytest.mark.parametrize("name, rows", [("budget", len(microcontroller_budget.NETWORKS)),
                                        ("side", len(microcontroller_budget.NETWORKS) + 1),
                                        ("with_front_end", 2 * len(microcontroller_budget.SMALLEST) + 1)])
def test_the_tables_are_filled(name, rows):
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", TEXTS["docs/microcontrollers.md"], re.DOTALL).group(1)
    head, _, *body = map(_cells, found.splitlines())
    assert len(body) == rows and all(len(row) == len(head) and all(row) for row in body)


@pytest.mark.slow
@pytest.mark.parametrize("name", microcontroller_budget.SMALLEST)
def test_the_work_of_the_tables_is_up_to_date(name):
    """One network of a kind; the others take the same way."""
    network = microcontroller_budget.bench_streaming.prepared(name, compact=True)
    steps = {(name, hop): microcontroller_budget.Step(network, hop) for hop in (1, microcontroller_budget.HOP_FRAMES)}
    made = [microcontroller_budget.hop_table({name: steps[name, microcontroller_budget.HOP_FRAMES]}, {name: (None, None)})[2],
            *microcontroller_budget.with_front_end_table(steps, dict.fromkeys(steps, (None, None)))[2:4]]
    rows = [_cells(line) for line in TEXTS["docs/microcontrollers.md"].splitlines()]
    # Another TensorFlow writes the same work in some more or fewer bytes, the last of the cells that are compared.
    fewer = tensorflow.__version__ != "2.17.1"
    for line, n_cells in zip(made, (7 - fewer, 4 - fewer, 4 - fewer), strict=True):
        assert _cells(line)[:n_cells] in [row[:n_cells] for row in rows], (
            "run tools/microcontroller_budget.py --docs=docs/microcontrollers.md")


def _cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_what_the_sources_say_and_the_page_says_is_the_same():
    self_test = (ROOT / "firmware" / "src" / "kws_self_test.cc").read_text(encoding="utf-8")
    for words in ("bytes differ, logits by at most", "bytes in use, ", "declared; longest hop"):
        assert words in self_test and words.strip(", ") in TEXTS["docs/microcontrollers.md"]
