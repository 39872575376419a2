import shutil

import numpy as np
import pytest

from kws_tf.errors import KwsError
from kws_tf.synthesis import engine as engine_module
from kws_tf.synthesis.festival_engine import FestivalEngine


def test_english_voices_whose_speed_can_be_set(stand_ins):
    assert [tuple(take) for (take,) in FestivalEngine().speakers()] == [("kal_diphone", "male"), ("us_hts", "female")]


def test_the_text_is_quoted_in_a_script(stand_ins):
    speaker = FestivalEngine()
    speaker.speak('a "b" \\ café', {"voice": "kal_diphone", "speed": 1.25, "pitch": 0.9}, 1)
    script = (stand_ins.folder / "script.scm").read_text()
    assert script.startswith("(voice_kal_diphone)\n") and '(SynthText "a  b    cafe")' in script
    assert "(/ (Parameter.get 'Duration_Stretch) 1.25)" in script and "'target_f0_mean (* 0.9 (cadr" in script
    assert "pitch" not in speaker.draw(speaker.speakers()[1][0], np.random.default_rng(1))
    speaker.speak("x", {"voice": "us_hts", "speed": 1.25}, 1)
    assert """(append hts_engine_params '(("-r" 1.25)))""" in (stand_ins.folder / "script.scm").read_text()


def test_festival_without_voices_names_their_packages(stand_ins):
    stand_ins.write("festival", "print('voice el_diphone spanish male')")
    with pytest.raises(KwsError, match="without an English voice.*apt install festvox-kallpc16k"):
        FestivalEngine()
    assert "festival" in engine_module.find_installed("en")[1]


@pytest.mark.skipif(not shutil.which("festival"), reason="the program festival is not installed: apt install festival festvox-kallpc16k")
def test_the_real_festival_speaks():
    try:
        speaker = FestivalEngine()
    except KwsError as error:
        pytest.skip(str(error))
    assert "2." in speaker.identity()["version"]
    for (take,) in speaker.speakers()[:2]:
        voice = {"voice": take.identifier, "speed": 1.0, **({"pitch": 1.0} if speaker.has_pitch(take.identifier) else {})}
        samples, rate = speaker.speak("computer", voice, 1)
        assert 0.5 < len(samples) / rate < 3 and 0.05 < np.abs(samples).max() <= 1
        assert len(speaker.speak("computer", {**voice, "speed": 2.0}, 1)[0]) < 0.7 * len(samples)
        if "pitch" in voice:
            assert not np.array_equal(speaker.speak("computer", {**voice, "pitch": 1.2}, 1)[0], samples)
