"""Every command that a page, the head of a program or a flagfile shows can be parsed by the program that it calls."""

import ast
import importlib
import pathlib
import re
import shlex

import pytest
from absl import flags

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(path for folder in ("docs", "firmware", "models") for path in sorted((ROOT / folder).rglob("*.md")))]
PROGRAMS = [path for folder in ("kws_tf", "tools") for path in sorted((ROOT / folder).glob("*.py"))]
FLAGFILES = sorted((ROOT / "flags").glob("*.cfg"))
COMMAND = re.compile(r"\bpython (?:-m (kws_tf\.\w+|tools\.\w+)|tools/(\w+)\.py)\b([^`\n]*)")
# Where the command of a line ends, outside quotes.
END = {"|", "||", "&&", ";", ">", ">>", "&", "#"}


def text_of(path):
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        content = ast.get_docstring(ast.parse(content)) or ""
    return re.sub(r"\\\\?\n[#\s]*", " ", content)


def commands_of(path):
    """(module, arguments) of every command in the text of a file; a sentence that only names a program has no flags."""
    for module, tool, rest in COMMAND.findall(text_of(path)):
        line = shlex.shlex(rest, posix=True, punctuation_chars="|&;<>")
        line.whitespace_split, line.commenters = True, "#"
        words = []
        for word in line:
            if word in END:
                break
            words.append(word)
        yield module or f"tools.{tool}", words


def all_commands():
    for path in (*PAGES, *PROGRAMS, *FLAGFILES):
        name = path.relative_to(ROOT).as_posix()
        for module, words in commands_of(path):
            if any(word.startswith("--") for word in words):
                yield pytest.param(module, words, id=f"{name}: {module} {' '.join(words)}"[:120])


@pytest.mark.parametrize("module, words", list(all_commands()))
def test_a_command_can_be_parsed(module, words, monkeypatch):
    monkeypatch.chdir(ROOT)
    values = flags.FlagValues()
    try:
        importlib.import_module(module).define(values)
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    values([module, *words])


def test_the_search_finds_commands_of_every_kind():
    found = {path.name: list(commands_of(path)) for path in (*PAGES, *PROGRAMS, *FLAGFILES)}
    assert all(found[name] for name in ("README.md", "evaluation.md", "training.md", "esphome.md", "train.py", "demo.cfg", "long_audio.py"))
    assert [words for module, words in found["synthesize.py"] if "command" in words][0][-6:] == [
        "--voice", "Samantha", "--voice", "Daniel", "--voice", "Karen"], "a command over two lines is one"
