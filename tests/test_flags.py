import dataclasses
import itertools
import json
import os
import pathlib
import subprocess
import sys

import pytest
from absl import flags

from kws_tf.config import FEATURE_PRESETS, RunConfig
from kws_tf.errors import ConfigError
from kws_tf.flags import GROUPS, HELP, define_config, run_config
from kws_tf.front_end import dft


def parsed(*arguments):
    flag_values = flags.FlagValues()
    define_config(flag_values)
    flag_values(["train", *arguments])
    return flag_values


def config(*arguments, base=None):
    return run_config(parsed(*arguments), base)


def test_no_flags_give_the_defaults_of_the_dataclasses():
    assert config() == RunConfig()


def test_every_field_has_a_flag_with_help():
    flag_values = parsed()
    for group, cls in GROUPS.items():
        for field in dataclasses.fields(cls):
            assert flag_values[field.name].help == HELP[group][field.name]
    assert {name for texts in HELP.values() for name in texts} == set(flag_values)


def test_the_command_of_the_users_notes():
    made = config("--data_root", "DIR", "--n_mels", "80", "--clip_duration=1.4", "--lr=0.002", "--epochs=100", "--patience=7",
                  "--batch_size=512", "--tau=2", "--label_smoothing=0.1")
    assert (made.data.data_root, made.data.clip_duration) == ("DIR", 1.4)
    assert made.features == dataclasses.replace(FEATURE_PRESETS["bc_resnet"], n_mels=80)
    assert (made.train.lr, made.train.epochs, made.train.patience, made.train.batch_size) == (0.002, 100, 7, 512)
    assert (made.model.tau, made.train.label_smoothing) == (2, 0.1)


def test_pairs_are_comma_lists():
    assert config("--noise_amplitude=0,0.3").augment.noise_amplitude == (0.0, 0.3)
    with pytest.raises(flags.IllegalFlagValueError, match="expected comma-separated numbers"):
        parsed("--noise_amplitude=loud")
    with pytest.raises(ConfigError, match="noise_amplitude must be two numbers"):
        config("--noise_amplitude=0.3")


def test_preset_and_overrides():
    made = config("--features=sparknet", "--n_mfcc=20")
    assert made.features == dataclasses.replace(FEATURE_PRESETS["sparknet"], n_mfcc=20)


def test_n_mfcc_alone_selects_mfcc():
    assert config("--n_mfcc=20").features == dataclasses.replace(FEATURE_PRESETS["bc_resnet"], kind="mfcc", n_mfcc=20)


def test_logmel_of_an_mfcc_preset():
    assert config("--features=sparknet", "--kind=logmel").features.n_mfcc == 0


def test_another_sample_rate_keeps_the_durations():
    made = config("--sample_rate=8000").features
    assert (made.window_samples, made.hop_samples, made.fft_size, made.high_hz) == (240, 80, 256, 4000)
    assert config("--sample_rate=8000", "--window_samples=256").features.window_samples == 256
    assert config("--sample_rate=16000").features == FEATURE_PRESETS["bc_resnet"]
    assert config("--sample_rate=11025", "--window_samples=331").features.window_samples == 331, "as given"


@pytest.mark.parametrize("preset", ["bc_resnet", "sparknet", "mlperf_tiny"])
@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 44100, 48000])
def test_every_usual_rate_has_an_integer_front_end(preset, rate):
    made, base = config(f"--features={preset}", f"--sample_rate={rate}").features, FEATURE_PRESETS[preset]
    assert dft.plan(made)
    assert abs(made.window_samples / rate - base.window_samples / 16000) <= 8 / rate


def test_no_ssn_is_batch_norm():
    assert config("--no_ssn").model.ssn_groups == "0"
    assert config("--no_ssn=false", "--ssn_groups=5").model.ssn_groups == "5"


