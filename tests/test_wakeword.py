"""The chain: its commands in order, what is done again and what is not; the programs themselves are replaced."""

import contextlib
import json
import types

import numpy as np
import pytest
import soundfile
from absl import flags

from kws_tf import program, shipped, wakeword, worker_pool
from kws_tf.config import RunConfig, TrainConfig
from kws_tf.errors import ConfigError, KwsError
from kws_tf.evaluation import mined_clips
from kws_tf.training import rehearsal
from kws_tf.training.run_folder import RunFolder


class SameProcess:
    """A pool of processes in which Keras is loaded already, or one that does nothing."""

    def __init__(self, works):
        self.works = works

    def submit(self, function, *arguments):
        return types.SimpleNamespace(result=lambda: function(*arguments) if self.works else None)


@pytest.fixture
def run(monkeypatch):
    """Runs the chain with programs that only leave their mark, with espeak-ng alone and unrehearsed trainings; returns the commands that
    ran."""
    commands, failing, really_run = [], set(), program.subprocess.run
    monkeypatch.setattr(wakeword, "find_installed", lambda language: (["espeak"], {}))
    monkeypatch.setattr(worker_pool, "open_pool", lambda n: contextlib.nullcontext(SameProcess(works=False)))

    def fake_run(command, env, check, **options):
        if "--only_check_args" in command:
            return really_run(command, env=env, check=check, **options)
        assert command[1] == "-m" and env["TF_CPP_MIN_LOG_LEVEL"] and not check
        module, arguments = command[2], command[3:]
        commands.append((module.removeprefix("kws_tf."), arguments))
        if module == "kws_tf.train":
            folder = wakeword.pathlib.Path(arguments[arguments.index("--run_dir") + 1])
            folder.mkdir(exist_ok=True)
            (folder / "config.json").write_text("{}")
        if module in ("kws_tf.synthesize", "kws_tf.rooms"):
            wakeword.pathlib.Path(arguments[arguments.index("--output") + 1]).mkdir(exist_ok=True)
        if module in ("kws_tf.convert", "kws_tf.evaluate"):
            place = arguments[1] + ("/export/pi_stream/model.tflite" if module == "kws_tf.convert" else "/report.html")
            wakeword.pathlib.Path(place).parent.mkdir(parents=True, exist_ok=True)
            wakeword.pathlib.Path(place).write_text("made")
        return types.SimpleNamespace(returncode=3 if module in failing else 0)

    def call(*arguments):
        commands.clear()
        values = flags.FlagValues()
        wakeword.define(values)
        rest = values(["wakeword", *map(str, arguments)])
        monkeypatch.setattr(wakeword, "FLAGS", values)
        wakeword.main(rest)
        return list(commands)

    monkeypatch.setattr(program.subprocess, "run", fake_run)
    call.failing = failing
    call.commands = commands
    return call


def names(commands):
    return [name for name, _ in commands]


def value(commands, program, flag, occurrence=0):
    arguments = [arguments for name, arguments in commands if name == program][occurrence]
    return arguments[arguments.index(flag) + 1]


def test_from_phrases_alone(run, tmp_path, capsys):
    commands = run("--phrase=hey jarvis", "--phrase=computer", "--output", tmp_path / "wake", "--train_flags=--epochs=3 --tau=2")
    assert names(commands) == ["synthesize", "rooms", "train", "convert", "calibrate", "evaluate"]
    data = str(tmp_path / "wake" / "data")
    assert commands[0][1][:4] == ["--phrase=hey jarvis", "--phrase=computer", "--output", data]
    assert value(commands, "synthesize", "--clip_duration") == "1.0", "the window of the recipe"
    assert value(commands, "train", "--data_root") == data and value(commands, "train", "--noise_dir") == f"{data}/noise"
    assert value(commands, "train", "--rir_dir") == str(tmp_path / "wake" / "rooms")
    assert commands[2][1][-5:] == ["--epochs=3", "--tau=2", "--run_dir", str(tmp_path / "wake" / "run"), "--overwrite"]
    model = str(tmp_path / "wake" / "run" / "export" / "pi_stream")
    assert value(commands, "calibrate", "--model") == value(commands, "evaluate", "--model") == model
    assert value(commands, "calibrate", "--ambient") == f"{data}/validation/_unknown_"
    output = capsys.readouterr().out
    assert f"model   {model}" in output and "== train\npython -m kws_tf.train --flagfile" in output


def engines_of(commands):
    return [argument.removeprefix("--engine=") for argument in commands[0][1] if argument.startswith("--engine")]


