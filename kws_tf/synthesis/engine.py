"""What the machinery asks of a text-to-speech engine, and the choice of one or several."""

import typing

from kws_tf.errors import ConfigError, KwsError


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


NAMES = ("espeak", "flite", "festival", "pico", "piper", "command")


def choose(name, *, language, voices=(), command=""):
    """The engine for --engine.

    Args:
        name: one of NAMES.
        language: code, "en" for all accents of English that the engine has.
        voices: values of --voice: files of Piper voices, names for a command, voices of Flite, Festival and Pico, all if empty; accents of
            espeak-ng, all if empty.
        command: value of --command.

    Returns:
        Engine.

    Raises:
        KwsError: the engine is not installed, or cannot work with these settings.
    """
    if name == "espeak":
        from kws_tf.synthesis.espeak_engine import EspeakEngine

        return EspeakEngine(language, tuple(voices))
    if name in _recorded():
        return _recorded()[name](language, tuple(voices))
    if name == "piper":
        from kws_tf.synthesis.piper_engine import PiperEngine

        return PiperEngine(tuple(voices))
    if name == "command":
        from kws_tf.synthesis.command_engine import CommandEngine

        return CommandEngine(command, tuple(voices))
    raise ConfigError(f"--engine={name}: expected one of {', '.join(NAMES)}.")


def choose_all(names, *, language, voices=(), command=""):
    """The engine for one or more --engine.

    Args:
        names: of NAMES, each once. language, command: see `choose`.
        voices: values of --voice, see `choose`. With more than one engine each begins with the name of its own: "flite:slt".

    Returns:
        Engine: the one, or an EngineMix.

    Raises:
        ConfigError: an engine is named twice, or a voice belongs to none.
        KwsError: see `choose`.
    """
    if len(names) == 1:
        return choose(names[0], language=language, voices=voices, command=command)
    from kws_tf.synthesis.engine_mix import EngineMix

    if not names or len(set(names)) < len(names):
        raise ConfigError(f"--engine: expected one engine or several different ones; received {', '.join(names) or 'none'}.")
    own = {name: [] for name in names}
    for voice in voices:
        name, colon, rest = voice.partition(":")
        if not colon or name not in own:
            raise ConfigError(f"--voice={voice}: with several engines a voice begins with the name of its engine, one of "
                              f"{', '.join(names)}, and a colon, such as --voice={names[-1]}:NAME.")
        own[name].append(rest)
    return EngineMix(tuple((name, choose(name, language=language, voices=own[name], command=command)) for name in names))


def find_installed(language):
    """Free engines that can speak a language here: espeak-ng, and what Debian has of voices recorded from people.

    Args:
        language: code.

    Returns:
        (list of names, {name of an engine that knows the language and is not installed: Debian's packages for it}).
    """
    present, missing = ["espeak"], {}
    for name, engine in _recorded().items():
        if not engine.knows(language):
            continue
        try:
            engine(language)
            present.append(name)
        except KwsError:
            missing[name] = engine.package
    return present, missing


def _recorded():
    from kws_tf.synthesis.festival_engine import FestivalEngine
    from kws_tf.synthesis.flite_engine import FliteEngine
    from kws_tf.synthesis.pico_engine import PicoEngine

    return {"flite": FliteEngine, "festival": FestivalEngine, "pico": PicoEngine}
