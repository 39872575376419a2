import numpy as np
import pytest
import soundfile

from kws_tf.errors import DatasetError
from kws_tf.evaluation import mined_clips, mining
from tests.spoken_stream import speak


@pytest.fixture
def training(spoken_model, tmp_path):
    """A training folder with a clip of its own and two that were mined."""
    (tmp_path / "audio").mkdir()
    soundfile.write(tmp_path / "audio" / "a.wav", speak(600, [(1, 150, 170), (1, 400, 430)]), 16000)
    folder = tmp_path / "training"
    (folder / "_unknown_").mkdir(parents=True)
    soundfile.write(folder / "_unknown_" / "own.wav", np.zeros(160), 16000)
    mining.mine(spoken_model, tmp_path / "audio", folder, workers=1, progress=False)
    assert len(list(folder.rglob("*.wav"))) == 3
    return folder


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_mined_clips_and_their_table_go_and_others_stay(training):
    assert mined_clips.forget(training) == 2
    assert names(training) == ["own.wav"]
    assert mined_clips.forget(training) == 0 == mined_clips.forget(training / "none", ["no model is read where nothing was mined"])


def test_what_was_mined_for_a_kept_model_stays(training, spoken_model):
    before = names(training)
    table, = training.glob("mined_*.csv")
    heading, first, *_ = table.read_text().splitlines()
    (training / "_unknown_" / "other.wav").touch()
    (training / "mined_01234567.csv").write_text(f"{heading}\n{first}\n_unknown_/other.wav,b.wav,0,computer,0.6\n")
    assert mined_clips.forget(training, [spoken_model]) == 1, "one clip is in both tables"
    assert names(training) == before


def test_a_damaged_table_is_one_clear_error(training):
    (training / "mined_01234567.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="mined_01234567.csv: not a table of kws_tf.mine"):
        mined_clips.forget(training)
