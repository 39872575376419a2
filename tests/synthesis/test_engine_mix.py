"""Several engines in one set: who speaks how often and where."""

import collections
import dataclasses
import json

import numpy as np
import pytest
import soundfile

from kws_tf.config import SPLITS
from kws_tf.errors import ConfigError
from kws_tf.synthesis import clip_plan, clip_set
from kws_tf.synthesis import engine as engine_module
from kws_tf.synthesis.engine_mix import EngineMix, training_casts
from kws_tf.synthesis.flite_engine import FliteEngine
from kws_tf.synthesis.render import render
from kws_tf.synthesis.settings import SynthesisConfig
from tests.synthesis import manifest_clips

pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")

WORDS = tuple("yet chess low note snow stock left right house water music paper seven dog".split())
SMALL = SynthesisConfig(phrases=("yes", "hey you"), positives=(10, 2, 2), unknowns=(40, 6, 6), silences=(3, 1, 1), other_words=WORDS,
                        clip_seconds=1.0, noise_files=1, babble_voices=2)


@pytest.fixture
def mix(tone_engine):
    """A choir of 12, and two soloists of other engines, each with its own top speed."""
    return EngineMix((("choir", tone_engine), ("solo", dataclasses.replace(tone_engine, n_speakers=1, fastest=1.0)),
                      ("duet", dataclasses.replace(tone_engine, n_speakers=2))))


def test_engines_speak_equally_often_and_the_few_in_training_alone(mix):
    planned = clip_plan.plan(dataclasses.replace(SMALL, positives=(30, 5, 5), unknowns=(200, 20, 20)), mix)
    counts, kinds = collections.Counter(), collections.defaultdict(collections.Counter)
    for clip in planned.clips:
        if clip.pieces:
            split, engine = clip.file.split("/")[0], clip.voice["engine"]
            counts[split, clip.label, engine] += 1
            kinds[split, clip.kind][engine] += 1
            assert clip.speaker.startswith(f"{engine}:tone")
    for split in ("validation", "testing"):
        assert {engine for place, _, engine in counts if place == split} == {"choir"}
    for label in ("yes", "hey_you"):
        assert [counts["training", label, engine] for engine in ("choir", "solo", "duet")] == [10, 10, 10]
    trained = [own for (split, _), own in kinds.items() if split == "training"]
    assert len(trained) == 7 and all(len(own) == 3 and max(own.values()) - min(own.values()) <= 1 for own in trained)
    heard = {split: {clip.speaker for clip in planned.clips if clip.pieces and clip.file.startswith(split)} for split in SPLITS}
    assert sum(map(len, heard.values())) == len(set().union(*heard.values())) == 15
    assert {split: len(speakers) for split, speakers in planned.speakers.items()} == {name: len(one) for name, one in heard.items()}
    assert {"solo:tone0", "duet:tone0", "duet:tone1"} <= heard["training"]


def test_an_engine_alone_plans_what_it_always_did(tone_engine):
    assert training_casts(tone_engine) == ()
    clips = clip_plan.plan(SMALL, tone_engine).clips
    assert not any("engine" in clip.voice or ":" in clip.speaker for clip in clips)


def test_a_voice_goes_to_its_engine(mix, tone_engine):
    take = mix.training_casts()[1][1][0]
    voice = mix.draw(take, np.random.default_rng(1))
    assert voice == {"engine": "duet", **tone_engine.draw(tone_engine.speakers()[1][0], np.random.default_rng(1))}
    assert take.gender == "male" and mix.faster({"engine": "solo", "hz": 300, "speed": 1.0}) is None
    assert mix.faster({"engine": "duet", "hz": 300, "speed": 1.0}) == {"engine": "duet", "hz": 300, "speed": 1.1}
    np.testing.assert_array_equal(mix.speak("a b", {"engine": "duet", "hz": 300, "speed": 1.0}, 1)[0],
                                  tone_engine.speak("a b", {"hz": 300, "speed": 1.0}, 1)[0])


def test_the_set_tells_its_engines_and_is_made_again_from_its_manifest(mix, tmp_path):
    assert clip_set.make(tmp_path / "set", SMALL, mix, n_workers=1, progress=False)
    identity = json.loads((tmp_path / "set" / "synthesis.json").read_text())["engine"]
    assert identity["engine"] == "choir, solo, duet" and [one["n_speakers"] for one in identity["engines"]] == [12, 1, 2]
    clips = [clip for clip in manifest_clips.read(tmp_path / "set") if clip.pieces]
    assert {clip.voice["engine"] for clip in clips} == {"choir", "solo", "duet"} and all(clip.phonemes for clip in clips)
    for clip in clips[::9]:
        np.testing.assert_array_equal(render(clip, SMALL, mix)[0], soundfile.read(tmp_path / "set" / clip.file, dtype="int16")[0])
    assert (tmp_path / "set" / "noise" / "babble_0.flac").exists()
    assert not clip_set.make(tmp_path / "set", SMALL, mix, progress=False)


def test_engines_are_chosen_with_their_voices(stand_ins):
    one = engine_module.choose_all(["flite"], language="en", voices=["slt"])
    assert one == FliteEngine("en", ("slt",))
    several = engine_module.choose_all(["espeak", "flite", "pico"], language="en", voices=["flite:slt", "flite:kal"])
    assert [[take.identifier for (take,) in cast] for cast in several.training_casts()] == [["flite:kal", "flite:slt"],
                                                                                           ["pico:en-US", "pico:en-GB"]]
    assert len(several.speakers()) > 50 and all(take.identifier.startswith("espeak:") for takes in several.speakers() for take in takes)


@pytest.mark.parametrize(("names", "voices", "words"), [
    (["flite", "flite"], [], "several different ones; received flite, flite"), ([], [], "received none"),
    (["espeak", "flite"], ["slt"], "--voice=slt: .* one of espeak, flite, and a colon, such as --voice=flite:NAME"),
    (["espeak", "flite"], ["pico:de-DE"], "--voice=pico:de-DE: "), (["espeak", "flite"], ["flite:none"], "flite has no such voice"),
])
def test_impossible_choices_are_refused(stand_ins, names, voices, words):
    with pytest.raises(ConfigError, match=words):
        engine_module.choose_all(names, language="en", voices=voices)
