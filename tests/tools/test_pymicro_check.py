import sys

import numpy as np
import pytest
import soundfile
from absl import flags

from tests.conftest import spoken_tone
from tools import pymicro_check


def test_events_are_rises_above_the_cutoff_a_second_apart():
    steps = np.zeros(400)
    steps[10:20] = 1.0          # in the first second, which is ignored
    steps[100:110] = steps[115:120] = steps[200:210] = steps[399] = 1.0
    assert pymicro_check.count_events(steps, 0.5, 1, 0.03) == 3
    assert pymicro_check.count_events(steps, 0.5, 3, 0.03) == 2
    assert pymicro_check.count_events(steps, 0.99, 12, 0.03) == 0


def test_the_tone_is_heard_and_others_are_not(wake_word, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pymicro_wakeword", reason="pymicro-wakeword is not installed")
    random = np.random.default_rng(4)
    for folder, name in (("yes", "high"), ("no", "low")):
        (tmp_path / folder).mkdir()
        for index in range(3):
            soundfile.write(tmp_path / folder / f"{index}.wav", spoken_tone(name, random), 16000)
    values = flags.FlagValues()
    pymicro_check.define(values)
    values([sys.argv[0], "--model", str(wake_word.folder), "--positives", str(tmp_path / "yes"), "--negatives", str(tmp_path / "no"),
            "--cutoffs", "0.9"])
    monkeypatch.setattr(pymicro_check, "FLAGS", values)
    pymicro_check.main(["pymicro_check"])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("cutoff 0.7949, window 3: 3 of 3 heard") and second.startswith("cutoff 0.9000")
    assert f"{tmp_path / 'no'}: 0 in 0.0 min" in first
