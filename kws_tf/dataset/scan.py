"""What a folder data set holds: classes, clips and everything that is wrong with its layout."""

import collections
import os
import pathlib
import typing

from kws_tf.screen import printable

AUDIO_SUFFIXES = frozenset(".wav .wave .flac .ogg .oga .opus .mp3 .aiff .aif .aifc .au .snd .caf .w64 .rf64".split())
# Notes and transcripts that people keep beside their clips; they are counted and named in the log, not used.
SIDECAR_SUFFIXES = frozenset(
    ".txt .csv .tsv .json .jsonl .md .xml .yaml .yml .html .pdf .lab .textgrid .srt .png .jpg .ini .db .log".split())


class FoundFile(typing.NamedTuple):
    """An audio file: path relative to the scanned root with "/", size in bytes, time of the last change in ns."""

    path: str
    size: int
    mtime_ns: int


class Scan:
    """Audio files below one folder, found recursively; links are followed, hidden files and folders ignored.

    Args:
        root: folder that the paths are relative to.
        folder: the folder below root to look into; "" for root itself.

    Attributes:
        files: list of FoundFile, sorted by path.
        problems: lines about files that are neither audio nor a known kind of note, names that are no text, and broken links.
        ignored: Counter of the suffixes of notes that were left out.
    """

    def __init__(self, root, folder=""):
        self.files = []
        self.problems = []
        self.ignored = collections.Counter()
        self._walk(os.fspath(root), folder, frozenset())
        self.files.sort()

    def _walk(self, root, folder, ancestors):
        try:
            status = os.stat(os.path.join(root, folder))
            entries = sorted(os.scandir(os.path.join(root, folder)), key=lambda entry: entry.name)
        except OSError as error:
            self.problems.append(f"{folder or root}: the folder cannot be read: {error.strerror}.")
            return
        identity = (status.st_dev, status.st_ino)
        if identity in ancestors:
            self.problems.append(f"{folder}: the link leads back to a folder that contains it.")
            return
        for entry in entries:
            if not entry.name.startswith("."):
                path = f"{folder}/{entry.name}" if folder else entry.name
                if _is_folder(entry):
                    self._walk(root, path, ancestors | {identity})
                else:
                    self._add(entry, path)

    def _add(self, entry, path):
        suffix = os.path.splitext(entry.name)[1].lower()
        if suffix in SIDECAR_SUFFIXES:
            self.ignored[suffix] += 1
            return
        if path != printable(path):
            # Reports and manifests are UTF-8; a training would end where it writes them.
            self.problems.append(f"{printable(path)}: the name is not UTF-8 text. Rename it.")
            return
        try:
            status = entry.stat()
        except OSError as error:
            self.problems.append(f"{path}: {'a broken link' if entry.is_symlink() else 'cannot be read'}: {error.strerror}.")
            return
        if not entry.is_file():
            self.problems.append(f"{path}: neither a file nor a folder.")
        elif suffix not in AUDIO_SUFFIXES:
            self.problems.append(f"{path}: {suffix or 'a name without ending'} is no kind of audio that can be read; "
                                 "expected .wav, .flac, .ogg, .opus, .mp3 or the like. Convert or remove it.")
        else:
            self.files.append(FoundFile(path, status.st_size, status.st_mtime_ns))


def _is_folder(entry):
    """Whether an entry of a folder is one; a link that leads to itself is none, and reading it tells why."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def subfolders(folder):
    """Names of the folders in a folder, links included, hidden ones left out, sorted. Empty if the folder does not exist."""
    path = pathlib.Path(folder)
    return sorted(entry.name for entry in path.iterdir() if not entry.name.startswith(".") and entry.is_dir()) if path.is_dir() else []


def loose_clips(root, split):
    """Lines about clips that lie beside the folders of the classes, in <root>/<split>."""
    folder = f"{split}/" if split else ""
    return [f"{folder}{entry.name}: a clip outside the class folders. Move it to {folder}<class>/."
            for entry in sorted(os.scandir(os.path.join(root, split)), key=lambda entry: entry.name)
            if os.path.splitext(entry.name)[1].lower() in AUDIO_SUFFIXES and not entry.name.startswith(".") and not _is_folder(entry)]


class SplitScan:
    """One split of a folder data set, <root>/<split>/<class>/**.

    Args:
        root: folder of the data set.
        split: "training", "validation" or "testing".
        classes: names that the split must have, all and no others. A folder of another name and a class without a folder or
            without a clip are problems.
        may_lack_classes: a class without clips is listed in `missing_classes` instead (for scoring a model on part of its classes).

    Attributes:
        files: list of FoundFile, sorted by path. labels: list of their class numbers.
        problems, ignored: as in Scan. layout: lines about the layout; no flag lets a run go on with these.
    """

    def __init__(self, root, split, classes, may_lack_classes=False):
        self.files = []
        self.labels = []
        self.problems = []
        self.layout = []
        self.missing_classes = []
        self.ignored = collections.Counter()
        found = subfolders(os.path.join(root, split))
        for name in sorted(set(found) - set(classes)):
            self.layout.append(f"{split}/{name}: not one of the classes, which are {', '.join(classes)}.")
        for label, name in enumerate(classes):
            scan = Scan(root, f"{split}/{name}") if name in found else None
            if scan is not None:
                self._take(scan, label)
            if scan is None or not scan.files:
                self.missing_classes.append(name)
                if not may_lack_classes:
                    self.layout.append(f"{split}/{name}: {'no clips in this folder' if scan else 'the folder of this class is missing'}.")
        self.problems += loose_clips(root, split)
        if may_lack_classes and not self.files:
            self.layout.append(f"{split}: no clips of any class.")
        order = sorted(range(len(self.files)), key=self.files.__getitem__)
        self.files = [self.files[i] for i in order]
        self.labels = [self.labels[i] for i in order]

    def _take(self, scan, label):
        self.files += scan.files
        self.labels += [label] * len(scan.files)
        self.problems += scan.problems
        self.ignored += scan.ignored
