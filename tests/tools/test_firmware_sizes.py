import pathlib
import re
import shutil

import pytest

from tools import firmware_sizes

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "firmware" / "README.md").read_text(encoding="utf-8")


def documented():
    """{part: sizes} of the table in the page."""
    return {part: [int(size.replace(",", "")) for size in sizes.split("|")[1:-1]]
            for part, sizes in re.findall(r"^\| `(kws_\w+)` (\|[ \d,|]+\|)$", TEXT, re.MULTILINE)}


def test_every_part_is_in_the_table():
    assert set(documented()) == {path.stem for path in (ROOT / "firmware" / "src").glob("*.cc")}
    assert all(len(sizes) == len(firmware_sizes.CORES) and min(sizes) > 50 for sizes in documented().values())


@pytest.mark.skipif(shutil.which(firmware_sizes.COMPILER) is None, reason=f"{firmware_sizes.COMPILER} is not installed (gcc-arm-none-eabi)")
def test_the_sizes_are_those_of_the_sources():
    for line in firmware_sizes.table("")[2:]:
        part, sizes = re.fullmatch(r"\| `(\w+)` \| (.*) \|", line).groups()
        # another version of the compiler gives a few bytes more or less
        assert [int(size.replace(",", "")) for size in sizes.split(" | ")] == pytest.approx(documented()[part], rel=0.1), part
