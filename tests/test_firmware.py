"""The program that writes C++ sources."""

import numpy as np
import pytest
import soundfile
from absl import flags

from kws_tf import firmware
from kws_tf.errors import ConfigError, ModelFileError
from kws_tf.tflite import firmware_folder


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the program in this process: returns its output."""
    def call(*arguments):
        values = flags.FlagValues()
        firmware.define(values)
        rest = values(["firmware", *map(str, arguments)])
        monkeypatch.setattr(firmware, "FLAGS", values)
        assert not firmware.main(rest)
        return capsys.readouterr().out
    return call


def test_boards_are_those_of_the_writer():
    assert firmware.BOARDS == tuple(firmware_folder.BOARDS)


def test_a_project_from_a_model(run, micro_stream, tmp_path):
    soundfile.write(tmp_path / "word.wav", (3000 * np.sin(np.arange(4000) / 5)).astype(np.int16), 16000)
    arguments = ("--model", micro_stream, "--board", "host", "--output", tmp_path / "out", "--golden", tmp_path / "word.wav", "--keywords",
                 "low")
    output = run(*arguments)
    assert f"written: {tmp_path / 'out'}" in output and "320 samples per step, keywords low, preset uncalibrated" in output
    assert "kGoldenHops = 12;" in (tmp_path / "out" / "kws_golden.h").read_text(encoding="utf-8")
    assert "kept as they were: main.cc" in run(*arguments)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ([], ConfigError, "--model is missing"),
    (["--model", "nowhere", "more"], ConfigError, "unexpected argument 'more'"),
    (["--model", "nowhere"], ModelFileError, "nowhere: there is no such file"),
])
def test_wrong_arguments(run, arguments, error, message):
    with pytest.raises(error, match=message):
        run(*arguments)
