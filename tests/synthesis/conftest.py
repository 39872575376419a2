"""An engine that needs no library: a voice is a tone, a word a burst of it. And programs of the tests' own on an otherwise empty PATH."""

import dataclasses
import json
import sys

import numpy as np
import pytest

from kws_tf.synthesis.engine import Take

TONE_RATE = 22050


@dataclasses.dataclass(frozen=True)
class ToneEngine:
    """Speaks every word as 120 ms of a tone of its speaker at speed 1, with 20 ms of silence before and after the utterance."""

    n_speakers: int = 12
    fastest: float = 2.0

    def identity(self):
        return {"engine": "tone", **dataclasses.asdict(self)}

    def speakers(self):
        return tuple((Take(f"tone{index}", ("female", "male")[index % 2]),) for index in range(self.n_speakers))

    def draw(self, take, rng):
        return {"hz": 200 + 50 * int(take.identifier[4:]), "speed": round(rng.uniform(0.8, 1.2), 2)}

    def faster(self, voice):
        return None if voice["speed"] >= self.fastest else {**voice, "speed": round(1.1 * voice["speed"], 3)}

    def speak(self, text, voice, seed):
        n_samples = round(0.12 * len(text.split()) * TONE_RATE / voice["speed"])
        tone = 0.5 * np.sin(2 * np.pi * voice["hz"] / TONE_RATE * np.arange(n_samples))
        return np.pad(tone, 441), TONE_RATE


@pytest.fixture(scope="session")
def tone_engine():
    return ToneEngine()


# What the programs of the tests begin with: `tone` writes a recording, `said` are the arguments, which are kept for the test.
_PREAMBLE = """#!{python}
import array, json, math, os, pathlib, sys, wave
said = sys.argv[1:]
(pathlib.Path(__file__).parent / "said.json").write_text(json.dumps(said))
def tone(path, hz=200.0, seconds=0.5, volume=0.25):
    with wave.open(path, "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
        samples = (round(32767 * volume * math.sin(2 * math.pi * hz * n / 16000)) for n in range(int(16000 * seconds)))
        file.writeframes(array.array("h", samples).tobytes())
"""


class Programs:
    """Programs on a PATH that has nothing else."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, body):
        path = self.folder / name
        path.write_text(_PREAMBLE.format(python=sys.executable) + body)
        path.chmod(0o755)

    def said(self):
        """Arguments of the latest call."""
        return json.loads((self.folder / "said.json").read_text())


@pytest.fixture
def programs(tmp_path, monkeypatch):
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return Programs(folder)


# Stand-ins with the interface of the real ones.
FLITE = """
if said == ["--version"]:
    print("  version: flite-9.1-test Sep 2018 (http://cmuflite.org)")
    sys.exit(1)
if said == ["-lv"]:
    print("Voices available: kal awb_time kal16 rms slt ")
else:
    given = dict(pair.split("=") for flag, pair in zip(said, said[1:]) if flag == "--setf")
    tone(said[said.index("-o") + 1], float(given.get("int_f0_target_mean", 100)), 0.5 * float(given["duration_stretch"]))
"""
FESTIVAL = """
if said == ["--version"]:
    print("festival: Festival Speech Synthesis System: 9.5.0:release December 2017")
elif "voice.list" in said[-1]:
    print("voice us_hts english female\\nvoice el_diphone spanish male\\nvoice us_clunits english male\\nvoice kal_diphone english male")
else:
    script = pathlib.Path(said[-1]).read_text()
    (pathlib.Path(__file__).parent / "script.scm").write_text(script)
    tone(script.splitlines()[-1].split('"')[-2])
"""
PICO = """
tone(said[1].partition("=")[2])
"""


@pytest.fixture
def stand_ins(programs):
    """Programs like Flite, Festival and Pico."""
    for name, body in (("flite", FLITE), ("festival", FESTIVAL), ("pico2wave", PICO)):
        programs.write(name, body)
    return programs
