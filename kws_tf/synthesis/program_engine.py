"""ProgramEngine: what the engines share that run a free program whose voices were recorded from people."""

import dataclasses
import unicodedata

import numpy as np

from kws_tf.errors import AudioError, ConfigError
from kws_tf.synthesis import speech_program

_FASTEST = 2.5


@dataclasses.dataclass(frozen=True)
class ProgramEngine:
    """Every voice of the program that fits the language is one speaker; speed and pitch are drawn, both as factors of the voice's own.

    An engine names its program in `name`, `program`, `package` (of Debian), `licence` and `spoken` (what it speaks, for messages), and
    defines `knows` (a language), `takes`, `has_pitch`, `version` and `command`.

    Args:
        language: code.
        voices: some of the voices, by name; all that fit if empty.
        speed, pitch: low and high of the factors.

    Raises:
        KwsError: the program is not installed, or has no voice.
        ConfigError: no voice fits the language, or one that is named does not exist.
    """

    language: str = "en"
    voices: tuple[str, ...] = ()
    speed: tuple[float, ...] = (0.8, 1.25)
    pitch: tuple[float, ...] = (0.8, 1.25)

    def __post_init__(self):
        if not self.knows(self.language):
            raise ConfigError(f"--language={self.language}: {self.name} speaks {self.spoken} only. Leave --engine={self.name} out.")
        known = [take.identifier for take in self.takes()]
        for voice in self.voices:
            if voice not in known:
                raise ConfigError(f"--voice={voice}: {self.name} has no such voice for --language={self.language}; it has "
                                  f"{', '.join(known)}.")

    def path(self):
        """Path of the program, or KwsError."""
        return speech_program.find(self.program, self.name, self.package)

    def identity(self):
        return {"engine": self.name, "version": self.version(), "licence": self.licence, **dataclasses.asdict(self),
                "voices": [take.identifier for (take,) in self.speakers()]}

    def speakers(self):
        return tuple((take,) for take in self.takes() if take.identifier in self.voices or not self.voices)

    def draw(self, take, rng):
        speed, pitch = round(rng.uniform(*self.speed), 2), round(rng.uniform(*self.pitch), 2)
        return {"voice": take.identifier, "speed": speed, **({"pitch": pitch} if self.has_pitch(take.identifier) else {})}

    def faster(self, voice):
        return None if voice["speed"] >= _FASTEST else {**voice, "speed": round(1.1 * voice["speed"], 2)}

    def speak(self, text, voice, seed):
        name = f"{self.name}: {text!r} by {voice['voice']}"
        samples, rate = speech_program.speak(lambda output: self.command(text, voice, output), name)
        if not np.any(samples):
            raise AudioError(f"{name} is silence; give words in its language.")
        return samples, rate


def knows_american(language):
    """Whether a language code means English as it is spoken in America, or all of English."""
    return language.lower() in ("en", "en-us")


def letters_of_english(text, engine):
    """A text in ASCII for programs that know no other letters: "café" -> "cafe".

    Raises:
        AudioError: nothing is left to say.
    """
    plain = unicodedata.normalize("NFKD", text.replace("’", "'")).encode("ascii", "ignore").decode()
    if not any(letter.isalnum() for letter in plain):
        raise AudioError(f"{engine} has nothing to say for the text {text!r}; give words of English.")
    return plain
