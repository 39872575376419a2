"""Command-line flags: one per field of the configuration, grouped as the dataclasses are, and the frame of every entry point."""

import dataclasses
import functools
import json
import math
import os
import sys
import typing

from absl import app, flags, logging

from kws_tf import missing_package
from kws_tf.config import FEATURE_PRESETS, RunConfig
from kws_tf.errors import ConfigError, KwsError

GROUPS = typing.get_type_hints(RunConfig)
# Settings that leave others without effect.
CHOICES = ("noise_mode", "schedule")
# That window and FFT size must share for the integer front end, see front_end.dft.
LEAST_DIVISOR = 4

HELP = {
    "data": {
        "data_root": "Folder with training/<class>/**, validation/ and, if there is one, testing/.",
        "clip_duration": "Length of the network's input in seconds; clips are padded or cut to it.",
        "index": "Text file with one class name per line that fixes their order; empty for alphabetical order.",
        "train_crop": "Where a longer training clip is cut: random, energy (window with most energy), start, centre, end.",
        "eval_crop": "The same for validation and testing: energy, start, centre, end.",
        "cache_dir": "Folder of the decoded-clip cache; empty for the user's cache folder, $XDG_CACHE_HOME/kws_tf or ~/.cache/kws_tf.",
        "allow_bad_files": "Go on without unreadable clips and say how many, instead of stopping.",
        "audio_backend": "Decoder: auto, tensorflow_io, soundfile.",
    },
    "features": {
        "features": "Preset that the flags below override.",
        "kind": "logmel or mfcc; --n_mfcc alone implies mfcc. micro is the front end of ESPHome devices: take it by --features=micro.",
        "sample_rate": "Hz; clips are resampled to it. Window, hop and FFT of the preset keep their durations.",
        "window_samples": "Analysis window in samples.",
        "hop_samples": "Step between frames in samples.",
        "fft_size": "FFT length in samples, at least the window.",
        "n_mels": "Mel bands, the rows of the network's input.",
        "n_mfcc": "DCT coefficients kept (MFCC).",
        "low_hz": "Lower edge of the mel filterbank in Hz.",
        "high_hz": "Upper edge of the mel filterbank in Hz.",
        "spectrum": "power or magnitude.",
        "log_floor": "Smallest mel value before the logarithm, in units of the spectrum.",
    },
    "augment": {
        "tape_prob": "Share of training clips that are played as a tape at another speed: pitch, formants and tempo move together.",
        "tape_speed": "Low,high of the speed of the tape.",
        "warp_prob": "Share of training clips whose frequency axis is stretched, as by a vocal tract of another length (log-mel only).",
        "frequency_warp": "Low,high of the factor; formants move, tempo stays.",
        "shift_prob": "Share of training clips that are shifted in time.",
        "shift_ms": "Largest shift in milliseconds, both ways; zero fill.",
        "noise_dir": "Folder of background noise recordings; empty for no noise.",
        "noise_fraction": "Share of each noise recording, from its start, that is used; the rest stays unheard, for silence or tests.",
        "noise_prob": "Share of training clips that get background noise.",
        "noise_mode": "amplitude (noise scaled by U(noise_amplitude)) or snr (signal-to-noise ratio U(noise_snr_db)).",
        "noise_amplitude": "Low,high of the noise scale.",
        "noise_snr_db": "Low,high of the signal-to-noise ratio in dB.",
        "white_noise_prob": "Share of training clips that get white noise.",
        "white_noise_dbfs": "Low,high of the level of the white noise in dB relative to full scale.",
        "rir_dir": "Folder of room impulse responses, made by kws_tf.rooms or recorded; empty for none.",
        "rir_prob": "Share of training clips that are put into a room, their noise with them.",
        "gain_prob": "Share of training clips whose level changes.",
        "gain_db": "Low,high of the level change in dB.",
        "mic_prob": "Share of training clips that go through a cheap microphone: band limits, tilt, clipping.",
        "mic_uneven_db": "Its response goes up and down by up to so many dB, at a point in every octave.",
        "curriculum": "JSON file of stages by epoch: sampling of classes, rir_prob, noise_prob, noise_snr_db.",
        "peak_normalize": "Bring every training clip to full scale first, as the published training of SparkNet does.",
        "silence_label": "Class whose training clips always get noise at U(silence_amplitude).",
        "silence_amplitude": "Low,high of the noise scale of the silence class.",
        "spec_prob": "Share of training clips that get SpecAugment.",
        "frequency_masks": "SpecAugment: frequency masks per clip.",
        "frequency_mask_rows": "SpecAugment: largest mask height in rows; -1 for the paper's value for tau (off up to tau 1).",
        "time_masks": "SpecAugment: time masks per clip.",
        "time_mask_frames": "SpecAugment: largest mask length in frames.",
    },
    "model": {
        "model": "Network: a name of kws_tf.models.MODELS.",
        "tau": "Width of BC-ResNet: 0.625, 1, 1.5, 2, 3, 6, 8 in the paper.",
        "ssn_groups": "Sub-bands of SubSpectralNormalization: auto, a number that divides every stage's height, 0 for BatchNorm.",
        "no_ssn": "BatchNorm instead of SubSpectralNormalization: the same as --ssn_groups=0.",
        "padding": "Temporal convolutions: causal (for streaming), symmetric (the paper's) or mixed (see --lookahead_stages).",
        "dropout": "Channel dropout rate of each block of BC-ResNet.",
        "channels": "Width of SparkNet (4, 8, 16, 32 in the paper) or DS-CNN; 0 for the network's own, 16 and 64.",
        "gate": "SparkNet's gates at inference: soft (the paper's) or hard (0 or 1).",
        "gate_penalty": "SparkNet: weight in the loss of the mean probability that a gate is open.",
        "lookahead_stages": "With --padding=mixed: stages, 1 to 4, that are symmetric with the stem; the rest is causal.",
        "arcface": "Cosine scores, trained with an angular margin, instead of a linear classifier; kws_tf.enroll adds classes to it.",
        "arcface_margin": "ArcFace: radians that the loss adds to the angle of the right class.",
        "arcface_scale": "ArcFace: score of a cosine of 1.",
    },
    "train": {
        "batch_size": "Clips per step.",
        "lr": "Peak learning rate.",
        "epochs": "Passes over the training split.",
        "warmup_epochs": "Epochs of linear rise of the learning rate from 0 to lr.",
        "schedule": "After the warm-up: cosine (to 0 at the last step), hold_polynomial (hold, then a parabola), plateau, constant.",
        "plateau_epochs": "Schedule plateau: epochs without a better monitor before the rate falls.",
        "plateau_factor": "Schedule plateau: factor of each fall.",
        "patience": "Stop after so many epochs without a better monitor, warm-up not counted; 0 never stops early.",
        "momentum": "SGD momentum.",
        "weight_decay": "L2 decay added to the gradient of every weight, as PyTorch's SGD does.",
        "label_smoothing": "Share of the target that is spread over all classes.",
        "class_weights": "none, or balanced (inverse class frequency, mean 1 over the clips).",
        "monitor": "Validation metric that picks the best checkpoint: accuracy, balanced_accuracy, loss; for wake words recall_area, the "
                   "area under recall for 0 to 2 false accepts per hour.",
        "seed": "Of every random draw.",
        "layout": "Tensor layout in training: auto, channels_last, batch_innermost (about 1.7 times faster on CPUs).",
        "pre_roll_frames": "Feature frames of earlier audio ahead of a clip, in batches with pre-roll and in the evaluation with it.",
        "pre_roll_probability": "Share of training batches whose clips follow on earlier audio, as in a stream; 0 for none.",
        "initial_weights": "Run folder whose best weights the training starts from, with the same network and features; classes may "
                           "differ. Empty for freshly drawn weights.",
    },
}


