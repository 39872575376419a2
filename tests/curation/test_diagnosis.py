"""The doctor finds each fault that is planted, and only that."""

import re
import shutil

import numpy as np
import pytest
import soundfile

from kws_tf.config import DataConfig
from kws_tf.curation.diagnosis import diagnose
from kws_tf.dataset import clip_dataset
from kws_tf.errors import DatasetError

RATE = 16000
CLIP = "training/cat/s03_nohash_1.wav"


def checks(root):
    return {(finding.check, finding.severity): finding for finding in diagnose(root, progress=False).findings}


def change(root, function, path=CLIP, rate=RATE):
    samples = soundfile.read(root / path)[0]
    soundfile.write(root / path, function(samples), rate, subtype="PCM_16")


def test_in_a_healthy_set_nothing_is_wrong(original):
    found = diagnose(original, progress=False)
    assert found.findings == [] and found.n_errors == 0
    assert found.n_speakers == 12 and len(found.facts) == 4 * (24 + 12 + 12) + 36
    assert found.label_accuracy > 0.9
    assert {fact.split for fact in found.facts} == {"training", "validation", "testing"}


def copy(root, source, target):
    (root / target).parent.mkdir(exist_ok=True)
    shutil.copy(root / source, root / target)


def move(root, source, target):
    shutil.move(root / source, root / target)


def cut_at_the_start(samples):
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    return np.concatenate([samples[loud[0] + 1200:], np.random.default_rng(1).normal(size=loud[0] + 1200) * 0.0008])


PLANTS = {
    "leak by content": (lambda root: copy(root, CLIP, "testing/cat/s10_nohash_9.wav"), "error",
                        "is in testing and training: .*s03_nohash_1"),
    "leak by speaker": (lambda root: move(root, "training/dog/s02_nohash_0.wav", "validation/dog/s02_nohash_0.wav"), "error",
                        r"speaker s02 is in training \(11 clips\), validation \(1 clip\)"),
    "contradiction": (lambda root: copy(root, "training/bed/s01_nohash_0.wav", "training/sun/s01_nohash_7.wav"), "error",
                      "labels bed and sun"),
    "copy": (lambda root: copy(root, CLIP, "training/cat/s03_nohash_8.wav"), "warning", "the same sound 2 times: .*s03_nohash_1"),
    "clipping": (lambda root: change(root, lambda samples: np.clip(samples * 12, -0.9, 0.9)), "warning",
                 "1 clip with flat tops .*s03_nohash_1"),
    "offset": (lambda root: change(root, lambda samples: samples + 0.05), "warning", r"s03_nohash_1.wav \(\+0\.050\)"),
    "silence": (lambda root: change(root, lambda samples: 0 * samples), "error", "1 clip without any sound.*s03_nohash_1"),
    "very quiet": (lambda root: change(root, lambda samples: samples * 0.004 / np.abs(samples).max()), "warning",
                   "1 clip below -50 dBFS.*s03_nohash_1"),
    "mixed formats": (lambda root: change(root, lambda samples: np.repeat(samples, 2), rate=32000), "warning",
                      "1 of 32000 Hz; not 16000 Hz: training/cat/s03_nohash_1"),
    "too short": (lambda root: change(root, lambda samples: samples[:3000]), "warning", r"s03_nohash_1.wav \(0.19 s\)"),
    "cut off": (lambda root: change(root, cut_at_the_start), "warning", r"s03_nohash_1.wav \(start\)"),
    "class balance": (lambda root: shutil.rmtree(root / "testing/sun"), "error", "testing has no clip of sun"),
    "near-duplicate": (lambda root: (copy(root, CLIP, "testing/cat/s10_nohash_9.wav"), change(
        root, lambda samples: 0.5 * np.roll(samples, 300) + np.random.default_rng(2).normal(size=RATE) * 0.0003,
        "testing/cat/s10_nohash_9.wav")),
        "error", "s03_nohash_1.wav and .*s10_nohash_9.wav are nearly the same .*in two splits"),
    "suspicious label": (lambda root: move(root, "training/sun/s04_nohash_1.wav", "training/bed/s04_nohash_9.wav"), "warning",
                         "training/bed/s04_nohash_9.wav: sounds like sun"),
    "unreadable": (lambda root: (root / CLIP).write_bytes((root / CLIP).read_bytes()[:9000]), "error", "s03_nohash_1.wav: .*truncated"),
    "layout": (lambda root: (root / "training/cat/notes.docx").write_text("x"), "error", "notes.docx: .docx is no kind of audio"),
}


