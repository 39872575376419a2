"""Runs a program of the project as a user does: in a process of its own, its command on the screen."""

import os
import pathlib
import shlex
import subprocess
import sys

from kws_tf.errors import ConfigError, KwsError

_ROOT = pathlib.Path(__file__).resolve().parents[1]


def run(module, *arguments, title="", hint="", dry_run=False):
    """Shows the command `python -m module arguments` and runs it with this very code; what it prints is seen.

    Args:
        module: such as "kws_tf.train". arguments: its flags, of any type.
        title: of the step; "" for the name of the module. hint: what the message of a failure adds.
        dry_run: show the command alone.

    Raises:
        KwsError: the program failed.
    """
    command = [module, *map(str, arguments)]
    sys.stdout.write(f"\n== {title or module}\npython -m {shlex.join(command)}\n")
    sys.stdout.flush()
    if dry_run:
        return
    status = subprocess.run([sys.executable, "-m", *command], env=_environment(), check=False).returncode
    if status:
        raise KwsError(f"{title or module}: python -m {module} failed with status {status}; what it says is above.{' ' * bool(hint)}{hint}")


def check_flags(module, *arguments):
    """Has a program read its flags and do nothing else.

    Args:
        module, arguments: see run.

    Raises:
        ConfigError: it does not know one of the flags, or its value is none; in the words of the program.
    """
    done = subprocess.run([sys.executable, "-m", module, *map(str, arguments), "--only_check_args"], env=_environment(), check=False,
                          capture_output=True, text=True, errors="replace")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line and not line.startswith("Pass --help")]
        said = "\n".join(lines).replace("FATAL Flags parsing error:", "").strip()
        raise ConfigError(f"python -m {module}: {said or f'failed with status {done.returncode}'}")


def _environment():
    found = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "PYTHONPATH": found}