class _NumbersParser(flags.ArgumentParser):
    """Comma-separated numbers, such as 0,0.1; with kind int whole numbers."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.syntactic_help = f"comma-separated {'whole ' if kind is int else ''}numbers"

    def parse(self, argument):
        if isinstance(argument, (tuple, list)):
            return tuple(argument)
        try:
            return tuple(self.kind(part) for part in argument.split(","))
        except ValueError:
            example = "20,5" if self.kind is int else "0,0.1"
            raise ValueError(f"expected {self.syntactic_help}, such as {example}; received {argument!r}") from None

    def flag_type(self):
        return self.syntactic_help


class _NumbersSerializer(flags.ArgumentSerializer):
    def serialize(self, value):
        return ",".join(f"{number:g}" for number in value)


def define_numbers(name, default, text, kind=float, **place):
    """Defines a flag of comma-separated numbers; its value is a tuple.

    Args:
        name: of the flag. default: tuple, or None. text: of --help.
        kind: float or int.
        place: flag_values and module_name.
    """
    flags.DEFINE(_NumbersParser(kind), name, default, text, serializer=_NumbersSerializer(), **place)


def define_interpreter(**place):
    """Defines --interpreter and --kernels, which every program that runs an exported file has.

    Args:
        place: flag_values and module_name.
    """
    from kws_tf.runtime.interpreter import AUTO, INTERPRETERS, KERNELS, KERNELS_HELP

    flags.DEFINE_enum("interpreter", None, list(INTERPRETERS), "TFLite interpreter; by default the first one installed.", **place)
    flags.DEFINE_enum("kernels", AUTO, [AUTO, *KERNELS], KERNELS_HELP, **place)


def refuse_arguments(argv, hint="every setting is a flag, see --help."):
    """Refuses arguments that are no flags.

    Args:
        argv: of main. hint: what to do instead.

    Raises:
        ConfigError: there are some.
    """
    if argv[1:]:
        raise ConfigError(f"unexpected argument {argv[1]!r}; {hint}")


def refuse_infinite(flag_values=flags.FLAGS):
    """Refuses numbers that are none: absl reads nan and inf, and nan passes every bound.

    Args:
        flag_values: parsed flags.

    Raises:
        ConfigError: names each such flag.
    """
    wrong = []
    for name in flag_values:
        value = flag_values[name].value
        numbers = value if isinstance(value, (tuple, list)) else (value,)
        if not all(math.isfinite(number) for number in numbers if isinstance(number, float)):
            wrong.append(f"--{name}={','.join(map(str, numbers))}")
    if wrong:
        raise ConfigError(f"{' '.join(wrong)}: expected finite numbers.")


def define_config(flag_values=flags.FLAGS, groups=tuple(GROUPS)):
    """Defines one flag per field of the named parts of RunConfig, with the dataclass defaults.

    Features start from a preset (--features); their own flags have no default and override single fields of it.

    Args:
        flag_values: where to register; the global FLAGS unless a test brings its own.
        groups: names of RunConfig fields: "data", "features", "augment", "model", "train".
    """
    for group in groups:
        if group == "features":
            flags.DEFINE_enum("features", "bc_resnet", sorted(FEATURE_PRESETS), HELP["features"]["features"],
                              flag_values=flag_values, module_name=group)
        if group == "model":
            flags.DEFINE_boolean("no_ssn", False, HELP["model"]["no_ssn"], flag_values=flag_values, module_name=group)
        hints = typing.get_type_hints(GROUPS[group])
        for field in dataclasses.fields(GROUPS[group]):
            default = None if group == "features" else field.default
            place = {"flag_values": flag_values, "module_name": group}
            _define_field(hints[field.name], field.name, default, HELP[group][field.name], **place)


class ChoiceFlag(flags.Flag):
    """A flag of text that other flags depend on.

    Attributes:
        earlier: tuple of the values that it had before it was given once more, such as by a flagfile.
    """

    def __init__(self, name, default, text):
        self.earlier = ()
        super().__init__(flags.ArgumentParser(), flags.ArgumentSerializer(), name, default, text)

    def parse(self, argument):
        if self.present:
            self.earlier += (self.value,)
        super().parse(argument)


def _define_field(kind, name, default, text, **place):
    if name in CHOICES:
        flags.DEFINE_flag(ChoiceFlag(name, default, text), **place)
        return
    scalar = {bool: flags.DEFINE_boolean, int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string}
    if kind in scalar:
        scalar[kind](name, default, text, **place)
    else:
        define_numbers(name, default, text, **place)


def run_config(flag_values=flags.FLAGS, base=None):
    """The configuration that the flags describe.

    Args:
        flag_values: parsed flags, made by define_config.
        base: configuration that flags override where they are given (command line or flagfile); default RunConfig().

    Returns:
        RunConfig.

    Raises:
        ConfigError: a value out of range, or flags that contradict each other.
    """
    base = RunConfig() if base is None else base
    given = {name for name in flag_values if not flag_values[name].using_default_value}
    values = {name: flag_values[name].value for name in given}
    _refuse_contradictions(values)
    if values.get("no_ssn"):
        values["ssn_groups"] = "0"
    if values.get("curriculum"):
        values["curriculum"] = _read_json(values["curriculum"])
    parts = {}
    for group, cls in GROUPS.items():
        own = {field.name: values[field.name] for field in dataclasses.fields(cls) if field.name in values}
        parts[group] = _features(values, own, base.features) if group == "features" else dataclasses.replace(getattr(base, group), **own)
    config = RunConfig(**parts)
    _refuse_unused(flag_values, values, config)
    return config


def _features(values, own, base):
    """The preset, or `base`, with single fields overridden; at another sample rate the preset keeps its durations, a window such as 331
    samples, which the integer front end cannot split, that of the nearest multiple of 16."""
    base = FEATURE_PRESETS[values["features"]] if "features" in values else base
    rate = own.get("sample_rate", base.sample_rate)
    if rate != base.sample_rate and rate > 0:
        scaled = {name: max(1, round(getattr(base, name) * rate / base.sample_rate)) for name in ("window_samples", "hop_samples")}
        window = own.get("window_samples", scaled["window_samples"])
        fft_size = own.get("fft_size", _power_of_two(window))
        if "window_samples" not in own and math.gcd(window, fft_size) < LEAST_DIVISOR:
            scaled["window_samples"] = window = 16 * max(1, round(window / 16))
            fft_size = own.get("fft_size", _power_of_two(window))
        own = {**scaled, "fft_size": fft_size, "high_hz": min(base.high_hz, rate / 2), **own}
    if own.get("n_mfcc") and "kind" not in own:
        own["kind"] = "mfcc"
    if own.get("kind") == "logmel" and "n_mfcc" not in own:
        own["n_mfcc"] = 0
    return dataclasses.replace(base, **own)


def _power_of_two(n):
    """The least power of two, from 2 on, that is not below n."""
    return 1 << max(1, n - 1).bit_length()


def _read_json(path):
    """The content of a JSON file in one line: a run keeps it, not the name of a file that may change."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.dumps(json.load(file))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--curriculum={path}: cannot be read ({getattr(error, 'strerror', None) or error}).") from error