@pytest.mark.parametrize("check", PLANTS)
def test_a_planted_fault_is_found(healthy, check):
    plant, severity, text = PLANTS[check]
    plant(healthy)
    found = [finding for finding in diagnose(healthy, progress=False).findings if finding.check == check]
    assert len(found) == 1 and found[0].severity == severity
    assert re.search(text, found[0].text)
    assert found[0].advice
    assert all((healthy / path).exists() for path in found[0].paths)


def test_faults_are_not_confused(healthy):
    """A quieter clip is not silent, an offset is not clipping."""
    for check in ("offset", "very quiet", "mixed formats", "copy"):
        root = healthy.with_name(check.replace(" ", "_"))
        shutil.copytree(healthy, root)
        PLANTS[check][0](root)
        assert {found[0] for found in checks(root)} == {check}


def test_speakers_of_a_synthesised_set_come_from_its_manifest(healthy):
    (healthy / "manifest.jsonl").write_text('{"file": "training/cat/s03_nohash_1.wav", "speaker": "ann"}\n'
                                            '{"file": "testing/cat/s10_nohash_1.wav", "speaker": "ann"}\n')
    assert "speaker ann is in training (1 clip), testing (1 clip)" in checks(healthy)["leak by speaker", "error"].text
    (healthy / "manifest.jsonl").write_text("{")
    with pytest.raises(DatasetError, match="manifest.jsonl: cannot be read"):
        diagnose(healthy, progress=False)


def test_a_folder_of_classes_without_splits_is_one_split(original):
    found = diagnose(original / "validation", progress=False)
    assert {fact.split for fact in found.facts} == {"all"} and found.findings == []


def test_what_training_refuses_is_an_error(healthy):
    shutil.rmtree(healthy / "validation")
    shutil.rmtree(healthy / "testing")
    found = checks(healthy)["layout", "error"]
    assert found.text == "there is no validation clip" and "kws_tf.split" in found.advice
    for label in ("cat", "dog", "sun", "_silence_"):
        shutil.rmtree(healthy / "training" / label)
    shutil.copytree(healthy / "training", healthy / "validation")
    assert checks(healthy)["layout", "error"].text == "there is no class but bed"


@pytest.mark.parametrize("folder, text", [("training/new", "training/new: no clips in this folder"),
                                          ("testing", "testing: no class folder in it"), ("training/ cat", "' cat': .*without spaces")])
def test_folders_that_training_refuses_are_errors(healthy, tmp_path, folder, text):
    if folder == "testing":
        shutil.rmtree(healthy / folder)
    if folder.endswith(" cat"):
        for split in ("training", "validation", "testing"):
            (healthy / split / "cat").rename(healthy / split / " cat")
    (healthy / folder).mkdir(exist_ok=True)
    found = [finding for finding in diagnose(healthy, progress=False).findings if finding.severity == "error"]
    assert found and all(finding.check == "layout" for finding in found) and re.search(text, found[0].text)
    with pytest.raises(DatasetError, match="layout problem"):
        clip_dataset.load(DataConfig(data_root=str(healthy), cache_dir=str(tmp_path / "cache")), RATE, progress=False)


def test_processes_measure_the_same(original):
    one, two = (diagnose(original / "validation", n_workers=n, progress=False) for n in (1, 2))
    for a, b in zip(one.facts, two.facts, strict=True):
        assert (a.path, a.rms_dbfs, a.sound) == (b.path, b.rms_dbfs, b.sound)


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="is not a folder"):
        diagnose(tmp_path / "none")
    with pytest.raises(DatasetError, match="holds no clip"):
        diagnose(tmp_path)
