"""From a phrase to a calibrated wake word: synthesises, trains, mines, converts, calibrates and reports, each step resumable.

    python -m kws_tf.wakeword --phrase "hey jarvis" --output wake/jarvis
    python -m kws_tf.wakeword --phrase computer --phrase alexa --output wake/two --recordings my_recordings --negatives other_speech

Everything is in --output: data/ and rooms/ (kws_tf.synthesize, kws_tf.rooms), run/ (kws_tf.train), the streaming int8 file with PCM as
input in run/export/pi_stream (kws_tf.convert) with its thresholds (kws_tf.calibrate), and report.html beside it (kws_tf.evaluate). Each
step is one of these programs and its command is printed: it can be run alone. A step that is done with the same command is not done
again; an interrupted training goes on after its last epoch.

--negatives are hours of recordings without the phrase: speech, music, the rooms of the device; folders training/, validation/ and testing/
in it are kept apart, and without them its recordings are dealt. Those of training are cut into pieces that the network learns from, and
mined (what was wrongly taken for the phrase joins the training); those of validation choose the thresholds, those of testing count the
false accepts. Without --negatives thresholds are set on synthetic speech, and the false accepts of real life are unknown.

The phrase is spoken by espeak-ng, and by the voices of Flite, Festival and SVOX Pico where these are installed; --engine fixes the choice.
"""

import os
import pathlib
import shlex
import shutil

from absl import flags, logging

from kws_tf import program, shipped
from kws_tf.chain import Chain
from kws_tf.config import SPLITS
from kws_tf.errors import ConfigError, KwsError
from kws_tf.flags import define_config, refuse_arguments, run, run_config
from kws_tf.synthesis.engine import NAMES, find_installed

FLAGS = flags.FLAGS
STATE_FILE = "wakeword.json"
# 20 ms per inference: half the work of 10 ms, and no later to the ear.
HOP_FRAMES = 2


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "wakeword"}
    flags.DEFINE_multi_string("phrase", [], "What to detect; give it once per phrase.", **place)
    flags.DEFINE_string("output", "", "Folder of everything.", **place)
    flags.DEFINE_string("negatives", "", "Folder of recordings without the phrase, to learn from, mine, and count in.", **place)
    flags.DEFINE_string("recordings", "", "Folder of your own recordings of the phrase, see kws_tf.synthesize.", **place)
    flags.DEFINE_string("noise_dir", "", "Folder of background noise; empty for the synthetic noise of the data set.", **place)
    flags.DEFINE_string("rir_dir", "", "Folder of room impulse responses; empty for simulated rooms.", **place)
    flags.DEFINE_integer("rooms", 200, "Simulated rooms.", lower_bound=1, **place)
    flags.DEFINE_integer("mining_rounds", 1, "Rounds of mining and training again; needs --negatives.", lower_bound=0, **place)
    flags.DEFINE_float("target_fa_per_hour", 0.5, "False accepts per hour that the balanced preset aims at.", lower_bound=1e-6, **place)
    flags.DEFINE_string("recipe", str(shipped.folder("flags") / "wakeword.cfg"), "Flagfile of the training.", **place)
    flags.DEFINE_multi_enum("engine", [], NAMES, "Who speaks, see kws_tf.synthesize; give it once per engine. By default espeak, and of "
                            "flite, festival and pico those that are installed and know the language.", **place)
    flags.DEFINE_string("synthesize_flags", "", 'More flags for kws_tf.synthesize, such as "--positives=4000,500,500 --language=de".',
                        **place)
    flags.DEFINE_string("train_flags", "", 'More flags for kws_tf.train, such as "--tau=2 --epochs=80".', **place)
    flags.DEFINE_string("mined_train_flags", "--epochs=12 --warmup_epochs=1 --lr=0.03", "More flags for the trainings after mining, which "
                        "start from the weights of the one before.", **place)
    flags.DEFINE_boolean("dry_run", False, "Print the commands and run none.", **place)


