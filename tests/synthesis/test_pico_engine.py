import shutil

import numpy as np
import pytest

from kws_tf.synthesis.pico_engine import PicoEngine, without_last_click


@pytest.mark.parametrize(("language", "names"), [
    ("en", ["en-US", "en-GB"]), ("en-gb", ["en-GB"]), ("de", ["de-DE"]), ("it", ["it-IT"]), ("fr-FR", ["fr-FR"]), ("es", ["es-ES"])])
def test_a_language_has_its_voices(stand_ins, language, names):
    assert [take.identifier for (take,) in PicoEngine(language).speakers()] == names


def test_pitch_and_speed_are_tags_and_the_text_has_none(stand_ins):
    PicoEngine("de").speak('grün & <break time="9s"/> blau', {"voice": "de-DE", "speed": 1.1, "pitch": 0.85}, 1)
    said = stand_ins.said()
    assert said[0] == "--lang=de-DE" and said[1].startswith("--wave=")
    assert said[2] == '<pitch level="85"><speed level="110">grün &  break time="9s"/  blau</speed></pitch>'


def test_a_click_after_the_end_is_cut_and_soft_ends_are_kept():
    rng = np.random.default_rng(1)
    word, soft, silence, click = (level * rng.uniform(-1, 1, n) for level, n in ((0.5, 8000), (0.005, 3200), (2e-4, 8000), (0.01, 800)))
    samples = np.concatenate([word, silence[:1000], word, soft, silence, click, silence])
    assert len(without_last_click(samples, 16000)) == pytest.approx(8000 + 1000 + 8000 + 3200, abs=320)
    assert len(without_last_click(word, 16000)) == 8000, "no pause"


@pytest.mark.skipif(not shutil.which("pico2wave"), reason="the program pico2wave is not installed: apt install libttspico-utils")
def test_the_real_pico_speaks():
    speaker = PicoEngine("it")
    voice = {"voice": "it-IT", "speed": 1.0, "pitch": 1.0}
    samples, rate = speaker.speak("alexa?", voice, 1)
    assert 0.4 < len(samples) / rate < 1.2 and 0.05 < np.abs(samples).max() <= 1, "without the pause and the click behind it"
    np.testing.assert_array_equal(speaker.speak("alexa?", voice, 2)[0], samples)
    assert len(speaker.speak("alexa?", {**voice, "speed": 2.0}, 1)[0]) < 0.7 * len(samples)
    assert not np.array_equal(speaker.speak("alexa?", {**voice, "pitch": 1.2}, 1)[0], samples)
