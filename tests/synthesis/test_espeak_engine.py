import numpy as np
import pytest

from kws_tf.errors import ConfigError
from kws_tf.synthesis import engine as engine_module

pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")

from kws_tf.synthesis.espeak_engine import EspeakEngine, pronounce  # noqa: E402


def test_a_language_has_all_its_accents():
    rng = np.random.default_rng(1)
    english = EspeakEngine("en")
    take = english.speakers()[0][0]
    voices = [english.draw(take, rng) for _ in range(300)]
    assert {voice["accent"] for voice in voices} == {f"gmw/en{name}" for name in (
        "", "-029", "-GB-scotland", "-GB-x-gbclan", "-GB-x-gbcwmd", "-GB-x-rp", "-US", "-US-nyc")}, "and not the Shavian alphabet"
    british = EspeakEngine("en-gb")
    assert {british.draw(take, rng)["accent"] for _ in range(100)} == {
        "gmw/en", "gmw/en-GB-scotland", "gmw/en-GB-x-gbclan", "gmw/en-GB-x-gbcwmd", "gmw/en-GB-x-rp"}
    assert {EspeakEngine("en", ("en-us",)).draw(take, rng)["accent"] for _ in range(9)} == {"gmw/en-US"}


def test_draws_lie_in_their_ranges_and_reach_the_ends():
    speaker = EspeakEngine("en", speed_wpm=(110, 112), pitch=(40, 41), pitch_range=(7, 7))
    voices = [speaker.draw(speaker.speakers()[3][0], np.random.default_rng(seed)) for seed in range(60)]
    assert {voice["speed_wpm"] for voice in voices} == {110, 111, 112} and {voice["pitch"] for voice in voices} == {40, 41}
    assert {voice["variant"] for voice in voices} == {speaker.speakers()[3][0].identifier} and voices[0]["pitch_range"] == 7


def test_speaks_and_speaks_faster():
    speaker = EspeakEngine("en")
    voice = speaker.draw(speaker.speakers()[0][0], np.random.default_rng(1))
    samples, rate = speaker.speak("hey jarvis", voice, 3)
    assert rate == 22050 and samples.ndim == 1 and 0.05 < np.abs(samples).max() <= 1
    quick = voice
    while speaker.faster(quick):
        quick = speaker.faster(quick)
    assert quick["speed_wpm"] == 450 and len(speaker.speak("hey jarvis", quick, 3)[0]) < 0.7 * len(samples)


def test_unknown_languages_and_accents_are_refused():
    speaker = EspeakEngine("tlh")
    with pytest.raises(ConfigError, match="--language=tlh: espeak-ng has no such language; it has .*, en, "):
        speaker.draw(speaker.speakers()[0][0], np.random.default_rng(1))
    with pytest.raises(ConfigError, match="there is no voice 'martian'"):
        EspeakEngine("en", ("martian",)).draw(speaker.speakers()[0][0], np.random.default_rng(1))


def test_pronounces_in_the_language():
    assert pronounce(["jarvis", "wind"], "en-us") == [("dʒ", "ˈɑːɹ", "v", "ɪ", "s"), ("w", "ˈɪ", "n", "d")]
    assert pronounce(["wind"], "de")[0][0] == "v"


def test_an_engine_is_chosen_by_name():
    assert engine_module.choose("espeak", language="en", voices=["en-us"]) == EspeakEngine("en", ("en-us",))
    with pytest.raises(ConfigError, match="--engine=mbrola: expected one of espeak, flite, festival, pico, piper, command"):
        engine_module.choose("mbrola", language="en")
