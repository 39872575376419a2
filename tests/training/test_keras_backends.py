"""The loop has no TensorFlow of its own: on a machine with a GPU and another Keras backend it trains and continues as well."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra `parity`: torch is the second backend here")
def test_the_loop_trains_and_continues_on_torch():
    tests = pathlib.Path(__file__).with_name("test_loop.py")
    chosen = "learns or best_weights or continues_exactly"
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests, "-k", chosen],
                          cwd=pathlib.Path(__file__).parents[2], env={**os.environ, "KERAS_BACKEND": "torch"},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