def _refuse_contradictions(values):
    if values.get("no_ssn") and values.get("ssn_groups", "0") != "0":
        raise ConfigError(f"--no_ssn and --ssn_groups={values['ssn_groups']} contradict each other; give one of them.")


def _refuse_unused(flag_values, values, config):
    """Refuses flags that the chosen schedule or kind of noise, given or not, would leave without effect."""
    # Whoever chooses once more, behind a flagfile that has chosen, also overrides what the flagfile says for its own choice.
    def unused(name, choice, value):
        if name not in values:
            return False
        return value not in flag_values[choice].earlier or flag_values[name].present >= flag_values[choice].present

    for name in ("plateau_epochs", "plateau_factor"):
        if config.train.schedule != "plateau" and unused(name, "schedule", "plateau"):
            raise ConfigError(f"--{name} belongs to --schedule=plateau, but the schedule is {config.train.schedule}; remove one.")
    mode = config.augment.noise_mode
    value, other = {"amplitude": ("snr", "noise_snr_db"), "snr": ("amplitude", "noise_amplitude")}[mode]
    if unused(other, "noise_mode", value):
        raise ConfigError(f"--{other} is not used by --noise_mode={mode}; remove it, or choose the other mode.")


def run(main, define=None, extra=""):
    """Runs an entry point: parses flags, refuses numbers that are not finite, calls main(argv), and turns a KwsError into one message on
    stderr and exit status 1; so it does with a package that is not installed, naming the extra of kws_tf that brings it, and with what the
    system refuses, such as a file or room on a disk.

    --help prints the docstring of the program and its flags by group.

    Args:
        main: takes argv without the flags and returns the exit status or None.
        define: called with the global FLAGS before parsing, to define the program's flags; None if they exist already.
        extra: of kws_tf that the program needs; named where several bring what is missing.
    """
    if define is not None and (status := _guarded(define, extra, flags.FLAGS)):
        sys.exit(status)
    flags.FLAGS.set_default("showprefixforinfo", False)
    app.run(functools.partial(_guarded, functools.partial(_checked, main), extra), flags_parser=_parse)


