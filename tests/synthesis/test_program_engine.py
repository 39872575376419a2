"""What Flite, Festival and Pico have in common, with programs of the tests' own."""

import json
import pickle

import numpy as np
import pytest

from kws_tf.errors import AudioError, ConfigError, KwsError
from kws_tf.synthesis import engine as engine_module
from kws_tf.synthesis.program_engine import letters_of_english

ENGINES = ("flite", "festival", "pico")


@pytest.mark.parametrize("name", ENGINES)
def test_speed_and_pitch_are_drawn_and_speed_rises(stand_ins, name):
    speaker = engine_module.choose(name, language="en")
    take = speaker.speakers()[0][0]
    voices = [speaker.draw(take, np.random.default_rng(seed)) for seed in range(99)]
    speeds = [voice["speed"] for voice in voices]
    assert {voice["voice"] for voice in voices} == {take.identifier} and 0.8 <= min(speeds) < 0.85 and 1.2 < max(speeds) <= 1.25
    pitches = [voice["pitch"] for voice in voices]
    assert 0.8 <= min(pitches) < 0.85 and 1.2 < max(pitches) <= 1.25
    assert speaker.faster({**voices[0], "speed": 1.0}) == {**voices[0], "speed": 1.1}
    assert speaker.faster({**voices[0], "speed": 2.5}) is None
    samples, rate = pickle.loads(pickle.dumps(speaker)).speak("hello", voices[0], 1)
    assert rate == 16000 and np.abs(samples).max() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("name", ENGINES)
def test_identity_tells_version_licence_and_voices(stand_ins, name):
    identity = json.loads(json.dumps(engine_module.choose(name, language="en").identity()))
    assert identity["engine"] == name and identity["licence"] and len(identity["voices"]) > 1
    assert {"flite": "flite-9.1-test", "festival": "9.5.0:release", "pico": "sha256:"}[name] in identity["version"]
    one = identity["voices"][:1]
    assert engine_module.choose(name, language="en", voices=one).identity()["voices"] == one


@pytest.mark.parametrize(("name", "language", "spoken"), [
    ("flite", "de", "American English"), ("flite", "en-gb", "American English"), ("festival", "fr", "American English"),
    ("pico", "tr", "German, Spanish")])
def test_other_languages_and_voices_are_refused(stand_ins, name, language, spoken):
    with pytest.raises(ConfigError, match=f"--language={language}: {name} speaks .*{spoken}.* only. Leave --engine={name} out"):
        engine_module.choose(name, language=language)
    with pytest.raises(ConfigError, match=f"--voice=martian: {name} has no such voice for --language=en; it has .*, "):
        engine_module.choose(name, language="en", voices=["martian"])


@pytest.mark.parametrize(("name", "package"), [("flite", "flite"), ("festival", "festival festvox-kallpc16k"),
                                               ("pico", "libttspico-utils")])
def test_a_missing_program_is_one_clear_error(programs, name, package):
    with pytest.raises(KwsError, match=f"--engine={name} needs the program .* which is not installed.*apt install {package}"):
        engine_module.choose(name, language="en")


def test_silence_is_no_speech(stand_ins):
    stand_ins.write("pico2wave", "tone(said[1].partition('=')[2], volume=0)")
    speaker = engine_module.choose("pico", language="de")
    with pytest.raises(AudioError, match="pico: '…' by de-DE is silence"):
        speaker.speak("…", speaker.draw(speaker.speakers()[0][0], np.random.default_rng(1)), 1)


def test_letters_that_english_programs_do_not_know():
    assert letters_of_english("Café, don’t", "flite") == "Cafe, don't"
    with pytest.raises(AudioError, match="flite has nothing to say for the text '你好'"):
        letters_of_english("你好", "flite")


def test_what_is_installed_and_knows_the_language_is_found(stand_ins):
    assert engine_module.find_installed("en") == (["espeak", "flite", "festival", "pico"], {})
    assert engine_module.find_installed("de") == (["espeak", "pico"], {})
    assert engine_module.find_installed("tr") == (["espeak"], {})
    (stand_ins.folder / "pico2wave").unlink()
    (stand_ins.folder / "festival").unlink()
    present, missing = engine_module.find_installed("en")
    assert present == ["espeak", "flite"] and missing.keys() == {"festival", "pico"} and missing["festival"].startswith("festival festvox-")
