"""Order, errors, and that no process is left behind by a parent that is killed."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from kws_tf import worker_pool


def square(number):
    if number == 13:
        raise ValueError("thirteen")
    return number * number


@pytest.mark.parametrize("n_workers", [1, 2])
def test_results_come_in_order_and_errors_reach_the_caller(n_workers):
    assert list(worker_pool.imap(square, range(12), n_workers, chunk=5)) == [n * n for n in range(12)]
    with pytest.raises(ValueError, match="thirteen"):
        list(worker_pool.imap(square, range(20), n_workers))


def test_processors_are_those_of_this_process():
    assert 1 <= worker_pool.processors() <= os.cpu_count()


PROGRAM = """
import sys, time
from kws_tf import worker_pool

if __name__ == "__main__":
    for _ in worker_pool.imap(time.sleep, [0, 0, 600, 600], 2):
        print("working", flush=True)
"""


def children(process_id):
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == process_id:
            found.append(int(status.parent.name))
    return found


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_killed_parent(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    parent = subprocess.Popen([sys.executable, tmp_path / "program.py"], stdout=subprocess.PIPE,
                              env={**os.environ, "PYTHONPATH": str(pathlib.Path(worker_pool.__file__).parents[1])})
    assert parent.stdout.readline() == b"working\n"
    workers = children(parent.pid)
    assert len(workers) >= 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    limit = time.monotonic() + 20
    while any(pathlib.Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not [worker for worker in workers if pathlib.Path(f"/proc/{worker}").exists()]
