"""A short run of the fuzzer, and the proof that it would see what it looks for."""

import collections
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from kws_tf.runtime import model_file
from kws_tf.runtime.interpreter import available
from tools import fuzz_model

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the fuzzer forks its children")


def run(*arguments):
    """The tool in a process of its own, which forks faster than a test with TensorFlow in memory: (exit status, output)."""
    command = [sys.executable, "tools/fuzz_model.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_damaged_model_and_manifest_is_refused(exported):
    status, output = run("--model", exported / "pi", "--trials", 60, "--manifest_trials", 60, "--seed", 3)
    assert status == 0, output
    assert "120 trials: 120 gave ModelFileError, 0 ended by a signal, 0 were accepted, 0 hung, 0 gave anything else" in output
    assert all(kind in output for kind in ("cut", "flip", "overwrite", "manifest: cut", "manifest: wrong value"))


def test_the_undamaged_model_is_accepted(exported):
    assert fuzz_model.outcome_in_child(lambda: fuzz_model.load_and_run(exported / "pi", None)) == fuzz_model.ACCEPTED


@pytest.mark.skipif("tflite_runtime" not in available(), reason="needs tflite-runtime, which runs damaged files; LiteRT checks more")
def test_without_the_checks_damage_is_dangerous(exported):
    status, output = run("--model", exported / "features", "--trials", 30, "--seed", 3, "--unchecked")
    assert status == 0 and "signal SIGSEGV" in output and "ran as if nothing were wrong" in output, output


def test_a_model_that_is_damaged_already_is_told(tmp_path):
    status, output = run("--model", tmp_path)
    assert status == 1 and "error: " in output and "Traceback" not in output


@pytest.mark.parametrize(("function", "outcome"), [
    (lambda: "fine", "fine"), (lambda: 1 / 0, "ZeroDivisionError"), (lambda: os.kill(os.getpid(), signal.SIGSEGV), "signal SIGSEGV"),
    (lambda: time.sleep(30), "hangs"),
])
def test_what_happens_in_a_child_is_told(function, outcome, monkeypatch):
    monkeypatch.setattr(fuzz_model, "TIMEOUT_SECONDS", 2)
    assert fuzz_model.outcome_in_child(function) == outcome


def test_mutations_differ_from_the_file_and_repeat_with_the_seed(exported):
    _, content = model_file.read(exported / "pi")
    damaged = [fuzz_model.mutate_content(content, np.random.default_rng([1, 0, number])) for number in range(50)]
    again = [fuzz_model.mutate_content(content, np.random.default_rng([1, 0, number])) for number in range(50)]
    assert damaged == again and all(changed != content for changed, _ in damaged)
    assert len({changed for changed, _ in damaged}) > 45


def test_the_exit_status_tells_any_other_outcome(capsys):
    good, bad = ("cut", fuzz_model.REFUSED), ("flip", "signal SIGSEGV")
    assert fuzz_model.print_summary(collections.Counter({good: 3})) == 0
    assert fuzz_model.print_summary(collections.Counter({good: 3, bad: 1})) == 1
    assert "4 trials: 3 gave ModelFileError, 1 ended by a signal, 0 were accepted, 0 hung, 0 gave anything else" in capsys.readouterr().out
