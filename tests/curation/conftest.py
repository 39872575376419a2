"""A small data set with nothing wrong: four words of tones by twelve speakers, and silence."""

import pathlib
import shutil

import numpy as np
import pytest
import soundfile

RATE = 16000
# A word is a melody; a speaker transposes it and has a voice with more or fewer overtones.
MELODIES = {"bed": (1.0, 1.0, 1.5), "cat": (2.0, 1.0, 0.7), "dog": (0.7, 1.4, 2.2), "sun": (2.5, 3.3, 0.6)}
SPEAKERS = {"training": range(8), "validation": range(8, 10), "testing": range(10, 12)}


def word(label, speaker, rng):
    """One second: a melody of three tones with overtones, somewhere in the clip, and faint noise. No two takes are nearly equal."""
    pitch = 300 * 1.06**speaker * rng.uniform(0.97, 1.03)
    tones = []
    for step, n in zip(MELODIES[label], rng.integers(1800, 3600, 3), strict=True):
        time = np.arange(n) / RATE
        overtones = sum(np.sin(2 * np.pi * pitch * step * k * time + rng.uniform(0, 6)) * rng.uniform(0.4, 1) / k for k in range(1, 7))
        breath = rng.normal(size=n) * rng.uniform(0.01, 0.15)
        tones.append((overtones * rng.uniform(0.4, 1) + breath) * np.hanning(n))
    sound = np.concatenate(tones)
    clip = rng.normal(size=RATE) * 0.0008
    start = rng.integers(1200, RATE - len(sound) - 1200)
    clip[start:start + len(sound)] += rng.uniform(0.05, 0.2) * sound
    return clip


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """Folder of the set; not to be changed."""
    root = tmp_path_factory.mktemp("curation") / "set"
    rng = np.random.default_rng(7)
    for split, speakers in SPEAKERS.items():
        takes = 3 if split == "training" else 6
        for label in MELODIES:
            folder = pathlib.Path(root, split, label)
            folder.mkdir(parents=True)
            for speaker in speakers:
                for take in range(takes):
                    soundfile.write(folder / f"s{speaker:02d}_nohash_{take}.wav", word(label, speaker, rng), RATE, subtype="PCM_16")
        folder = pathlib.Path(root, split, "_silence_")
        folder.mkdir()
        for take in range(12):
            soundfile.write(folder / f"noise{take}.wav", rng.normal(size=RATE) * 0.001, RATE, subtype="PCM_16")
    return root


@pytest.fixture
def healthy(original, tmp_path):
    """A copy of the set to spoil."""
    return pathlib.Path(shutil.copytree(original, tmp_path / "set"))