@pytest.mark.parametrize("arguments, message", [
    (["--no_ssn", "--ssn_groups=5"], "--no_ssn and --ssn_groups=5 contradict"),
    (["--kind=logmel", "--n_mfcc=20"], "n_mfcc=20 is given, but kind is 'logmel'"),
    (["--kind=mfcc"], "n_mfcc must be between 1 and n_mels=40"),
    (["--schedule=cosine", "--plateau_epochs=3"], "--plateau_epochs belongs to --schedule=plateau, but the schedule is cosine"),
    (["--plateau_factor=0.1"], "--plateau_factor belongs to --schedule=plateau, but the schedule is cosine"),
    (["--noise_snr_db=0,9"], "--noise_snr_db is not used by --noise_mode=amplitude"),
    (["--seed=-1"], "seed must be at least 0 and at most 4.29497e"),
    (["--noise_mode=snr", "--noise_amplitude=0,1"], "--noise_amplitude is not used by --noise_mode=snr"),
    (["--noise_mode=amplitude", "--noise_snr_db=0,9"], "--noise_snr_db is not used by --noise_mode=amplitude"),
    (["--tau=0"], "tau must be above 0"),
    (["--sample_rate=-8000"], "sample_rate must be at least 4000"),
    (["--clip_duration=0.02"], "clip_duration=0.02 s is shorter than one feature window"),
])
def test_contradictions_and_bad_values_are_named(arguments, message):
    with pytest.raises(ConfigError, match=message):
        config(*arguments)


@pytest.mark.parametrize("path", sorted((pathlib.Path(__file__).parents[1] / "flags").glob("*.cfg")), ids=lambda path: path.name)
def test_behind_a_flagfile_the_other_kind_of_noise_leaves_its_range_unused(path):
    mode, given, other = config(f"--flagfile={path}").augment.noise_mode, "noise_amplitude", "noise_snr_db"
    if mode == "amplitude":
        given, other = other, given
    changed = f"--noise_mode={'snr' if mode == 'amplitude' else 'amplitude'}"
    made = config(f"--flagfile={path}", changed, f"--{given}=0.5,1").augment
    assert made.noise_mode != mode and getattr(made, given) == (0.5, 1)
    with pytest.raises(ConfigError, match=f"--{other} is not used by --noise_mode={made.noise_mode}"):
        config(f"--flagfile={path}", changed, f"--{other}=0.5,1")
    for once_more in ((), (f"--noise_mode={mode}",)):
        with pytest.raises(ConfigError, match=f"--{given} is not used by --noise_mode={mode}"):
            config(f"--flagfile={path}", *once_more, f"--{given}=0.5,1")



def test_behind_a_flagfile_another_schedule_leaves_the_plateau_unused(tmp_path):
    (tmp_path / "plateau.cfg").write_text("--schedule=plateau\n--plateau_epochs=3\n")
    assert config(f"--flagfile={tmp_path}/plateau.cfg", "--schedule=cosine").train.schedule == "cosine"
    with pytest.raises(ConfigError, match="--plateau_epochs belongs to"):
        config(f"--flagfile={tmp_path}/plateau.cfg", "--schedule=cosine", "--plateau_epochs=4")
    with pytest.raises(ConfigError, match="--plateau_epochs belongs to"):
        config("--schedule=constant", "--schedule=cosine", "--plateau_epochs=4")


def test_base_is_overridden_only_where_flags_are_given():
    base = config("--lr=0.5", "--n_mfcc=20", "--sample_rate=8000", "--no_ssn")
    assert config(base=base) == base
    assert config("--lr=0.5", "--n_mfcc=20", "--sample_rate=8000", "--no_ssn", base=base) == base
    assert config("--lr=0.4", base=base) == dataclasses.replace(base, train=dataclasses.replace(base.train, lr=0.4))


@pytest.mark.parametrize("path", sorted((pathlib.Path(__file__).parents[1] / "flags").glob("*.cfg")), ids=lambda path: path.name)
def test_flagfiles_parse_and_state_their_command(path):
    from kws_tf import train

    flag_values = flags.FlagValues()
    train.define(flag_values)
    flag_values(["train", f"--flagfile={path}"])
    assert run_config(flag_values) != RunConfig()
    lines = path.read_text(encoding="utf-8").splitlines()
    header = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    assert len(header) > 4
    assert f"python -m kws_tf.train --flagfile flags/{path.name}" in "".join(header)
    assert all(line.startswith("--") or not line for line in lines[len(header):])


