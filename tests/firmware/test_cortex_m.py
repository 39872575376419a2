"""The parts that need no TFLite Micro, compiled for a Cortex-M4 and run in an emulator."""

import re
import shutil
import subprocess

import pytest

from tests.firmware.conftest import HERE, PARTS, SOURCES, STRICT, Compiler
from tests.firmware.test_detector import GOLDEN, golden_lines, golden_stream

MISSING = [name for name in ("arm-none-eabi-g++", "qemu-system-arm") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed (Debian: gcc-arm-none-eabi "
                                "libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib qemu-system-arm)")
CORTEX_M4 = [*STRICT, "-Os", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-ffunction-sections",
             "-fdata-sections"]


@pytest.fixture(scope="module")
def link_for_board(tmp_path_factory):
    """Links a program with some of the parts for the emulated board."""
    compiler = Compiler("arm-none-eabi-g++", CORTEX_M4, tmp_path_factory.mktemp("cortex_m"))

    def link(name, sources):
        objects = [compiler.compile(source, [SOURCES]) for source in [HERE / "mps2" / "startup.cc", *sources]]
        return compiler.link(name, objects, ["--specs=rdimon.specs", "-Wl,--gc-sections", f"-Wl,-T,{HERE / 'mps2' / 'mps2.ld'}"])
    return link


def emulate(program, stdin=b"", options=()):
    command = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none", "-semihosting-config",
               "enable=on,target=native", *options, "-kernel", program]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode().splitlines()


def test_every_check_holds(link_for_board):
    line, = emulate(link_for_board("parts", [HERE / "parts_program.cc", *(SOURCES / name for name in PARTS)]))
    assert int(line.split()[0]) > 50_000


def test_golden_streams(link_for_board):
    program = link_for_board("detector", [HERE / "detector_program.cc", *(SOURCES / name for name in PARTS)])
    found = emulate(program, b"".join(map(golden_stream, GOLDEN)))
    assert found == [entry for number, case in enumerate(GOLDEN) for entry in golden_lines(number, case)]


def test_instructions_per_score_are_those_of_the_page(link_for_board):
    program = link_for_board("instructions", [HERE / "instructions_program.cc", *(SOURCES / name for name in PARTS)])
    found = {tuple(line.split()[:2]): int(line.split()[2]) for line in emulate(program, options=["-icount", "shift=0"])}
    page = (HERE.parents[1] / "docs" / "microcontrollers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (classes|keywords) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    assert found == {(what, n): pytest.approx(int(count), rel=0.15) for what, n, count in rows} and len(rows) == 5
