"""The program: flags, what it prints, and a set that the data loader accepts."""

import pytest
from absl import flags

from kws_tf import dataset, synthesize
from kws_tf.config import DataConfig
from kws_tf.errors import ConfigError

pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")
SMALL = ("--positives=3,1,1", "--unknowns=8,2,2", "--silences=2,1,1", "--workers=1", "--clip_duration=1.2")


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the program in this process, with a short word list."""
    words = tmp_path / "words.txt"
    words.write_text("\n".join("service harvest table water green door travis commuter window seven music paper three dog".split()))

    def call(*arguments):
        values = flags.FlagValues()
        synthesize.define(values)
        rest = values(["synthesize", f"--word_list={words}", *map(str, arguments)])
        monkeypatch.setattr(synthesize, "FLAGS", values)
        return synthesize.main(rest)
    return call


def test_the_set_can_be_trained_on(run, tmp_path, capsys):
    folder = tmp_path / "set"
    assert not run("--phrase", "hey jarvis", "--phrase=computer", "--output", folder, *SMALL)
    output = capsys.readouterr().out
    assert f"{folder}: made" in output and f"--data_root {folder} --noise_dir {folder}/noise --clip_duration 1.2" in output
    clips = dataset.load(DataConfig(data_root=str(folder), clip_duration=1.2, cache_dir=str(tmp_path / "cache"), audio_backend="soundfile"),
                         16000, progress=False)
    assert clips.classes == ("_silence_", "_unknown_", "computer", "hey_jarvis")
    assert [split.n_clips for split in clips.splits.values()] == [16, 5, 5]
    assert all((split.lengths == 19200).all() for split in clips.splits.values())
    assert not run("--phrase", "hey jarvis", "--phrase=computer", "--output", folder, *SMALL)
    assert "there already" in capsys.readouterr().out


def test_a_dry_run_tells_and_makes_nothing(run, tmp_path, capsys):
    run("--phrase=computer", "--output", tmp_path / "set", "--dry_run", *SMALL)
    output = capsys.readouterr().out
    assert "training    13 clips by 44 speakers: computer 3, _unknown_ 8, _silence_ 2" in output
    assert "1 near miss of 'computer' by phoneme edit distance: commuter (1)" in output
    assert not (tmp_path / "set").exists()
    run("--phrase=computer", "--output", tmp_path / "set", "--dry_run", *SMALL, "--snr_db=2.5,20")
    assert synthesize.settings().snr_db == (2.5, 20.0)


@pytest.mark.parametrize(("arguments", "message"), [
    ((), "--phrase is missing"), (("--phrase=a b",), "--output is missing"),
    (("--phrase=stop", "--output=x", "--positives=1,2"), "positives must be three positive numbers"),
    (("--phrase=stop", "--output=x", "--positives=a,b,c"), "--positives=a,b,c: expected comma-separated whole numbers, such as 20,5"),
    (("--phrase=stop", "--output=x", "--language=xx"), "espeak-ng has no such language"),
    (("--phrase=stop", "--output=x", "--command=y"), "--command belongs to --engine=command"),
    (("--phrase=stop", "--output=x", "--speaker_pattern=y"), "--speaker_pattern belongs to --recordings"),
    (("--phrase=stop", "--output=x", "--engine=command", "--command=cat {text} {output}"), "speakers?, too few"),
    (("stop",), "unexpected argument 'stop'"),
])
def test_wrong_flags_are_one_clear_error(run, arguments, message):
    with pytest.raises((ConfigError, flags.IllegalFlagValueError), match=message):
        run(*arguments)


def test_several_engines_speak_in_one_set(run, tmp_path, monkeypatch, capsys):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "flite").write_text('#!/bin/sh\n[ "$1" = -lv ] && echo "Voices available: kal16 slt" || echo "version: x"\n')
    (programs / "flite").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    arguments = ("--phrase=computer", "--output", tmp_path / "set", "--dry_run", *SMALL, "--positives=4,1,1")
    run(*arguments, "--engine=espeak", "--engine=flite", "--voice=flite:slt")
    output = capsys.readouterr().out
    assert "training    14 clips by 45 speakers: computer 4, _unknown_ 8, _silence_ 2\n            spoken by espeak 6, flite 6\n" in output
    assert "spoken by espeak 3\n" in output
    with pytest.raises(ConfigError, match="2 speakers, too few for .* an engine with more speakers before this one: --engine=espeak"):
        run(*arguments, "--engine=flite")
    with pytest.raises(flags.IllegalFlagValueError, match="espeak|flite|festival"):
        run(*arguments, "--engine=espeak,flite")
