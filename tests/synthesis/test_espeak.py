"""espeak-ng through ctypes: a pure function of its arguments, with clear errors. Skipped without the extra `synth`."""

import concurrent.futures
import ctypes
import hashlib
import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from kws_tf.errors import AudioError, ConfigError, KwsError
from kws_tf.synthesis import espeak as espeak_module
from kws_tf.synthesis.espeak import Espeak

needs_espeak = pytest.mark.skipif(not importlib.util.find_spec("espeakng_loader"),
                                  reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")


@pytest.fixture(scope="module")
def espeak():
    return Espeak()


def pitch_hz(pcm, sample_rate):
    """Fundamental frequency by the highest peak of the autocorrelation between 50 and 500 Hz of the loudest 60 ms."""
    width = round(0.06 * sample_rate)
    signal = pcm.astype(float)
    start = np.argmax(np.convolve(signal**2, np.ones(width), "valid"))
    frame = signal[start:start + width] * np.hanning(width)
    correlation = np.correlate(frame, frame, "full")[width - 1:]
    low, high = sample_rate // 500, sample_rate // 50
    return sample_rate / (low + np.argmax(correlation[low:high]))


@needs_espeak
def test_speaks_int16_at_22050_hz(espeak):
    pcm, sample_rate = espeak.synthesise("hello")
    assert pcm.dtype == np.int16 and pcm.ndim == 1
    assert sample_rate == espeak.sample_rate == 22050
    assert 0.3 < len(pcm) / sample_rate < 1.0
    assert 3000 < np.abs(pcm.astype(int)).max() < 32767


@needs_espeak
@pytest.mark.parametrize("variant", ["", "f2", "m3", "klatt4", "croak", "whisper", "Mr serious"])
def test_equal_arguments_give_equal_samples_whatever_was_said_before(espeak, variant):
    first, _ = espeak.synthesise("hello jarvis", variant=variant, seed=5)
    espeak.synthesise("something else", voice="de", variant="f3", speed_wpm=240, seed=9)
    again, _ = espeak.synthesise("hello jarvis", variant=variant, seed=5)
    np.testing.assert_array_equal(first, again)


@needs_espeak
def test_another_process_gives_the_same_samples(espeak):
    espeak.synthesise("warm up", variant="f4")
    here, _ = espeak.synthesise("hello jarvis", voice="en-gb", variant="whisper", seed=7)
    script = ("import hashlib; from kws_tf.synthesis.espeak import Espeak; "
              "pcm, _ = Espeak().synthesise('hello jarvis', voice='en-gb', variant='whisper', seed=7); "
              "print(hashlib.sha256(pcm.tobytes()).hexdigest())")
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert hashlib.sha256(here.tobytes()).hexdigest() == there


@needs_espeak
def test_threads_take_turns(espeak):
    variants = ["f1", "f2", "f3", "f4", "m1", "m2", "m3", "m4"] * 3
    alone = [espeak.synthesise("seven", variant=variant)[0] for variant in variants]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda variant: Espeak().synthesise("seven", variant=variant)[0], variants))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@needs_espeak
def test_the_seed_changes_the_breath_of_the_voice_and_no_more(espeak):
    first, _ = espeak.synthesise("hello", variant="f2", seed=1)
    second, _ = espeak.synthesise("hello", variant="f2", seed=2)
    assert not np.array_equal(first, second)
    assert len(first) == pytest.approx(len(second), rel=0.02)
    assert pitch_hz(first, 22050) == pytest.approx(pitch_hz(second, 22050), rel=0.05)


@needs_espeak
def test_speed_is_words_per_minute(espeak):
    slow, rate = espeak.synthesise("one two three four five six seven", speed_wpm=120)
    fast, _ = espeak.synthesise("one two three four five six seven", speed_wpm=240)
    assert len(fast) / len(slow) == pytest.approx(0.5, abs=0.08)
    assert 7 / (len(slow) / rate / 60) == pytest.approx(120, rel=0.35)


@needs_espeak
def test_pitch_rises_with_its_setting_and_with_a_womans_voice(espeak):
    monotone = {"pitch_range": 0, "voice": "en-us"}
    low, middle, high = (pitch_hz(*espeak.synthesise("law", pitch=pitch, **monotone)) for pitch in (10, 50, 90))
    assert low < 0.85 * middle < 0.85 * 0.85 * high
    assert pitch_hz(*espeak.synthesise("law", variant="f2", **monotone)) > 1.3 * middle


@needs_espeak
def test_volume_is_proportional(espeak):
    loud, _ = espeak.synthesise("law", variant="klatt3", volume=60)
    quiet, _ = espeak.synthesise("law", variant="klatt3", volume=30)
    assert np.abs(quiet.astype(int)).max() / np.abs(loud.astype(int)).max() == pytest.approx(0.5, abs=0.05)