def dealt(folder, output, dry_run=False):
    """--negatives with a folder for each split: the folder itself, or links to its recordings in `output`/negatives.

    Raises:
        ConfigError: a folder of a split is missing, or gets no recording.
    """
    folder = pathlib.Path(folder)
    missing = [name for name in SPLITS if not (folder / name).is_dir()]
    if not missing:
        return folder
    if len(missing) < len(SPLITS):
        raise ConfigError(f"--negatives={folder}: there is no folder {' and '.join(missing)} in it. Expected folders {', '.join(SPLITS)}, "
                          "or recordings alone, which are dealt.")
    from kws_tf.synthesis import other_speech, settings

    found = other_speech.by_split(folder, settings.SynthesisConfig.speaker_shares)
    empty = [name for name, paths in found.items() if not paths]
    if empty:
        raise ConfigError(f"--negatives={folder}: its recordings are dealt whole, and {' and '.join(empty)} got none. Give more and "
                          f"shorter ones, or folders {', '.join(SPLITS)}.")
    target = output / "negatives"
    for name, paths in found.items() if not dry_run else ():
        shutil.rmtree(target / name, ignore_errors=True)
        for path in paths:
            (target / name / path).parent.mkdir(parents=True, exist_ok=True)
            (target / name / path).symlink_to((folder / path).resolve())
    return target


def words(name):
    """The words of a flag that holds more flags.

    Raises:
        ConfigError: quotes are not closed, or what it holds are no flags.
    """
    text = FLAGS[name].value
    try:
        found = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"--{name}={text!r}: expected flags with spaces between them ({error}).") from error
    for before, word in zip(("", *found), found, strict=False):
        # Only behind a flag without = a word can be its value.
        if not word.startswith("-") and ("=" in before or not before.startswith("-")):
            raise ConfigError(f"--{name}={text!r}: expected flags; {word!r} is none.")
    return found


def training_config(*names):
    """The configuration of a training with --recipe.

    Args:
        names: of the flags that hold further flags for it.

    Raises:
        ConfigError: the recipe cannot be read, a value is out of range, or flags contradict each other.
    """
    values = flags.FlagValues()
    define_config(values)
    try:
        values(["wakeword", f"--flagfile={FLAGS.recipe}", *(word for name in names for word in words(name))], known_only=True)
        return run_config(values)
    except flags.CantOpenFlagFileError as error:
        raise ConfigError(f"--recipe={FLAGS.recipe}: cannot be read: {error}") from error
    except (flags.Error, ConfigError) as error:
        raise _error_of_training(names, error) from error


def _error_of_training(names, text):
    return ConfigError(f"--recipe={FLAGS.recipe}, {', '.join(f'--{name}' for name in names)}: {text}")


def check_flags_of_others():
    """Refuses flags for other programs that these do not know, before hours of work.

    Raises:
        ConfigError: there is one.
    """
    training_config("train_flags")
    training_config("train_flags", "mined_train_flags")
    for name, module in (("synthesize_flags", "kws_tf.synthesize"), ("train_flags", "kws_tf.train"), ("mined_train_flags", "kws_tf.train")):
        if not FLAGS[name].using_default_value:
            try:
                program.check_flags(module, *words(name))
            except ConfigError as error:
                raise ConfigError(f"--{name}={FLAGS[name].value!r}: {error}") from error