def test_engines_that_are_installed_speak(run, tmp_path, monkeypatch, capsys):
    arguments = ("--phrase=computer", "--output", tmp_path / "wake")
    assert engines_of(run(*arguments)) == [], "as before there were others"
    assert "\nEngines that speak en: espeak (--engine fixes the choice).\n" in capsys.readouterr().out
    asked = []
    monkeypatch.setattr(wakeword, "find_installed", lambda language: asked.append(language) or (["espeak", "flite"], {"pico": "a b"}))
    assert engines_of(run(*arguments)) == ["espeak", "flite"], "another command: it is run again"
    assert "Engines that speak en: espeak, flite (--engine fixes the choice). Not installed, with voices recorded from people: pico: " \
        "apt install a b.\n" in capsys.readouterr().out
    run(*arguments, "--synthesize_flags=--unknowns=9,9,9 --language de")
    assert asked == ["en", "de"]


def test_a_folder_is_not_begun_anew_because_more_engines_are_found(run, tmp_path, monkeypatch):
    arguments = ("--phrase=computer", "--output", tmp_path / "wake")
    run(*arguments)
    (tmp_path / "wake" / "data" / "synthesis.json").write_text(json.dumps({"engine": {"engine": "espeak"}}))
    monkeypatch.setattr(wakeword, "find_installed", lambda language: (["espeak", "flite"], {}))
    with pytest.raises(ConfigError, match="data was spoken by espeak; .* now are espeak, flite. Go on with --engine=espeak, or choose"):
        run(*arguments)
    assert run(*arguments, "--engine=espeak") == [], "what was done before stays done"
    (tmp_path / "wake" / "data" / "synthesis.json").write_text(json.dumps({"engine": {"engine": "espeak, flite"}}))
    assert engines_of(run(*arguments)) == ["espeak", "flite"]


def test_engines_that_are_named_speak_alone(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(wakeword, "find_installed", None)
    arguments = ("--phrase=computer", "--output", tmp_path / "wake")
    assert engines_of(run(*arguments, "--engine=espeak", "--engine=pico", "--synthesize_flags=--voice=pico:en-US")) == ["espeak", "pico"]
    assert engines_of(run(*arguments, "--synthesize_flags=--engine=piper --voice x.onnx")) == ["piper"]
    assert engines_of(run(*arguments, "--synthesize_flags=--voice=en-gb")) == [] and "Engines that speak" not in capsys.readouterr().out
    with pytest.raises(ConfigError, match="--engine is given, and in --synthesize_flags again"):
        run(*arguments, "--engine=espeak", "--synthesize_flags=--engine=piper")


def test_what_is_done_is_not_done_again_unless_it_changes(run, tmp_path, capsys):
    arguments = ("--phrase=computer", "--output", tmp_path / "wake")
    assert len(run(*arguments)) == 6
    assert run(*arguments) == [] and "== evaluate: done" in capsys.readouterr().out
    assert names(run(*arguments, "--train_flags=--epochs=9")) == ["train", "convert", "calibrate", "evaluate"]
    assert run(*arguments, "--train_flags=--epochs=9") == []
    assert names(run(*arguments, "--train_flags=--epochs=9", "--target_fa_per_hour=2")) == ["calibrate", "evaluate"]


@pytest.mark.parametrize(("gone", "again"), [
    ("data", ["synthesize", "rooms", "convert", "calibrate", "evaluate"]), ("rooms", ["rooms", "convert", "calibrate", "evaluate"]),
    ("run", ["train", "convert", "calibrate", "evaluate"]), ("run/export", ["convert", "calibrate", "evaluate"]),
    ("run/export/pi_stream/report.html", ["evaluate"]),
])
def test_what_was_deleted_is_made_again(run, tmp_path, gone, again):
    arguments = ("--phrase=computer", "--output", tmp_path / "wake")
    run(*arguments)
    (tmp_path / "wake" / gone).rename(tmp_path / "gone")
    assert names(run(*arguments)) == again and run(*arguments) == []


def test_changed_recordings_and_recipes_are_noticed(run, tmp_path):
    for folder in ("own", "noise"):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "a.wav", np.zeros(160), 16000)
    (tmp_path / "recipe.cfg").write_text("--epochs=3")
    arguments = ("--phrase=computer", "--output", tmp_path / "wake", "--recordings", tmp_path / "own", "--noise_dir", tmp_path / "noise",
                 "--recipe", tmp_path / "recipe.cfg")
    assert len(run(*arguments)) == 6 and run(*arguments) == []
    soundfile.write(tmp_path / "own" / "b.wav", np.zeros(160), 16000)
    assert names(run(*arguments)) == ["synthesize", "rooms", "train", "convert", "calibrate", "evaluate"]
    soundfile.write(tmp_path / "noise" / "a.wav", np.zeros(80), 16000)
    assert names(run(*arguments)) == ["train", "convert", "calibrate", "evaluate"]
    (tmp_path / "recipe.cfg").write_text("--epochs=4")
    assert names(run(*arguments)) == ["train", "convert", "calibrate", "evaluate"] and run(*arguments) == []


