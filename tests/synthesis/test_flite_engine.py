import shutil

import numpy as np
import pytest

from kws_tf.synthesis.flite_engine import FliteEngine


def test_voices_of_people_that_can_say_anything(stand_ins):
    assert [take.identifier for (take,) in FliteEngine().speakers()] == ["kal16", "rms", "slt"]
    assert [take.gender for (take,) in FliteEngine().speakers()] == ["male", "male", "female"]
    assert [take.identifier for (take,) in FliteEngine("en-us", ("kal",)).speakers()] == ["kal"]


def test_the_text_is_one_argument_and_pitch_and_speed_are_features(stand_ins):
    samples, _ = FliteEngine().speak("-lv café; $HOME", {"voice": "slt", "speed": 1.25, "pitch": 1.1}, 1)
    said = stand_ins.said()
    assert said[:-1] == ["-voice", "slt", "--setf", "duration_stretch=0.800", "--setf", "int_f0_target_mean=191.4", "-t", "-lv cafe; $HOME",
                         "-o"]
    assert len(samples) == pytest.approx(0.4 * 16000, abs=2)
    assert "pitch" not in FliteEngine().draw(FliteEngine().speakers()[1][0], np.random.default_rng(1)), "rms has its own"
    FliteEngine().speak("x", {"voice": "rms", "speed": 1.0}, 1)
    assert stand_ins.said()[:5] == ["-voice", "rms", "--setf", "duration_stretch=1.000", "-t"]


@pytest.mark.skipif(not shutil.which("flite"), reason="the program flite is not installed: apt install flite")
def test_the_real_flite_speaks():
    speaker = FliteEngine()
    assert {"awb", "rms", "slt"} <= {take.identifier for (take,) in speaker.speakers()} and "flite" in speaker.identity()["version"]
    voice = {"voice": "slt", "speed": 1.0, "pitch": 1.0}
    samples, rate = speaker.speak("computer", voice, 1)
    assert 0.5 < len(samples) / rate < 2 and 0.05 < np.abs(samples).max() <= 1
    np.testing.assert_array_equal(speaker.speak("computer", voice, 2)[0], samples)
    assert len(speaker.speak("computer", {**voice, "speed": 2.0}, 1)[0]) < 0.7 * len(samples)
    assert not np.array_equal(speaker.speak("computer", {**voice, "pitch": 1.2}, 1)[0], samples)
