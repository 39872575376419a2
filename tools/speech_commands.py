"""Lays out an unpacked Speech Commands archive (version 1 or 2) as a folder data set: training|validation|testing/<class>/<clip>.

    python tools/speech_commands.py --archive=speech_commands_v0.02 --test_archive=speech_commands_test_set_v0.02 --output=sc12

Splits are those of the archive's validation_list.txt and testing_list.txt. With 12 labels, as BC-ResNet was trained and scored:
- ten words are classes; clips of all other words, drawn by --seed, are _unknown_, and there are as many clips of _silence_:
  1854/258/257 for training/validation/testing in version 1, 3077/371/408 in version 2;
- _silence_ in training is digital silence, because training adds fresh noise at amplitude U(0, 1) to it in every epoch: name the noise
  with --noise_dir. --training_silence=noise writes cuts of noise instead;
- _silence_ in validation and testing is 1-s cuts of the background noise at amplitude U(0, 1). Of each noise file the first 80 % is left
  to training (--noise_fraction=0.8), the next 10 % is cut for validation, the last 10 % for testing;
- --test_archive, the separate official test set, replaces the testing split made from testing_list.txt. Published figures are on it.
With --labels=35 every word is a class (30 words in version 1), without _unknown_ and _silence_.
"""

import collections
import json
import pathlib
import shlex
import shutil
import typing
import wave

import numpy as np
from absl import flags
from tqdm import tqdm

from kws_tf import atomic_file, audio
from kws_tf.config import SPLITS
from kws_tf.errors import ConfigError, DatasetError
from kws_tf.flags import refuse_arguments, run

FLAGS = flags.FLAGS
KEYWORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
ONLY_IN_VERSION_2 = frozenset(("backward", "follow", "forward", "learn", "visual"))
EXTRA_CLIPS = {1: (1854, 258, 257), 2: (3077, 371, 408)}
NOISE_FOLDER = "_background_noise_"
NOISE_SHARES = {"training": (0.0, 0.8), "validation": (0.8, 0.9), "testing": (0.9, 1.0)}
SAMPLE_RATE = 16000


class Cut(typing.NamedTuple):
    """One second of a noise file from a start sample, scaled by an amplitude."""

    path: pathlib.Path
    start: int
    amplitude: float


class Clip(typing.NamedTuple):
    """One clip to write as <split>/<label>/<name>. source: a path to link or copy, a Cut, or None for digital silence."""

    split: str
    label: str
    name: str
    source: pathlib.Path | Cut | None


