"""The examples of every family, read by a compiler against stand-ins of their platforms: no board is needed to find a slip of the pen."""

import subprocess

import pytest

from kws_tf.tflite.firmware_folder import BOARDS
from tests.firmware.conftest import HERE, SOURCES, STRICT

EXAMPLES = HERE.parents[1] / "firmware" / "examples"
FILES = {board: sorted(path for path in (EXAMPLES / board).rglob("*") if path.suffix in (".cc", ".ino"))
         for board in BOARDS if board != "host"}


@pytest.mark.parametrize("board", FILES)
def test_an_example_compiles(host_compiler, stream_project, board):
    includes = [stream_project, HERE / "tflm_double", HERE / "platform_double" / board, SOURCES, EXAMPLES / board]
    for source in FILES[board]:
        # The Arduino builder puts Arduino.h ahead of every sketch.
        ahead = ["-include", "Arduino.h"] if board == "arduino" else []
        command = [host_compiler.command, *STRICT, "-fsyntax-only", *ahead, *(f"-I{folder}" for folder in includes), "-x", "c++", source]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr
    assert FILES[board]