def check_trainings(output):
    """Refuses trainings that could not begin, or whose files this program does not make, before hours of work.

    Their networks are built by another process: it takes some seconds, most of them to load Keras.

    Args:
        output: folder of everything.

    Raises:
        ConfigError: there is one.
    """
    from kws_tf import worker_pool
    from kws_tf.front_end import dft
    from kws_tf.synthesis.settings import SILENCE, UNKNOWN, SynthesisConfig
    from kws_tf.training import initial_weights, rehearsal
    from kws_tf.training.run_folder import RunFolder

    classes = sorted((*SynthesisConfig(phrases=tuple(FLAGS.phrase)).labels, SILENCE, UNKNOWN))
    first, mined = ("train_flags",), ("train_flags", "mined_train_flags")
    configs = {names: training_config(*names) for names in (first, mined)}
    for names, config in configs.items():
        if config.features.kind == "micro":
            raise _error_of_training(names, "features of kind 'micro' have no file with PCM as input, which is what this program makes. "
                                            "docs/esphome.md tells how to train and convert with them, on the data of kws_tf.synthesize.")
        own = names == first or config.train.initial_weights != configs[first].train.initial_weights
        try:
            dft.plan(config.features)
            if own:
                initial_weights.require_same_network(config, RunFolder(output / ("run" if names == first else "run_mined1")))
        except KwsError as error:
            raise _error_of_training(names, error) from error
        differ = [] if own else initial_weights.differences(configs[first], config)
        if differ:
            raise _error_of_training(names, "a training after mining goes on from the weights of the first, which has another network or "
                                            f"other features: {'; '.join(differ)}. Give such flags in --train_flags.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with worker_pool.open_pool(1) as pool:
        for names, config in configs.items():
            try:
                pool.submit(rehearsal.rehearse, config, classes).result()
            except KwsError as error:
                raise _error_of_training(names, error) from error


def found_in(folder):
    """What tells whether recordings below a folder have changed: their names, sizes and times of change, as text; "" without a folder."""
    from kws_tf.dataset.scan import Scan

    return repr([tuple(file) for file in Scan(folder).files]) if folder else ""


def engines(synthesize_flags, data):
    """--engine for kws_tf.synthesize, and a line about it.

    Args:
        synthesize_flags: list of further flags of kws_tf.synthesize. With --engine or --voice among them the choice is theirs.
        data: folder of the data set, which may be there already.

    Returns:
        (list of flags, none for espeak-ng alone; text, "" if nothing was looked for).

    Raises:
        ConfigError: --engine is given in both places, or not at all and the data set that is there was spoken by others than are found.
    """
    values = flags.FlagValues()
    flags.DEFINE_string("language", "en", "", flag_values=values)
    flags.DEFINE_multi_string("engine", [], "", flag_values=values)
    flags.DEFINE_multi_string("voice", [], "", flag_values=values)
    try:
        values(["wakeword", *synthesize_flags], known_only=True)
    except flags.Error as error:
        raise ConfigError(f"--synthesize_flags: {error}") from error
    if FLAGS.engine:
        if values.engine:
            raise ConfigError("--engine is given, and in --synthesize_flags again; give it in one place.")
        return _flags(FLAGS.engine), ""
    if values.engine or values.voice:
        return [], ""
    from kws_tf.synthesis.clip_set import spoken_by

    present, missing = find_installed(values.language)
    before = spoken_by(data)
    # Now, and not by the step that would fail: it does not know how to go on.
    if before not in ("", ", ".join(present)):
        same = " ".join(f"--engine={name}" for name in before.split(", "))
        raise ConfigError(f"{data} was spoken by {before}; the engines that are found now are {', '.join(present)}. Go on with {same}, or "
                          "choose another --output.")
    text = f"Engines that speak {values.language}: {', '.join(present)} (--engine fixes the choice)."
    if missing:
        packages = "; ".join(f"{name}: apt install {package}" for name, package in missing.items())
        text += f" Not installed, with voices recorded from people: {packages}."
    return _flags(present), text


def _flags(names):
    # None for espeak-ng alone: so folders that were begun before there were others go on.
    return [] if names == ["espeak"] else [f"--engine={name}" for name in names]


def prepare(chain, output, other_speech):
    """Data and rooms.

    Args:
        chain: Chain. output: folder of everything. other_speech: folder of --negatives, "" for none.

    Returns:
        (flags of training; what it reads besides data and rooms, see Chain.step).
    """
    data = output / "data"
    seconds = training_config("train_flags").data.clip_duration
    own = [text for name, folder in (("recordings", FLAGS.recordings), ("negatives", other_speech)) if folder
           for text in (f"--{name}", folder)]
    phrases = [f"--phrase={phrase}" for phrase in FLAGS.phrase]
    further = words("synthesize_flags")
    chosen, text = engines(further, data)
    if text:
        print(f"\n{text}", flush=True)
    chain.step("synthesise", "kws_tf.synthesize", *phrases, "--output", data, "--clip_duration", seconds, *own, *chosen, *further,
               inputs=(found_in(FLAGS.recordings), found_in(other_speech)), makes=data)
    rooms = FLAGS.rir_dir or output / "rooms"
    if not FLAGS.rir_dir:
        chain.step("rooms", "kws_tf.rooms", "--output", rooms, "--rooms", FLAGS.rooms, makes=rooms)
    recipe = ("--flagfile", FLAGS.recipe, "--data_root", data, "--noise_dir", FLAGS.noise_dir or data / "noise", "--rir_dir", rooms,
              "--noexport", *words("train_flags"))
    return recipe, (pathlib.Path(FLAGS.recipe).read_text(encoding="utf-8"), found_in(FLAGS.noise_dir), found_in(FLAGS.rir_dir))


def train(chain, name, run_dir, recipe, inputs=(), mined_for=()):
    """Training and the streaming file; an interrupted run is continued.

    Args:
        chain: Chain. name: behind that of the steps. run_dir: run folder. recipe: flags. inputs: see Chain.step.
        mined_for: models of before. What was mined for others, by an earlier command, is taken out of the data first.
    """
    def prepare():
        from kws_tf.evaluation import mined_clips

        mined_clips.forget(run_dir.parent / "data" / "training", mined_for)

    chain.step(f"train{name}", "kws_tf.train", *recipe, inputs=inputs, run_dir=run_dir, prepare=prepare)
    model = run_dir / "export" / "pi_stream"
    chain.step(f"convert{name}", "kws_tf.convert", "--run_dir", run_dir, "--profile", "pi", "--streaming", "internal",
               "--hop_frames", HOP_FRAMES, makes=model / "model.tflite")
    return model


def main(argv):
    refuse_arguments(argv)
    if not FLAGS.phrase or not FLAGS.output:
        raise ConfigError('--phrase and --output are needed, such as --phrase "hey jarvis" --output wake/jarvis.')
    for name in ("negatives", "recordings", "noise_dir", "rir_dir"):
        folder = getattr(FLAGS, name)
        if folder and not os.path.isdir(folder):
            raise ConfigError(f"--{name}={folder}: there is no such folder.")
    output = pathlib.Path(FLAGS.output)
    check_flags_of_others()
    check_trainings(output)
    if not FLAGS.dry_run:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--output={output}: this folder cannot be made ({error.strerror}).") from error
    chain = Chain(output / STATE_FILE, FLAGS.dry_run)
    other_speech = dealt(FLAGS.negatives, output, FLAGS.dry_run) if FLAGS.negatives else ""
    recipe, inputs = prepare(chain, output, other_speech)
    run_dir = output / "run"
    models = [train(chain, "", run_dir, recipe, inputs)]
    data = output / "data"
    for number in range(1, FLAGS.mining_rounds + 1 if other_speech else 1):
        chain.step(f"mine {number}", "kws_tf.mine", "--model", models[-1], "--audio", other_speech / "training",
                   "--output", data / "training")
        before, run_dir = run_dir, output / f"run_mined{number}"
        models.append(train(chain, f" {number}", run_dir, (*recipe, "--initial_weights", before, *words("mined_train_flags")),
                            mined_for=tuple(models)))
    model = models[-1]
    ambient = other_speech / "validation" if other_speech else data / "validation" / "_unknown_"
    chain.step("calibrate", "kws_tf.calibrate", "--model", model, "--ambient", ambient, "--positives", data / "validation",
               "--target_fa_per_hour", FLAGS.target_fa_per_hour)
    unheard = other_speech / "testing" if other_speech else data / "testing" / "_unknown_"
    chain.step("evaluate", "kws_tf.evaluate", "--model", model, "--ambient", unheard, makes=model / "report.html")
    if FLAGS.dry_run:
        return
    if not FLAGS.negatives:
        logging.warning("Without --negatives the thresholds were set on synthetic speech. Record an hour of the place where the device "
                        "will be, and run this again with it: only then the false accepts are known. Take another --output, or delete %s "
                        "first: what was made for another command is not mixed with what is new.", data)
    print(f"\nmodel   {model}\nreport  {model}/report.html\nlisten  python -m kws_tf.listen --model {model}")


if __name__ == "__main__":
    run(main, define)
