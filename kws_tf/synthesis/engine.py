"""What the machinery asks of a text-to-speech engine, and the choice of one."""

import typing

from kws_tf.errors import ConfigError


class Take(typing.NamedTuple):
    """One voice of a speaker: its name for the engine, and "female", "male" or "unspecified"."""

    identifier: str
    gender: str = "unspecified"


class Engine(typing.Protocol):
    """An engine is a small frozen object that travels to other processes; what it loads, it loads once in each of them.

    A voice is a dictionary of JSON values that says everything about how an utterance is spoken; it is kept in the manifest.
    """

    def identity(self):
        """Dictionary of JSON values: name, version, licence and settings of the engine."""

    def speakers(self):
        """Tuple of speakers, each a tuple of one or more takes (objects with identifier and gender)."""

    def draw(self, take, rng):
        """A random voice for a take.

        Args:
            take: one take of a speaker. rng: numpy Generator.
        """

    def faster(self, voice):
        """The voice, speaking a tenth faster, or None if it cannot."""

    def speak(self, text, voice, seed):
        """(float [samples] with full scale 1, sample rate in Hz) of a text.

        Args:
            text: what to say. voice: from `draw`. seed: of what is random in the speech.
        """


NAMES = ("espeak", "piper", "command")


def choose(name, *, language, voices=(), command=""):
    """The engine for --engine.

    Args:
        name: one of NAMES.
        language: code, "en" for all accents of English that the engine has.
        voices: values of --voice: files of Piper voices, names for a command; accents of espeak-ng, all if empty.
        command: value of --command.

    Returns:
        Engine.

    Raises:
        KwsError: the engine is not installed, or cannot work with these settings.
    """
    if name == "espeak":
        from kws_tf.synthesis.espeak_engine import EspeakEngine

        return EspeakEngine(language, tuple(voices))
    if name == "piper":
        from kws_tf.synthesis.piper_engine import PiperEngine

        return PiperEngine(tuple(voices))
    if name == "command":
        from kws_tf.synthesis.command_engine import CommandEngine

        return CommandEngine(command, tuple(voices))
    raise ConfigError(f"--engine={name}: expected one of {', '.join(NAMES)}.")