class Archive:
    """An unpacked Speech Commands archive.

    Args:
        folder: with one folder per word, validation_list.txt, testing_list.txt and _background_noise_.

    Attributes:
        version: 1 or 2, told by the words that only version 2 has.
        words: dict of split to dict of word to sorted list of paths.
        noises: sorted list of noise files.

    Raises:
        DatasetError: a list is missing, or names files that are not there.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        if not self.folder.is_dir():
            raise DatasetError(f"--archive={folder}: there is no such folder.")
        names = sorted(path.name for path in self.folder.iterdir() if path.is_dir() and path.name[0] not in "._")
        self.version = 2 if ONLY_IN_VERSION_2 & set(names) else 1
        self.noises = sorted((self.folder / NOISE_FOLDER).glob("*.wav"))
        found = {f"{word}/{path.name}": path for word in names for path in sorted((self.folder / word).glob("*.wav"))}
        split_of = {}
        for split in SPLITS[1:]:
            for name in self._list(f"{split}_list.txt", found):
                if split_of.setdefault(name, split) != split:
                    raise DatasetError(f"--archive={folder}: {name} is named in both validation_list.txt and testing_list.txt.")
        self.words = {split: {word: [] for word in names} for split in SPLITS}
        for name, path in found.items():
            self.words[split_of.get(name, "training")][path.parent.name].append(path)

    def _list(self, file_name, found):
        path = self.folder / file_name
        if not path.is_file():
            raise DatasetError(f"--archive={self.folder}: {file_name} is missing. Name the folder that the archive was unpacked into.")
        names = path.read_text(encoding="utf-8").split()
        absent = [name for name in names if name not in found]
        if absent:
            raise DatasetError(f"--archive={self.folder}: {len(absent)} of {len(names)} clips of {file_name} are missing; unpack it again.",
                               absent[:20] + ["…"] * (len(absent) > 20))
        return names


def plan_all_words(archive):
    """Every word as a class: list of Clip."""
    return [Clip(split, word, path.name, path) for split, words in archive.words.items() for word, paths in words.items() for path in paths]


def plan_12_labels(archive, *, seed, test_archive=None, training_silence="zeros", extra_clips=None):
    """Ten words, _unknown_ and _silence_ by the counts of the paper.

    Args:
        archive: an Archive.
        seed: of the choice of unknown clips and of the noise cuts.
        test_archive: folder of the official test set; None to make testing from testing_list.txt.
        training_silence: "zeros" or "noise".
        extra_clips: most unknown clips and number of silence clips for training, validation, testing; None for those of the paper.

    Returns:
        list of Clip.

    Raises:
        DatasetError: the archive lacks a keyword or noise, or the test set lacks a class.
    """
    missing = sorted(set(KEYWORDS) - set(archive.words["training"]))
    if missing:
        raise DatasetError(f"--archive={archive.folder}: the words {', '.join(missing)} are missing; unpack it again.")
    clips = []
    for i, (split, words) in enumerate(archive.words.items()):
        if split == "testing" and test_archive is not None:
            clips += _official_test_set(pathlib.Path(test_archive))
            continue
        n_extra = (extra_clips or EXTRA_CLIPS[archive.version])[i]
        rng = np.random.default_rng((seed, i))
        clips += [Clip(split, word, path.name, path) for word in KEYWORDS for path in words[word]]
        others = [path for word, paths in words.items() if word not in KEYWORDS for path in paths]
        chosen = sorted(rng.permutation(len(others))[:n_extra])
        clips += [Clip(split, "_unknown_", f"{others[k].parent.name}_{others[k].name}", others[k]) for k in chosen]
        cuts = [None] * n_extra if (split, training_silence) == ("training", "zeros") else _noise_cuts(archive, split, n_extra, rng)
        clips += [Clip(split, "_silence_", f"{k:04d}.wav", cut) for k, cut in enumerate(cuts)]
    return clips


def _official_test_set(folder):
    found = {label: sorted((folder / label).glob("*.wav")) for label in (*KEYWORDS, "_unknown_", "_silence_")}
    empty = [label for label, paths in found.items() if not paths]
    if empty:
        raise DatasetError(f"--test_archive={folder}: no clips of {', '.join(empty)}. Name the folder that the official test set was "
                           "unpacked into, with one folder for each of 12 labels.")
    return [Clip("testing", label, path.name, path) for label, paths in found.items() for path in paths]


def _noise_cuts(archive, split, n_cuts, rng):
    """Random cuts of one second from the share of each noise file that belongs to the split."""
    ranges = []
    for path in archive.noises:
        n_samples = len(audio.read_pcm(path, SAMPLE_RATE))
        begin, end = (round(share * n_samples) for share in NOISE_SHARES[split])
        if end - begin >= SAMPLE_RATE:
            ranges.append((path, begin, end - SAMPLE_RATE))
    if not ranges:
        raise DatasetError(f"--archive={archive.folder}: {NOISE_FOLDER} holds no WAV file of which {split} gets at least one second.")
    picks = (ranges[k] for k in rng.integers(len(ranges), size=n_cuts))
    return [Cut(path, int(rng.integers(first, last, endpoint=True)), float(rng.uniform())) for path, first, last in picks]


def check_output(output):
    """Raises DatasetError unless the output folder is new or empty."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise DatasetError(f"--output={output}: it exists and is not an empty folder; nothing is overwritten. Name another or remove it.")


def write(clips, output, *, copy=False, record=None, progress=True):
    """Writes the data set whole or not at all: into a hidden folder beside the output, which is renamed at the end.

    Args:
        clips: list of Clip.
        output: folder, new or empty.
        copy: copy the clips instead of linking to them.
        record: dict of what made the data set, written as speech_commands.json.
        progress: show a progress bar.
    """
    output = pathlib.Path(output)
    check_output(output)
    with atomic_file.new_folder(output) as part:
        for folder in sorted({part / clip.split / clip.label for clip in clips}):
            folder.mkdir(parents=True)
        noises = {path: audio.read_pcm(path, SAMPLE_RATE) for path in {clip.source.path for clip in clips if isinstance(clip.source, Cut)}}
        for clip in tqdm(clips, desc="copying" if copy else "linking", unit="clip", disable=not progress, mininterval=0.5):
            _write_clip(clip, part / clip.split / clip.label / clip.name, copy, noises)
        (part / "speech_commands.json").write_text(json.dumps(record or {}, indent=2) + "\n", encoding="utf-8")


