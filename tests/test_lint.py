"""The program on hand-made files."""

import json

import numpy as np
import pytest
from absl import flags

from kws_tf import lint
from kws_tf.errors import ConfigError, ModelFileError
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.graph import TfliteGraph
from kws_tf.tflite.lint import RULES


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the program in this process: returns its exit status and its output."""
    def call(*arguments):
        values = flags.FlagValues()
        lint.define(values)
        rest = values(["lint", *map(str, arguments)])
        monkeypatch.setattr(lint, "FLAGS", values)
        return lint.main(rest), capsys.readouterr().out
    return call


@pytest.fixture
def file(tmp_path):
    """int16 [1, 64] -> int8: a file that keeps the rules of profile pi."""
    graph = TfliteGraph()
    x = graph.input("pcm", (1, 64), 2.0**-15)
    output = graph.quantise(graph.absolute(x), 1 / 256, -128)
    path = tmp_path / "some.tflite"
    path.write_bytes(flatbuffer.write(graph.finish([x], [output])))
    return path


def test_a_clean_file(run, file):
    status, output = run(file, "--profile", "pi")
    assert status == 0 and f"{file}: {file.stat().st_size} bytes, profile pi: no rule is broken ({len(RULES)} rules:" in output


def test_findings_are_lines_and_json(run, file):
    status, output = run(file, "--profile", "features")
    assert status == 1 and "1 finding (" in output
    assert output.startswith("types at the border: input pcm: int16; profile features has int8\n")
    status, output = run(file, "--profile", "float32", "--json")
    found = json.loads(output)
    assert status == 1 and found["profile"] == "float32" and {entry["rule"] for entry in found["findings"]} == {"types at the border"}
    assert all(entry["where"] and entry["message"] for entry in found["findings"])


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"\x1c\0\0\0TFL3" + bytes(64)])
def test_garbage_is_one_error(run, tmp_path, content):
    (tmp_path / "x.tflite").write_bytes(content)
    with pytest.raises(ModelFileError, match="x.tflite: (not a|a damaged) TFLite file"):
        run(tmp_path / "x.tflite", "--profile", "pi")


def test_truncated_and_overwritten_files_are_errors_or_findings(run, file):
    content = file.read_bytes()
    random = np.random.default_rng(4)
    for trial in range(120):
        damaged = bytearray(content if trial % 2 else content[:random.integers(len(content))])
        for place in random.integers(0, max(len(damaged), 1), 4 if trial % 2 else 0):
            damaged[place] = random.integers(256)
        file.write_bytes(damaged)
        try:
            run(file, "--profile", "pi")
        except ModelFileError as error:
            assert str(error).startswith(str(file))


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ([], ConfigError, "one model is expected.*received 0 arguments"),
    (["a", "b"], ConfigError, "received 2 arguments"),
    (["nowhere.tflite", "--profile", "pi"], ModelFileError, "there is no such file"),
])
def test_wrong_arguments(run, arguments, error, message):
    with pytest.raises(error, match=message):
        run(*arguments)


def test_without_a_manifest_the_profile_must_be_given(run, file):
    with pytest.raises(ConfigError, match="no manifest beside it; say which rules apply with --profile"):
        run(file)


def test_a_manifest_that_describes_other_bytes(run, exported, tmp_path):
    import shutil

    folder = shutil.copytree(exported / "pi", tmp_path / "copy")
    assert run(folder) == (0, run(folder / "model.tflite")[1])
    content = bytearray((folder / "model.tflite").read_bytes())
    content[-1] ^= 1
    (folder / "model.tflite").write_bytes(content)
    with pytest.raises(ModelFileError, match="SHA-256"):
        run(folder)
