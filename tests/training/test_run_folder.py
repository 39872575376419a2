import dataclasses

import pytest

from kws_tf.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from kws_tf.errors import TrainingError
from kws_tf.training.run_folder import RunFolder, changed_fields, default_name, require_same_run

CONFIG = RunConfig(data=DataConfig(data_root="sets/words"), model=ModelConfig(tau=1.5))


def replace(part, **values):
    return dataclasses.replace(CONFIG, **{part: dataclasses.replace(getattr(CONFIG, part), **values)})


def test_start_writes_configuration_and_labels(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "one")
    folder.start(CONFIG, ("no", "yes"))
    assert folder.config() == CONFIG
    assert folder.labels() == ("no", "yes")
    assert folder.checkpoint_file.parent.is_dir()


def test_a_run_is_not_replaced_unasked(tmp_path):
    folder = RunFolder(tmp_path)
    folder.start(CONFIG, ("no", "yes"))
    folder.best_weights_file.write_bytes(b"weights")
    with pytest.raises(TrainingError, match="holds a run already.*--resume.*--run_dir.*--overwrite"):
        folder.start(CONFIG, ("a", "b"))
    assert folder.labels() == ("no", "yes")
    (tmp_path / "notes.txt").write_text("mine")
    folder.start(CONFIG, ("a", "b"), overwrite=True)
    assert folder.labels() == ("a", "b")
    assert not folder.best_weights_file.exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_of_something_else_is_refused_even_with_overwrite(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(TrainingError, match="not a run folder"):
        RunFolder(tmp_path).start(CONFIG, ("a",), overwrite=True)
    assert (tmp_path / "thesis.tex").exists()


def test_nothing_to_resume(tmp_path):
    with pytest.raises(TrainingError, match="no run to continue here"):
        RunFolder(tmp_path / "missing").config()
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(TrainingError, match="cannot be read as a run's configuration"):
        RunFolder(tmp_path).config()


def test_history_is_one_line_per_epoch(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_history([{"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": 0.25}])
    assert folder.history_file.read_text() == "epoch,loss\n1,0.30000000000000004\n2,0.25\n"


def test_changed_settings_are_named():
    assert changed_fields(CONFIG, CONFIG) == []
    with pytest.raises(TrainingError, match=r"these settings differ: .*'sets/words' -> 'other'.*; lr: 0.1 -> 0.2"):
        require_same_run(CONFIG, dataclasses.replace(replace("data", data_root="other"), train=TrainConfig(lr=0.2)))


def test_the_cache_may_move():
    assert changed_fields(CONFIG, replace("data", cache_dir="elsewhere")) == []


@pytest.mark.parametrize("schedule, may_be_longer", [("cosine", False), ("hold_polynomial", False), ("plateau", True), ("constant", True)])
def test_a_run_may_be_longer_unless_its_schedule_ends_at_the_last_epoch(schedule, may_be_longer):
    run = replace("train", schedule=schedule)
    longer = dataclasses.replace(run, train=dataclasses.replace(run.train, epochs=300))
    assert changed_fields(run, longer) == ([] if may_be_longer else ["epochs: 200 -> 300"])


def test_default_name():
    assert default_name(CONFIG) == "words-bc_resnet1.5-logmel40-seed1"
    sparknet = ModelConfig(model="sparknet", channels=8)
    assert default_name(dataclasses.replace(CONFIG, model=sparknet)) == "words-sparknet8-logmel40-seed1"
    assert default_name(dataclasses.replace(CONFIG, model=ModelConfig(model="ds_cnn"))) == "words-ds_cnn-logmel40-seed1"


def test_a_run_that_was_killed_while_its_folder_was_made_can_be_replaced(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.start(CONFIG, ("no", "yes"))
    folder.config_file.unlink()
    (folder.path / ".123.tmp.config.json").write_text("{")
    with pytest.raises(TrainingError, match="not a run folder"):
        folder.require_free()
    folder.start(CONFIG, ("a", "b"), overwrite=True)
    assert folder.labels() == ("a", "b") and not list(folder.path.glob(".*"))


def test_a_folder_that_cannot_be_made_is_told_before_the_training(tmp_path):
    (tmp_path / "notes").write_text("a file")
    with pytest.raises(TrainingError, match="notes/run: cannot be made, because .*notes is no folder.*--run_dir"):
        RunFolder(tmp_path / "notes" / "run").require_free()


def test_missing_labels_are_named(tmp_path):
    with pytest.raises(TrainingError, match="labels.txt: the classes of the run cannot be read"):
        RunFolder(tmp_path).labels()
