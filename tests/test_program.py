"""A program is shown, run with this code, and its failure is an error."""

import os
import pathlib
import types

import pytest

from kws_tf import program
from kws_tf.errors import ConfigError, KwsError

ROOT = str(pathlib.Path(program.__file__).resolve().parents[1])


def test_the_command_can_be_copied_and_what_it_prints_is_seen(capfd, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    program.run("this", "--name", "two words", 3, title="Zen")
    assert capfd.readouterr().out.startswith("\n== Zen\npython -m this --name 'two words' 3\nThe Zen of Python")


def test_it_runs_this_code_with_the_paths_of_the_user_behind(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(program.subprocess, "run", lambda command, env, check: seen.append(env) or types.SimpleNamespace(returncode=0))
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    program.run("kws_tf.zoo")
    monkeypatch.delenv("PYTHONPATH")
    program.run("kws_tf.zoo")
    program.run("kws_tf.zoo", dry_run=True)
    assert [env["PYTHONPATH"] for env in seen] == [f"{ROOT}{os.pathsep}elsewhere", ROOT]
    assert capsys.readouterr().out.count("== kws_tf.zoo\npython -m kws_tf.zoo\n") == 3


def test_a_failure_names_the_program_and_adds_the_hint(capfd):
    with pytest.raises(KwsError, match=r"^Nothing: python -m kws_tf_none failed with status 1; what it says is above\. Go on\.$"):
        program.run("kws_tf_none", title="Nothing", hint="Go on.")


def test_flags_are_checked_and_nothing_runs(capfd):
    program.check_flags("kws_tf.split", "--by=file", "--link")
    with pytest.raises(ConfigError, match="^python -m kws_tf.split: Unknown command line flag 'inputs'. Did you mean: input ?"):
        program.check_flags("kws_tf.split", "--inputs=x")
    with pytest.raises(ConfigError, match="kws_tf_none"):
        program.check_flags("kws_tf_none")
    assert capfd.readouterr() == ("", "")
