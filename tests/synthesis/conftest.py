"""An engine that needs no library: a voice is a tone, a word a burst of it."""

import dataclasses

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
