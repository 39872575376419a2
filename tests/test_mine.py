import pytest
import soundfile
from absl import flags

from kws_tf import mine
from kws_tf.errors import ConfigError
from tests.spoken_stream import speak


@pytest.fixture
def run(monkeypatch, capsys, spoken_model):
    def call(*arguments):
        values = flags.FlagValues()
        mine.define(values)
        rest = values(["mine", "--workers", "1", *map(str, arguments)])
        monkeypatch.setattr(mine, "FLAGS", values)
        assert mine.main(rest) is None
        return capsys.readouterr().out
    return call


def test_says_what_was_cut(run, spoken_model, tmp_path):
    soundfile.write(tmp_path / "a.wav", speak(900, [(1, 200, 230), (2, 500, 507)]), 16000)
    arguments = ("--model", spoken_model, "--audio", tmp_path / "a.wav", "--output", tmp_path / "out")
    output = run(*arguments, "--limit", 1)
    assert output.splitlines()[0] == "1.00  jarvis  _unknown_/a_0001100.wav"
    assert "1 clip from 0.00 hours; 1 more were left out by --limit" in output
    assert "2 clips from 0.00 hours; 1 of them were there already" in run(*arguments)
    assert "1 clip from" in run(*arguments, "--threshold", 0.9) and "1 clip from" in run(*arguments, "--keywords", "computer")


@pytest.mark.parametrize("arguments, message", [
    ([], "--model is missing"), (["--model", "m"], "--audio is missing"), (["--model", "m", "--audio", "a"], "--output is missing"),
    (["x"], "unexpected argument 'x'"),
])
def test_wrong_arguments(run, arguments, message):
    with pytest.raises(ConfigError, match=message):
        run(*arguments)
