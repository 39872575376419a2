"""EspeakEngine: the speakers and accents of espeak-ng."""

import dataclasses
import functools

from kws_tf.errors import ConfigError
from kws_tf.synthesis import speakers, voice
from kws_tf.synthesis.espeak import Espeak

_FASTEST_WPM = 450
# Reads the Shavian alphabet alone, not that of the language.
_OTHER_ALPHABET = {"gmw/en-Shaw"}


@dataclasses.dataclass(frozen=True)
class EspeakEngine:
    """Every natural variant of espeak-ng is laid over every accent of a language; speed, pitch and its range are drawn.

    Args:
        language: code; "en" takes all accents of English, "en-gb" those of Britain.
        accents: identifiers, names or codes of voices of espeak-ng instead.
        speed_wpm, pitch, pitch_range: low and high of the voice parameters, see `Espeak.synthesise`.
    """

    language: str = "en"
    accents: tuple[str, ...] = ()
    speed_wpm: tuple[int, ...] = (95, 205)
    pitch: tuple[int, ...] = (20, 80)
    pitch_range: tuple[int, ...] = (20, 80)

    def identity(self):
        return {"engine": "espeak", "version": _espeak().version, "licence": "GPL-3.0-or-later (the program, not the speech)",
                **dataclasses.asdict(self)}

    def speakers(self):
        espeak = _espeak()
        return speakers.group_by_speaker(speakers.natural(espeak.variants), espeak.data_path)

    def draw(self, take, rng):
        accents = _accents(self.language, self.accents)
        ranges = {name: getattr(self, name) for name in ("speed_wpm", "pitch", "pitch_range")}
        return {"accent": accents[rng.integers(len(accents))], "variant": take.identifier,
                **{name: int(rng.integers(low, high + 1)) for name, (low, high) in ranges.items()}}

    def faster(self, voice):
        if voice["speed_wpm"] == _FASTEST_WPM:
            return None
        return {**voice, "speed_wpm": min(_FASTEST_WPM, round(1.1 * voice["speed_wpm"]))}

    def speak(self, text, voice, seed):
        accent = {"voice": voice["accent"], **{name: value for name, value in voice.items() if name != "accent"}}
        pcm, rate = _espeak().synthesise(text, seed=seed, **accent)
        return pcm / 32768, rate


@functools.cache
def _espeak():
    return Espeak()


@functools.cache
def _accents(language, names):
    known = _espeak().voices
    if names:
        return tuple(voice.find(known, name).identifier for name in names)
    code = language.lower()
    fitting = tuple(sorted(one.identifier for one in known if one.identifier not in _OTHER_ALPHABET
                           and any(spoken == code or spoken.startswith(f"{code}-") for spoken in one.languages)))
    if not fitting:
        codes = sorted({spoken.split("-")[0] for one in known for spoken in one.languages})
        raise ConfigError(f"--language={language}: espeak-ng has no such language; it has {', '.join(codes)}.")
    return fitting


def pronounce(texts, language):
    """Phonemes of each text in a row, as espeak-ng's best voice for a language says them: list of tuples of str."""
    accents = _accents(language, ())
    best = min((one for one in _espeak().voices if one.identifier in accents),
               key=lambda one: min(priority for priority, code in zip(one.priorities, one.languages, strict=True)
                                   if code.startswith(language.lower())))
    return [sum(words, ()) for words in _espeak().phonemes_of(texts, voice=best.identifier)]
