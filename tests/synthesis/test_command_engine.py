import shlex
import sys

import numpy as np
import pytest

from kws_tf.errors import AudioError, ConfigError
from kws_tf.synthesis import engine as engine_module

PROGRAM = """
import sys, numpy, soundfile
text, output, voice, speed = sys.argv[1:]
if text == "fail":
    sys.exit("no such sound")
if text != "nothing":
    time = numpy.arange(int(8000 / float(speed))) / 16000
    soundfile.write(output, numpy.stack([0.25 * numpy.sin(2 * numpy.pi * float(voice) * time)] * 2, 1), 16000)
"""


@pytest.fixture
def speaker(tmp_path):
    program = tmp_path / "a program.py"
    program.write_text(PROGRAM)
    return engine_module.choose("command", language="en", voices=["300", "440"],
                                command=f"{sys.executable} {shlex.quote(str(program))} {{text}} {{output}} {{voice}} {{speed}}")


def test_the_program_speaks_with_every_voice(speaker):
    assert [[take.identifier for take in one] for one in speaker.speakers()] == [["300"], ["440"]]
    voice = speaker.draw(speaker.speakers()[1][0], np.random.default_rng(1))
    assert voice["voice"] == "440" and 0.8 <= voice["speed"] <= 1.25
    samples, rate = speaker.speak("a text; with 'quotes' $HOME", {**voice, "speed": 1.0}, 5)
    assert rate == 16000 and samples.shape == (8000,) and np.abs(samples).max() == pytest.approx(0.25, abs=1e-3)
    assert np.argmax(np.abs(np.fft.rfft(samples))) == 220
    assert len(speaker.speak("x", speaker.faster({**voice, "speed": 1.0}), 5)[0]) == pytest.approx(8000 / 1.1, abs=1)
    assert speaker.faster({**voice, "speed": 2.5}) is None


@pytest.mark.parametrize(("text", "words"), [("fail", "ended with status 1: no such sound"), ("nothing", "wrote no file")])
def test_a_program_that_fails_is_one_clear_error(speaker, text, words):
    with pytest.raises(AudioError, match=words):
        speaker.speak(text, {"voice": "440", "speed": 1.0}, 1)


@pytest.mark.parametrize(("command", "voices", "words"), [
    ("", (), "lacks {output} and {text}"), ("cat {text}", (), "lacks {output}"),
    ("cat {text} {output} {pitch}", (), "unknown field {pitch}"),
    ("cat {text} {output} {speed:d}", (), "not a command line .*'d'"), ("cat {text:{no}} {output}", (), "not a command line"),
    ("cat {text} {output} 'x", (), "not a command line"), ("cat {text} {output", (), "not a command line"),
    ("cat {text} {output} {voice}", (), "belong together"), ("cat {text} {output}", ("a",), "belong together"),
    ("no-such-program {text} {output}", (), "no program 'no-such-program'"),
])
def test_impossible_commands_are_refused(command, voices, words):
    with pytest.raises(ConfigError, match=words):
        engine_module.choose("command", language="en", voices=voices, command=command)
