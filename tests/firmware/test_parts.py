"""Ring, clip window, log line and the refusals of the detector, under the sanitizers."""

import subprocess

from tests.firmware.conftest import HERE, PARTS, SOURCES


def test_every_check_holds(host_compiler):
    objects = [host_compiler.compile(source, [SOURCES]) for source in [HERE / "parts_program.cc", *(SOURCES / name for name in PARTS)]]
    done = subprocess.run([host_compiler.link("parts", objects)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and int(done.stdout.split()[0]) > 50_000, done.stdout + done.stderr