def test_a_training_hears_what_was_mined_for_its_own_chain_alone(run, tmp_path, monkeypatch):
    for split in ("training", "validation", "testing"):
        (tmp_path / "speech" / split).mkdir(parents=True)
    kept = []
    monkeypatch.setattr(mined_clips, "forget", lambda folder, models: kept.append([folder, *(model.parts[-3] for model in models)]))
    arguments = ("--phrase=computer", "--output", tmp_path / "wake", "--negatives", tmp_path / "speech", "--mining_rounds=2")
    folder = tmp_path / "wake" / "data" / "training"
    run(*arguments, "--dry_run")
    assert kept == []
    run(*arguments)
    assert kept == [[folder], [folder, "run"], [folder, "run", "run_mined1"]]
    run(*arguments, "--mined_train_flags=--epochs=2")
    assert kept[3:] == [[folder, "run"], [folder, "run", "run_mined1"]]


def test_a_failed_training_is_resumed_and_another_one_replaces_it(run, tmp_path):
    arguments = ("--phrase=computer", "--output", tmp_path / "wake")
    run.failing.add("kws_tf.train")
    with pytest.raises(KwsError, match="train: python -m kws_tf.train failed with status 3.*start again: it goes on there"):
        run(*arguments)
    assert names(run.commands) == ["synthesize", "rooms", "train"] and run.commands[-1][1][-1] == "--overwrite"
    with pytest.raises(KwsError):
        run(*arguments)
    assert names(run.commands) == ["train"] and run.commands[-1][1][-1] == "--resume"
    run.failing.clear()
    assert run(*arguments, "--train_flags=--epochs=9")[0][1][-1] == "--overwrite"
    assert json.loads((tmp_path / "wake" / "wakeword.json").read_text())["steps_done"].keys() == {
        "synthesise", "rooms", "train", "convert", "calibrate", "evaluate"}


def test_negatives_are_learnt_mined_and_kept_apart(run, tmp_path):
    for split in ("training", "validation", "testing"):
        (tmp_path / "speech" / split).mkdir(parents=True)
    commands = run("--phrase=computer", "--output", tmp_path / "wake", "--negatives", tmp_path / "speech", "--mining_rounds=2",
                   "--rir_dir", tmp_path / "speech")
    round_trip = ["train", "convert", "mine"]
    assert names(commands) == ["synthesize", *round_trip, *round_trip, "train", "convert", "calibrate", "evaluate"]
    assert value(commands, "mine", "--audio") == str(tmp_path / "speech" / "training")
    assert value(commands, "mine", "--output") == str(tmp_path / "wake" / "data" / "training")
    assert [value(commands, "train", "--run_dir", index).rsplit("/", 1)[1] for index in range(3)] == ["run", "run_mined1", "run_mined2"]
    assert [value(commands, "train", "--initial_weights", index).rsplit("/", 1)[1] for index in (1, 2)] == ["run", "run_mined1"]
    assert "--initial_weights" not in commands[1][1] and commands[4][1][-6:-3] == ["--epochs=12", "--warmup_epochs=1", "--lr=0.03"]
    assert value(commands, "mine", "--model", 1) == str(tmp_path / "wake" / "run_mined1" / "export" / "pi_stream")
    assert value(commands, "calibrate", "--ambient") == str(tmp_path / "speech" / "validation")
    assert value(commands, "evaluate", "--ambient") == str(tmp_path / "speech" / "testing")
    assert value(commands, "synthesize", "--negatives") == str(tmp_path / "speech")


