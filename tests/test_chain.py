"""Which steps are done, done again, and which training goes on; the programs themselves are replaced."""

import json

import pytest

from kws_tf import chain as chain_module
from kws_tf.chain import Chain
from kws_tf.errors import ConfigError, KwsError


class Killed(BaseException):
    """Nothing after it is done."""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs synthesise, train and convert; returns their names, of a training with how it began. A training that is killed is so before or
    after it has taken the run folder."""
    ran = []

    def program(module, *arguments, title, hint, dry_run):
        begins = [argument for argument in arguments if argument in ("--resume", "--overwrite")]
        ran.append(" ".join([title, *begins]))
        if call.fails == title:
            raise KwsError(title)
        if call.killed == title:
            raise Killed
        if begins:
            (tmp_path / "run").mkdir(exist_ok=True)
            (tmp_path / "run" / "config.json").write_text("{}")
        if title in ("synthesise", "convert"):
            (tmp_path / title).mkdir(exist_ok=True)
        if call.killed == f"{title} later":
            raise Killed

    def call(*flags, killed="", fails="", threshold=1, inputs=(), prepare=None):
        ran.clear()
        call.killed, call.fails = killed, fails
        chain = Chain(tmp_path / "state.json")
        try:
            chain.step("synthesise", "synthesize", *flags, inputs=inputs, makes=tmp_path / "synthesise")
            chain.step("train", "train", run_dir=tmp_path / "run", prepare=prepare)
            chain.step("convert", "convert", makes=tmp_path / "convert")
            chain.step("calibrate", "calibrate", threshold)
        except (Killed, KwsError):
            ran.append("end")
        return list(ran)

    monkeypatch.setattr(chain_module.program, "run", program)
    return call


ALL = ["synthesise", "train --overwrite", "convert", "calibrate"]


def test_what_is_done_is_not_done_again_and_a_change_reaches_all_that_follows(run, capsys):
    assert run() == ALL
    assert run() == [] and "== calibrate: done" in capsys.readouterr().out
    assert run(threshold=2) == ["calibrate"]
    assert run("--seed=2", threshold=2) == ALL
    assert run("--seed=2", threshold=2, inputs=["another recording"]) == ALL


@pytest.mark.parametrize("killed", ["", "calibrate"])
def test_a_step_whose_result_is_gone_is_done_again_with_what_follows_but_for_trainings(run, tmp_path, killed):
    run()
    (tmp_path / "convert").rmdir()
    assert run(killed=killed)[:2] == ["convert", "calibrate"], "what calibrate wrote is gone with it"
    assert run() == (["calibrate"] if killed else [])
    (tmp_path / "synthesise").rmdir()
    assert run() == ["synthesise", "convert", "calibrate"] and run() == []
    (tmp_path / "synthesise").rmdir()
    assert run("--seed=2") == ALL


def test_a_failure_says_when_to_start_again(tmp_path):
    with pytest.raises(KwsError, match=r"what it says is above. When that is mended, start again: it goes on there"):
        Chain(tmp_path / "state.json").step("nothing", "kws_tf_none")


@pytest.mark.parametrize("n_starts", [1, 2])
def test_a_finished_training_is_not_resumed_as_the_new_one(run, n_starts):
    """Killed while it imports and decodes: what lies in the run folder is the training of before."""
    run("--seed=1")
    for _ in range(n_starts):
        assert run("--seed=2", killed="train")[-2:] == ["train --overwrite", "end"]
    assert run("--seed=2") == ["train --overwrite", "convert", "calibrate"]


def test_a_training_that_was_killed_goes_on(run):
    assert run(killed="train later") == ["synthesise", "train --overwrite", "end"]
    assert run(killed="train later") == ["train --resume", "end"]
    assert run() == ["train --resume", "convert", "calibrate"]


def test_a_mistaken_command_takes_nothing_from_the_right_one(run):
    run()
    assert run("--seed=2", fails="synthesise") == ["synthesise", "end"]
    assert run() == ["synthesise"], "it may have changed the data; the program tells that it is done"
    assert run("--sead=2", fails="train") == ["synthesise", "train --overwrite", "end"]
    assert run() == ["synthesise"], "the run folder is as it was"


def test_a_training_goes_on_after_a_mistaken_command(run):
    run(killed="train later")
    run("--sead=2", fails="train")
    assert run(killed="train later") == ["synthesise", "train --resume", "end"]
    run("--sead=2", fails="train")
    assert run() == ["synthesise", "train --resume", "convert", "calibrate"]


def test_what_follows_a_training_follows_the_one_that_lies_there(run, tmp_path):
    run()
    run("--seed=2", killed="train later")
    assert run() == ["synthesise", "train --overwrite", "convert", "calibrate"]
    (tmp_path / "run" / "config.json").unlink()
    assert run() == ["train --overwrite", "convert", "calibrate"]


def test_a_step_that_was_killed_is_done_again_whatever_came_before(run):
    run()
    run(threshold=2, killed="calibrate")
    assert run() == ["calibrate"]


def test_a_training_is_prepared_when_it_begins_and_not_when_it_goes_on(run):
    prepared = []
    for killed in ("train later", ""):
        run(killed=killed, prepare=lambda: prepared.append(1))
    assert len(prepared) == 1


def test_what_another_version_wrote_is_not_taken_for_nothing(tmp_path):
    path = tmp_path / "state.json"
    for content, message in (("[1]", "cannot be read .*Delete it to run every step again"), ("{", "cannot be read"),
                             (json.dumps({"begun": {}, "done": {}}), "another version. Delete it .* from their first epoch")):
        path.write_text(content)
        with pytest.raises(ConfigError, match=f"state.json: .*{message}"):
            Chain(path)