def _write_clip(clip, target, copy, noises):
    if clip.source is None:
        _write_wav(target, np.zeros(SAMPLE_RATE, np.int16))
    elif isinstance(clip.source, Cut):
        pcm = noises[clip.source.path][clip.source.start:clip.source.start + SAMPLE_RATE]
        _write_wav(target, np.rint(pcm * clip.source.amplitude).astype(np.int16))
    elif copy:
        shutil.copyfile(clip.source, target)
    else:
        try:
            target.symlink_to(clip.source.resolve())
        except OSError as error:
            raise DatasetError(f"{target}: cannot make a link ({error.strerror}); use --mode=copy.") from error


def _write_wav(path, pcm):
    """Ten times faster than soundfile for thousands of short files: that one flushes each to disk."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, len(pcm), "NONE", ""))
        file.writeframes(pcm.astype("<i2").tobytes())


def table(clips):
    """Clips per class and split, as text."""
    counts = collections.Counter((clip.label, clip.split) for clip in clips)
    labels = sorted({clip.label for clip in clips})
    rows = [f"{'class':<12}" + "".join(f"{split:>12}" for split in SPLITS)]
    rows += [f"{label:<12}" + "".join(f"{counts[label, split]:>12}" for split in SPLITS) for label in labels]
    rows.append(f"{'all':<12}" + "".join(f"{sum(counts[label, split] for label in labels):>12}" for split in SPLITS))
    return "\n".join(rows)


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "speech_commands"}
    flags.DEFINE_string("archive", None, "Folder of the unpacked archive, with a folder for each word and validation_list.txt.",
                        required=True, **place)
    flags.DEFINE_string("output", None, "Folder to make; it must be new or empty.", required=True, **place)
    flags.DEFINE_enum("labels", "12", ("12", "35"), "12: ten words, _unknown_ and _silence_; 35: every word (30 in version 1).", **place)
    flags.DEFINE_string("test_archive", "", "Folder of the unpacked official test set (12 labels); empty to use testing_list.txt.",
                        **place)
    flags.DEFINE_enum("mode", "link", ("link", "copy"), "Symbolic links to the clips of the archive, or copies.", **place)
    flags.DEFINE_enum("training_silence", "zeros", ("zeros", "noise"), "Training clips of _silence_: digital silence or noise.", **place)
    flags.DEFINE_integer("seed", 1, "Of the choice of unknown clips and noise cuts.", lower_bound=0, **place)
    flags.DEFINE_boolean("dry_run", False, "Only print how many clips of each class there would be.", **place)


def main(argv):
    refuse_arguments(argv)
    output = pathlib.Path(FLAGS.output)
    check_output(output)
    archive = Archive(FLAGS.archive)
    if FLAGS.labels == "35":
        if FLAGS.test_archive:
            raise ConfigError("--test_archive has 12 labels and does not fit --labels=35; leave it out to test on testing_list.txt.")
        clips = plan_all_words(archive)
    else:
        clips = plan_12_labels(archive, seed=FLAGS.seed, test_archive=FLAGS.test_archive or None, training_silence=FLAGS.training_silence)
    print(f"Speech Commands version {archive.version}, {len(archive.words['training'])} words")
    print(table(clips))
    if FLAGS.dry_run:
        print(f"dry run: nothing is written to {output}")
        return
    record = {name: FLAGS[name].value for name in ("archive", "test_archive", "labels", "training_silence", "seed")}
    write(clips, output, copy=FLAGS.mode == "copy", record={"version": archive.version, **record})
    noise_dir, share = shlex.quote(str(archive.folder / NOISE_FOLDER)), NOISE_SHARES["training"][1]
    noise = f" --noise_dir={noise_dir} --noise_fraction={share:g}" if archive.noises else ""
    print(f"train with: --data_root={shlex.quote(str(output))}{noise}")
    if FLAGS.labels == "12" and FLAGS.training_silence == "zeros":
        print("The training clips of _silence_ are digital silence: without --noise_dir a network would know no other.")


if __name__ == "__main__":
    run(main, define)