def test_negatives_without_folders_are_dealt(run, tmp_path):
    (tmp_path / "speech" / "deep").mkdir(parents=True)
    for number in range(30):
        soundfile.write(tmp_path / "speech" / "deep" / f"{number}.wav", np.zeros(160), 16000)
    commands = run("--phrase=computer", "--output", tmp_path / "wake", "--negatives", tmp_path / "speech")
    dealt = tmp_path / "wake" / "negatives"
    assert value(commands, "synthesize", "--negatives") == str(dealt)
    assert value(commands, "calibrate", "--ambient") == str(dealt / "validation")
    found = [path for split in ("training", "validation", "testing") for path in (dealt / split).rglob("*.wav")]
    assert len(found) == 30 and len({path.name for path in found}) == 30 and all(soundfile.info(path).frames == 160 for path in found)
    assert run("--phrase=computer", "--output", tmp_path / "wake", "--negatives", tmp_path / "speech") == [], "nothing is done twice"


def test_negatives_that_cannot_be_kept_apart_are_refused(run, tmp_path):
    (tmp_path / "speech" / "training").mkdir(parents=True)
    arguments = ("--phrase=computer", "--output", tmp_path / "wake", "--negatives", tmp_path / "speech")
    with pytest.raises(ConfigError, match="there is no folder validation and testing in it"):
        run(*arguments)
    (tmp_path / "speech" / "training").rmdir()
    soundfile.write(tmp_path / "speech" / "one.wav", np.zeros(160), 16000)
    with pytest.raises(ConfigError, match="dealt whole, and .* got none"):
        run(*arguments)


def test_a_dry_run_runs_nothing(run, tmp_path, capsys):
    assert run("--phrase=computer", "--output", tmp_path / "wake", "--dry_run") == []
    printed = capsys.readouterr().out
    assert printed.count("python -m kws_tf.") == 6 and "report.html" not in printed and not (tmp_path / "wake").exists()


@pytest.mark.parametrize("recipe, more, seconds", [
    ("--clip_duration=1.5", "", "1.5"), ("# before: --clip_duration=2.0\n--epochs=3", "", "1.0"), ("-clip_duration=1.25", "", "1.25"),
    ("--clip_duration=1.5", "--clip_duration=0.75 --tau=2", "0.75"),
])
def test_what_is_spoken_is_as_long_as_the_network_sees(run, tmp_path, recipe, more, seconds):
    (tmp_path / "recipe.cfg").write_text(f"{recipe}\n--warmup_epochs=1\n")
    commands = run("--phrase=computer", "--output", tmp_path / "wake", "--recipe", tmp_path / "recipe.cfg", f"--train_flags={more}")
    assert value(commands, "synthesize", "--clip_duration") == seconds


def test_another_data_set_needs_a_free_folder_which_is_said(run, tmp_path, caplog):
    run("--phrase=computer", "--output", tmp_path / "wake")
    assert f"Take another --output, or delete {tmp_path}/wake/data first" in caplog.text


def test_a_damaged_memory_is_not_taken_for_none(run, tmp_path):
    (tmp_path / "wakeword.json").write_text("[1]")
    with pytest.raises(ConfigError, match="wakeword.json: cannot be read .*Delete it to run every step again"):
        run("--phrase=computer", "--output", tmp_path)