PROGRAM = """
'''What the program does.'''
from absl import flags
from kws_tf.errors import ConfigError
from kws_tf.flags import define_config, run, run_config
def main(argv):
    config = run_config()
    if argv[1:]:
        raise ConfigError("unexpected " + argv[1])
    if config.train.seed == 7:
        raise KeyboardInterrupt
    if config.train.seed == 8:
        open("/dev/null/run/config.json", "w")
    if config.train.seed == 6:
        with open("/dev/full", "w") as file:
            file.write("a line")
    if config.train.seed == 9:
        for _ in range(100_000):
            print("a line")
run(main, define_config)
"""


@pytest.mark.parametrize("arguments, status, stdout, stderr", [
    ([], 0, "", ""),
    (["junk"], 1, "", "error: unexpected junk\n"),
    (["--tau=0"], 1, "", "error: model: tau must be above 0 and at most 64; received 0.0. Set --tau.\n"),
    (["--lr=nan", "--noise_amplitude=0,inf"], 1, "", "error: --noise_amplitude=0.0,inf --lr=nan: expected finite numbers.\n"),
    (["--seed=7"], 130, "", "interrupted\n"),
    (["--seed=8"], 1, "", "error: /dev/null/run/config.json: Not a directory. (--verbosity=1 shows where it happened.)\n"),
    (["--seed=6"], 1, "", "error: No space left on device. (--verbosity=1 shows where it happened.)\n"),
])
def test_an_error_of_the_house_is_one_line_and_status_1(tmp_path, arguments, status, stdout, stderr):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True, check=False,
                          cwd=pathlib.Path(__file__).parents[1], env={"PYTHONPATH": "."})
    assert (done.returncode, done.stdout, done.stderr) == (status, stdout, stderr)


def test_a_reader_who_has_heard_enough_is_no_error(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(f"{sys.executable} {program} --seed=9 | head -1; echo ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash",
                          capture_output=True, text=True, check=False, cwd=pathlib.Path(__file__).parents[1], env={"PYTHONPATH": ".",
                                                                                                                "PATH": os.environ["PATH"]})
    assert (done.stdout, done.stderr) == ("a line\n141\n", "")


@pytest.mark.parametrize("where", ["main", "define"])
def test_a_package_that_is_missing_is_one_line_with_its_extra(tmp_path, where):
    program = tmp_path / "program.py"
    body = {"main": "pass", "define": "pass", where: "raise ModuleNotFoundError('No module named rich', name='rich')"}
    program.write_text(f"from kws_tf.flags import run\ndef main(argv):\n    {body['main']}\ndef define(values):\n    {body['define']}\n"
                       "run(main, define)\n", encoding="utf-8")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False,
                          cwd=pathlib.Path(__file__).parents[1], env={"PYTHONPATH": "."})
    assert done.returncode == 1
    assert done.stderr == ("error: the package rich is not installed; this program needs it. "
                           "Install it with: pip install 'kws_tf[train]'\n")


def test_help_lists_flags_by_group(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run([sys.executable, program, "--help"], capture_output=True, text=True, check=False,
                          cwd=pathlib.Path(__file__).parents[1], env={"PYTHONPATH": "."})
    assert done.returncode == 0
    positions = [done.stdout.index(text) for text in ("What the program does.", "\ndata:", "--data_root", "\nfeatures:", "--n_mels",
                                                      "\nmodel:", "--[no]no_ssn", "\ntrain:", "--lr:")]
    assert positions == sorted(positions)


def test_a_curriculum_is_kept_as_its_content(tmp_path):
    stages = [{"from_epoch": 3, "rir_prob": 0.5}]
    path = tmp_path / "stages.json"
    path.write_text(json.dumps(stages, indent=2))
    assert json.loads(config(f"--curriculum={path}").augment.curriculum) == stages
    with pytest.raises(ConfigError, match="--curriculum=.*none.json: cannot be read"):
        config(f"--curriculum={tmp_path}/none.json")
    path.write_text("{")
    with pytest.raises(ConfigError, match="--curriculum=.*stages.json: cannot be read"):
        config(f"--curriculum={path}")
