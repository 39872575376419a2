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
                                        ("side", len(microcontroller_budget.NETWORKS) + 1)])
def test_the_tables_are_filled(name, rows):
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", TEXTS["docs/microcontrollers.md"], re.DOTALL).group(1)
    head, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in found.splitlines())
    assert len(body) == rows and all(len(row) == len(head) and all(row) for row in body)


@pytest.mark.slow
def test_the_work_of_the_table_is_up_to_date():
    """One network of the table; the others take the same way."""
    name = "SparkNet-8"
    step = microcontroller_budget.Step(microcontroller_budget.bench_streaming.prepared(name, compact=True))
    row = microcontroller_budget.hop_table({name: step}, {name: (None, None)})[2]
    # Another TensorFlow writes the same work in some more or fewer bytes.
    n_cells = 7 if tensorflow.__version__ == "2.17.1" else 6
    exact = [cell.strip() for cell in row.strip("|").split("|")][:n_cells]
    rows = [[cell.strip() for cell in line.strip("|").split("|")][:n_cells] for line in TEXTS["docs/microcontrollers.md"].splitlines()]
    assert exact in rows, "run tools/microcontroller_budget.py --docs=docs/microcontrollers.md"


def test_what_the_sources_say_and_the_page_says_is_the_same():
    self_test = (ROOT / "firmware" / "src" / "kws_self_test.cc").read_text(encoding="utf-8")
    for words in ("bytes differ, logits by at most", "bytes in use, ", "declared; longest hop"):
        assert words in self_test and words.strip(", ") in TEXTS["docs/microcontrollers.md"]
