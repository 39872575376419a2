"""The whole examination of a folder data set."""

import collections
import dataclasses
import os

from absl import logging

from kws_tf.config import SPLITS
from kws_tf.curation import findings as checks
from kws_tf.curation import labelled_clips
from kws_tf.curation.clip_facts import measure_all
from kws_tf.curation.near_duplicates import near_duplicates
from kws_tf.curation.suspicious_labels import suspicious_labels
from kws_tf.dataset import clip_manifest
from kws_tf.dataset.speaker_name import SpeakerName
from kws_tf.errors import DatasetError


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What is known of a data set.

    Args:
        root: folder. facts: list of ClipFacts. findings: list of Finding, errors first.
        label_accuracy: of the small model behind the check of labels, on clips it had not seen; None if there were too few.
        n_speakers: 0 if the paths do not tell speakers; then leaks by speaker cannot be found.
    """

    root: str
    facts: list
    findings: list
    label_accuracy: float | None
    n_speakers: int

    @property
    def n_errors(self):
        """Findings that are errors."""
        return sum(finding.severity == "error" for finding in self.findings)

    def by_check(self):
        """Check -> its findings, in the order of `findings`."""
        grouped = collections.defaultdict(list)
        for finding in self.findings:
            grouped[finding.check].append(finding)
        return grouped


def diagnose(root, *, speaker_pattern="", silence_label="_silence_", n_workers=1, progress=True):
    """Measures every clip of a folder data set and runs every check.

    Splits are the folders training, validation and testing, as far as they are there; a folder without any of them is taken as one
    split of classes. Speakers come from manifest.jsonl of kws_tf.synthesize, else from the paths (`SpeakerName`).

    Args:
        root: folder.
        speaker_pattern: see SpeakerName.
        silence_label: class whose clips may be silent.
        n_workers: processes. progress: show progress bars.

    Returns:
        Diagnosis.

    Raises:
        DatasetError: the folder is missing or holds no clip of any class.
        ConfigError: speaker_pattern is no regular expression.
    """
    root = os.fspath(root)
    if not os.path.isdir(root):
        raise DatasetError(f"doctor: {root} is not a folder.")
    clips, problems = _clips(root, SpeakerName(speaker_pattern))
    if not clips:
        raise DatasetError(f"doctor: {root} holds no clip; expected {'|'.join(SPLITS)}/<class>/<clip>, or <class>/<clip>.")
    facts = measure_all(root, clips, n_workers=n_workers, progress=progress)
    readable = [fact for fact in facts if not fact.problem]
    spoken = [fact for fact in readable if fact.label != silence_label]
    labels = suspicious_labels(readable)
    found = [checks.Finding("layout", "error", line, (), "Mend or remove it.") for line in problems]
    found += checks.examine(facts, (silence_label,)) + near_duplicates(spoken) + labels.findings
    found.sort(key=lambda finding: finding.severity != "error")
    n_speakers = len({fact.speaker for fact in facts if fact.speaker})
    if not n_speakers:
        logging.info("The paths do not tell speakers: leaks by speaker are not looked for. Name them by --speaker_pattern.")
    return Diagnosis(root, facts, found, labels.accuracy, n_speakers)


def _clips(root, speaker_name):
    """(path, split, label, speaker) of every clip, and lines about what is no clip and about folders that training refuses."""
    known = clip_manifest.speakers(root)
    clips, problems = labelled_clips.find(root, speaker_name)
    problems += labelled_clips.refused_folders(root, clips)
    return [(path, split or "all", label, known.get(path, speaker)) for path, split, label, speaker in clips], problems