@pytest.mark.parametrize(("arguments", "message"), [
    ((), "--phrase and --output are needed"),
    (("--phrase=a", "--output=x", "--negatives=none"), "--negatives=none: there is no such folder"),
    (("--phrase=a", "--output=x", "--recipe=none.cfg", "--dry_run"), "--recipe=none.cfg: cannot be read"), (("x",), "unexpected argument"),
    (("--phrase=a", "--output=x", "--mined_train_flags=--lr='1", "--dry_run"), "--mined_train_flags=.*expected flags with spaces"),
    (("--phrase=a", "--output=x", "--train_flags=--clip_duration=long", "--dry_run"), "--train_flags: flag --clip_duration=long"),
    (("--phrase=a", "--output=x", "--train_flags=tau=2", "--dry_run"), "--train_flags='tau=2': expected flags; 'tau=2' is none"),
    (("--phrase=a", "--output=x", "--train_flags=--taus=2", "--dry_run"), "--train_flags=.*Unknown command line flag 'taus'.*tau"),
    (("--phrase=a", "--output=x", "--train_flags=--tau=-1", "--dry_run"), "--recipe=.*, --train_flags: .*tau"),
    (("--phrase=a", "--output=x", "--mined_train_flags=--epoch=12", "--dry_run"), "--mined_train_flags=.*kws_tf.train: .* 'epoch'"),
    (("--phrase=a", "--output=x", "--mined_train_flags=--noise_amplitude=0,1", "--dry_run"), "noise_amplitude is not used by --noise_mode"),
    (("--phrase=a", "--output=x", "--synthesize_flags=--positives=5,x,5", "--dry_run"), "--synthesize_flags=.*synthesize: .*whole numbers"),
    (("--phrase=a", "--output=x", "--synthesize_flags=--seed=2 workers=1", "--dry_run"), "--synthesize_flags=.*'workers=1' is none"),
    (("--phrase=a !", "--output=x", "--dry_run"), "'!' in 'a !' stands alone"),
    (("--phrase=a", "--output=x", "--train_flags=--tau=2 epochs=80", "--dry_run"), "expected flags; 'epochs=80' is none"),
    (("--phrase=a", "--output=x", "--train_flags=--threads 1 epochs=80", "--dry_run"), "expected flags; 'epochs=80' is none"),
    (("--phrase=a", "--output=x", "--train_flags=--window_samples=331", "--dry_run"), "--train_flags: integer front end: window_samples"),
    (("--phrase=a", "--output=x", "--train_flags=--initial_weights=nowhere", "--dry_run"), "--train_flags: .*nowhere: no run folder"),
    (("--phrase=a", "--output=x", "--mined_train_flags=--initial_weights=nowhere", "--dry_run"), "--mined_train_flags: .*nowhere: no run"),
    (("--phrase=a", "--output=x", "--mined_train_flags=--tau=2", "--dry_run"), "--mined_train_flags: a training after mining goes on from "
     r"the weights of the first, .*: tau: 1.0 there, 2.0 here. Give such flags in --train_flags"),
    (("--phrase=a", "--output=x", "--mined_train_flags=--n_mels=20", "--dry_run"), "n_mels: 40 there, 20 here"),
    (("--phrase=a", "--output=x", "--mined_train_flags=--epochs=2", "--dry_run"), "--mined_train_flags: .*a warm-up of 2 epochs does not"),
    (("--phrase=a", "--output=x", "--train_flags=--warmup_epochs=50", "--dry_run"), "--train_flags: .*a warm-up of 50 epochs does not end"),
    (("--phrase=a", "--output=x", "--train_flags=--model=bcresnet", "--dry_run"), "--train_flags: model: unknown network 'bcresnet'"),
    (("--phrase=a", "--output=x", "--train_flags=--model=sparknet --tau=2", "--dry_run"), "sparknet has no use for --tau=2"),
    (("--phrase=a", "--output=x", "--train_flags=--features=sparknet", "--dry_run"), "--train_flags: .*mfcc.*Set --warp_prob=0"),
    (("--phrase=a", "--output=x", "--mined_train_flags=--time_mask_frames=200", "--dry_run"), "--mined_train_flags: .*200 do not fit"),
    (("--phrase=a", "--output=x", f"--recipe={shipped.folder('flags') / 'esphome.cfg'}", "--dry_run"), "'micro' have no .*docs/esphome.md"),
])
def test_wrong_flags_are_one_clear_error(run, monkeypatch, arguments, message):
    monkeypatch.setattr(worker_pool, "open_pool", lambda n: contextlib.nullcontext(SameProcess(works=True)))
    with pytest.raises(ConfigError, match=message):
        run(*arguments)


def test_a_training_may_start_from_weights_of_the_same_network(run, tmp_path):
    folder = RunFolder(tmp_path / "before")
    folder.start(RunConfig(train=TrainConfig(epochs=3)), ("no", "yes"))
    folder.best_weights_file.write_text("weights")
    arguments = ("--phrase=computer", "--output", tmp_path / "wake", "--dry_run")
    for flags_of in ("train", "mined_train"):
        run(*arguments, f"--{flags_of}_flags=--initial_weights {folder.path}")
    with pytest.raises(ConfigError, match="--train_flags: .*belong to another network .*: tau: 1.0 there, 2.0 here"):
        run(*arguments, f"--train_flags=--tau=2 --initial_weights {folder.path}")


def test_trainings_are_rehearsed_by_another_process(run, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(worker_pool, "open_pool", lambda n: asked.append(n) or contextlib.nullcontext(SameProcess(works=True)))
    monkeypatch.setattr(rehearsal, "rehearse", lambda config, classes: asked.append((config.train.epochs, classes)))
    run("--phrase=hey jarvis", "--output", tmp_path / "wake", "--dry_run")
    assert asked == [1, (40, ["_silence_", "_unknown_", "hey_jarvis"]), (12, ["_silence_", "_unknown_", "hey_jarvis"])]
