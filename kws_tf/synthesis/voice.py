"""The voices of espeak-ng: what a voice is, how the library lists them, how one is found by name."""

import ctypes
import dataclasses
import difflib
import re

from kws_tf.errors import ConfigError

_GENDERS = {1: "male", 2: "female"}


@dataclasses.dataclass(frozen=True)
class Voice:
    """A language or accent, or a variant: a speaker that can be laid over any language.

    Args:
        identifier: file in the data folder: "gmw/en-US" for a language, "f2" for a variant.
        name: name to show, "English (America)".
        languages: language codes in lower case, ("en-us", "en"); empty for a variant.
        priorities: how well the voice fits each language; lower is better.
        gender: "male", "female" or "unspecified".
        age: years, 0 if unspecified.
    """

    identifier: str
    name: str
    languages: tuple[str, ...]
    priorities: tuple[int, ...]
    gender: str
    age: int

    def has_dictionary(self, data_path):
        """Whether the data folder holds the pronunciation dictionary that this language needs; without it the voice is mute."""
        text = (data_path / "lang" / self.identifier).read_text(encoding="utf-8")
        name = re.search(r"^dictionary\s+(\S+)", text, re.MULTILINE) or re.search(r"^language\s+(\w+)", text, re.MULTILINE)
        return (data_path / f"{name[1]}_dict").is_file()


class VoiceRecord(ctypes.Structure):
    """espeak_VOICE of speak_lib.h. `languages` is a list of (priority byte, zero-terminated name), closed by a zero byte."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("languages", ctypes.c_void_p), ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_uint8), ("age", ctypes.c_uint8), ("variant", ctypes.c_uint8), ("internal", ctypes.c_uint8),
        ("score", ctypes.c_int), ("spare", ctypes.c_void_p),
    )


def languages(library):
    """All languages and accents that a library has.

    Args:
        library: loaded and initialised espeak-ng, declared as in espeak.py.
    """
    for record in _records(library.espeak_ListVoices(None)):
        pairs = sorted(_languages(record.languages))
        yield Voice(record.identifier.decode("utf-8"), record.name.decode("utf-8"), tuple(name for _, name in pairs),
                    tuple(priority for priority, _ in pairs), _GENDERS.get(record.gender, "unspecified"), record.age)


def variants(library):
    """All variants that a library has.

    Args:
        library: loaded and initialised espeak-ng, declared as in espeak.py.
    """
    criteria = VoiceRecord(languages=ctypes.cast(ctypes.c_char_p(b"variant"), ctypes.c_void_p))
    for record in _records(library.espeak_ListVoices(ctypes.byref(criteria))):
        yield Voice(record.identifier.decode("utf-8").removeprefix("!v/"), record.name.decode("utf-8"), (), (),
                    _GENDERS.get(record.gender, "unspecified"), record.age)


def find(voices, name, kind="voice"):
    """The voice that a name means: identifier, name to show, or language code (the voice that fits the language best).

    Args:
        voices: sequence of Voice.
        name: "gmw/en-US", "English (America)" or "en-us".
        kind: word for the message.

    Raises:
        ConfigError: no voice has that name; similar names are offered.
    """
    for voice in voices:
        if name in (voice.identifier, voice.name):
            return voice
    code = name.lower()
    fitting = [voice for voice in voices if code in voice.languages]
    if fitting:
        return min(fitting, key=lambda voice: voice.priorities[voice.languages.index(code)])
    known = sorted({known for voice in voices for known in (voice.identifier, voice.name, *voice.languages)})
    close = difflib.get_close_matches(name, known, n=4, cutoff=0.4)
    raise ConfigError(f"espeak: there is no {kind} {name!r}" + (f"; did you mean {', '.join(map(repr, close))}?" if close else "."))


def _records(pointers):
    index = 0
    while pointers[index]:
        yield pointers[index].contents
        index += 1


def _languages(address):
    while priority := ctypes.string_at(address, 1)[0]:
        name = ctypes.string_at(address + 1)
        yield priority, name.decode("utf-8").lower()
        address += 2 + len(name)
