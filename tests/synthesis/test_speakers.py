"""Grouping of voice variants into speakers, and splits in which no speaker is in two."""

import numpy as np
import pytest

from kws_tf.errors import ConfigError
from kws_tf.synthesis import speakers
from kws_tf.synthesis.voice import Voice


def variant(identifier, gender="male"):
    return Voice(identifier, identifier, (), (), gender, 0)


@pytest.fixture
def data_path(tmp_path):
    """Variant files: anna and berta share three of four settings, carl shares none; dora1 and dora2 are takes of one name."""
    files = {
        "anna": "language variant\nname anna\npitch 90 120\nformant 1 100 100 100\nroughness 2\n",
        "berta": "language variant\nname berta\npitch 90 120\nformant 1 100 100 100\nroughness 2 // the same\nbreath 1 2\n",
        "carl": "# a comment\nlanguage variant\nname carl\npitch 60 80\n",
        "dora1": "pitch 100 110\n", "dora2": "pitch 150 160\n",
        "m1": "pitch 75 109\n", "m2": "pitch 88 115\n",
    }
    folder = tmp_path / "voices" / "!v"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return tmp_path


def test_near_copies_and_takes_of_one_name_are_one_speaker(data_path):
    names = ("anna", "m1", "berta", "carl", "dora1", "dora2", "m2")
    groups = speakers.group_by_speaker([variant(name) for name in names], data_path)
    assert [[one.identifier for one in group] for group in groups] == [["anna", "berta"], ["m1"], ["carl"], ["dora1", "dora2"], ["m2"]]


def test_similarity_carries_over(data_path):
    """berta resembles both neighbours, which do not resemble each other: still one speaker."""
    folder = data_path / "voices" / "!v"
    (folder / "x").write_text("a 1\na 2\na 3\n")
    (folder / "y").write_text("a 2\na 3\na 4\n")
    (folder / "z").write_text("a 3\na 4\na 5\n")
    groups = speakers.group_by_speaker([variant("x"), variant("z"), variant("y")], data_path)
    assert len(groups) == 1


def test_effects_are_no_speakers():
    names = ("f1", "whisperf", "robosoft3", "anikaRobot", "UniRobot", "Demonic", "announcer", "fast", "RicishayMax2", "robert", "m3")
    assert [one.identifier for one in speakers.natural([variant(name) for name in names])] == ["f1", "robert", "m3"]


def test_a_split_deals_every_speaker_once_and_hears_both_genders():
    group = [(variant(f"v{index}", "female" if index % 3 == 0 else "male"),) for index in range(30)]
    dealt = speakers.split(group, {"training": 0.6, "validation": 0.1, "testing": 0.3}, np.random.default_rng(0))
    assert {name: len(part) for name, part in dealt.items()} == {"training": 18, "validation": 3, "testing": 9}
    names = [speaker[0].identifier for part in dealt.values() for speaker in part]
    assert sorted(names) == sorted(speaker[0].identifier for speaker in group)
    assert all({speaker[0].gender for speaker in part} == {"female", "male"} for part in dealt.values())
    again = speakers.split(group, {"training": 0.6, "validation": 0.1, "testing": 0.3}, np.random.default_rng(0))
    other = speakers.split(group, {"training": 0.6, "validation": 0.1, "testing": 0.3}, np.random.default_rng(1))
    assert again == dealt != other


@pytest.mark.parametrize("genders", [("male",), ("female", "male")])
@pytest.mark.parametrize("n", range(3, 12))
def test_of_few_speakers_every_split_gets_one(n, genders):
    group = [(variant(f"v{index}", genders[index % len(genders)]),) for index in range(n)]
    dealt = speakers.split(group, {"training": 0.7, "validation": 0.15, "testing": 0.15}, np.random.default_rng(1))
    names = [speaker[0].identifier for part in dealt.values() for speaker in part]
    assert sorted(names) == sorted(speaker[0].identifier for speaker in group) and all(dealt.values())
    assert len(dealt["training"]) >= max(len(dealt["validation"]), len(dealt["testing"]))


@pytest.mark.parametrize(("shares", "words"), [
    ({"training": 0.5, "testing": 0.4}, "add up to 1"),
    ({"training": 1.2, "testing": -0.2}, "positive"),
    ({"training": 0.8, "validation": 0.1, "testing": 0.1}, "2 speakers, too few for .*an engine with more speakers before"),
])
def test_impossible_splits_are_refused(shares, words):
    with pytest.raises(ConfigError, match=words):
        speakers.split([(variant("m1"),), (variant("m2"),)], shares, np.random.default_rng(0))


def test_the_installed_variants_give_many_speakers():
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")
    from kws_tf.synthesis.espeak import Espeak

    espeak = Espeak()
    groups = speakers.group_by_speaker(speakers.natural(espeak.variants), espeak.data_path)
    names = [{one.identifier for one in group} for group in groups]
    assert len(groups) > 50
    assert {"steph", "steph2", "steph3"} in names and {"m1"} in names and {"f2"} in names
    assert sum(group[0].gender == "female" for group in groups) > 10
