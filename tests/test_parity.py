import json

import pytest
from absl import flags

from kws_tf import parity
from kws_tf.errors import ConfigError, DatasetError


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the program in this process: returns its exit status and its output."""
    def call(*arguments):
        values = flags.FlagValues()
        parity.define(values)
        rest = values(["parity", *map(str, arguments)])
        monkeypatch.setattr(parity, "FLAGS", values)
        return parity.main(rest), capsys.readouterr().out
    return call


def test_table_and_json(run, exported, tone_dataset):
    status, output = run(exported / "pi", "--clips", tone_dataset, "--n_clips", 3, "--optimised_steps", 4)
    assert status == 0 and "3 clips" in output and "front end" in output and "kept" in output and "BROKEN" not in output
    status, output = run(exported / "pi" / "model.tflite", "--clips", tone_dataset, "--n_clips", 2, "--seed", 5, "--optimised_steps", 4,
                         "--json")
    found = json.loads(output)
    assert status == 0 and found["kept"] is True and found["clips"] == 2
    assert {row["group"] for row in found["differences"]} == {"front end", "features", "logits"}


def test_the_exit_status_tells_a_broken_promise(run, exported, tone_dataset, monkeypatch):
    import numpy as np

    from kws_tf.tflite import parity as comparison

    monkeypatch.setattr(comparison, "classifier_input", lambda features, pcm, spec: np.zeros((48, 20), np.int8))
    status, output = run(exported / "pi", "--clips", tone_dataset, "--n_clips", 2)
    assert status == 1 and "BROKEN (at most 0)" in output


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ([], ConfigError, "one model is expected.*received 0 arguments"),
    (["model"], ConfigError, "--clips is missing"),
])
def test_missing_arguments(run, arguments, error, message):
    with pytest.raises(error, match=message):
        run(*arguments)


def test_a_folder_without_recordings(run, exported, tmp_path):
    with pytest.raises(DatasetError, match="no recordings in this folder"):
        run(exported / "pi", "--clips", tmp_path)