@needs_espeak
def test_words_end_by_themselves(espeak):
    for variant in espeak.variants[::8]:
        pcm, _ = espeak.synthesise("stop", variant=variant.identifier)
        tail = np.abs(pcm[-100:].astype(int)).max()
        assert tail < 0.1 * np.abs(pcm.astype(int)).max(), variant


@needs_espeak
@pytest.mark.parametrize(("language", "text"), [
    ("en-gb-scotland", "water"), ("de", "Wasser"), ("fr", "bonjour"), ("ar", "ماء"), ("hi", "पानी"), ("ja", "みず"), ("cmn", "水")])
def test_languages_speak_their_own_script(espeak, language, text):
    pcm, sample_rate = espeak.synthesise(text, voice=language)
    assert 0.2 < len(pcm) / sample_rate < 1.2


@needs_espeak
def test_every_variant_speaks(espeak):
    for variant in espeak.variants:
        pcm, _ = espeak.synthesise("yes", variant=variant.identifier)
        assert len(pcm) > 4000, variant


@needs_espeak
def test_phonemes_are_words_of_phonemes(espeak):
    assert espeak.phonemes("hey you") == (("h", "ˈeɪ"), ("j", "uː"))
    assert espeak.phonemes("hey you", ipa=False) == (("h", "'eI"), ("j", "u:"))
    assert espeak.phonemes("stop, go. Judge!") == (("s", "t", "ˈɑː", "p"), ("ɡ", "ˈoʊ"), ("dʒ", "ˈʌ", "dʒ"))
    assert espeak.phonemes("car", voice="en-us") != espeak.phonemes("car", voice="en-gb")
    assert espeak.phonemes("...") == ()


@needs_espeak
def test_phoneme_marks_of_another_language_are_left_out(espeak):
    assert not any("(" in phoneme for word in espeak.phonemes("日本", voice="ja") for phoneme in word)


@needs_espeak
def test_phoneme_names_in_brackets_are_spoken(espeak):
    spelled, _ = espeak.synthesise("[[h@l'oU]]")
    word, _ = espeak.synthesise("hello")
    assert len(spelled) == pytest.approx(len(word), rel=0.1)


@needs_espeak
@pytest.mark.parametrize(("arguments", "error", "words"), [
    ({"text": ""}, ConfigError, "must hold a word"),
    ({"text": " \n"}, ConfigError, "must hold a word"),
    ({"text": "a\0b"}, ConfigError, "zero character"),
    ({"text": "..."}, AudioError, "nothing to say"),
    ({"text": "yes", "voice": "en-uss"}, ConfigError, "did you mean 'en-us'"),
    ({"text": "yes", "variant": "klat"}, ConfigError, "no variant 'klat'; did you mean 'klatt'"),
    ({"text": "yes", "speed_wpm": 79}, ConfigError, "speed_wpm must be a whole number from 80 to 450; received 79"),
    ({"text": "yes", "pitch": 100}, ConfigError, "pitch must be"),
    ({"text": "yes", "pitch_range": 50.5}, ConfigError, "received 50.5"),
    ({"text": "yes", "volume": 0}, ConfigError, "volume must be"),
    ({"text": "yes", "seed": -1}, ConfigError, "seed must be"),
])
def test_bad_arguments_are_refused_by_name(espeak, arguments, error, words):
    with pytest.raises(error, match=words.replace("(", r"\(")):
        espeak.synthesise(**arguments)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(KwsError, match=r"pip install 'kws_tf\[synth\]'"):
        Espeak()


@needs_espeak
def test_missing_data_are_an_error_and_do_not_end_the_process(monkeypatch, tmp_path):
    library_path, _ = espeak_module._locate()
    monkeypatch.setattr(espeak_module, "_locate", lambda: (library_path, tmp_path))
    with pytest.raises(KwsError, match="cannot initialise"):
        Espeak()


def test_a_broken_library_is_an_error(monkeypatch, tmp_path):
    broken = tmp_path / "libespeak-ng.so"
    broken.write_bytes(b"not a library")
    monkeypatch.setattr(espeak_module, "_locate", lambda: (broken, tmp_path))
    with pytest.raises(KwsError, match="cannot be loaded"):
        Espeak()


@needs_espeak
def test_a_library_that_others_keep_loaded_is_reported_once(espeak, monkeypatch):
    messages = []
    monkeypatch.setattr(Espeak, "_warned_of_resident_library", False)
    monkeypatch.setattr(espeak_module.logging, "warning", lambda message, *arguments: messages.append(message % arguments))
    espeak.synthesise("yes")
    assert not messages
    path, _ = espeak_module._locate()
    keeper = ctypes.CDLL(str(path))
    try:
        espeak.synthesise("yes")
        espeak.synthesise("yes")
    finally:
        assert espeak_module._unload(keeper, path)
    assert len(messages) == 1 and "keeps" in messages[0]