def _checked(main, argv):
    refuse_infinite()
    return main(argv)


def _parse(argv):
    if any(argument in ("--help", "-help", "-h", "-?", "--helpshort") for argument in argv[1:]):
        groups = [name for name in flags.FLAGS.flags_by_module_dict() if not name.startswith("absl")]
        text = [sys.modules["__main__"].__doc__ or "", *(flags.FLAGS.module_help(name) for name in groups)]
        sys.stdout.write("\n".join(text) + "\n\n--flagfile=FILE reads flags from a file, one per line.\n")
        sys.exit(0)
    return app.parse_flags_with_usage(argv)


def _guarded(main, extra, argv):
    try:
        return main(argv)
    except KwsError as error:
        return _failed(str(error))
    except ModuleNotFoundError as error:
        explanation = missing_package.explain(error, extra)
        if explanation is None:
            raise
        return _failed(explanation)
    except BrokenPipeError:
        # Whoever read the output has heard enough; Python would complain once more when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # what a shell says of a program that SIGPIPE ends
    except OSError as error:
        if error.strerror is None:  # not from the system
            raise
        logging.debug("where it happened:", exc_info=True)
        place = "" if error.filename is None else f"{error.filename}: "
        return _failed(f"{place}{error.strerror}. (--verbosity=1 shows where it happened.)")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130


def _failed(message):
    logging.flush()
    sys.stderr.write(f"error: {message}\n")
    return 1
