"""PicoEngine: the voices of SVOX Pico, by its program pico2wave."""

import dataclasses
import hashlib
import pathlib

import numpy as np

from kws_tf.synthesis.engine import Take
from kws_tf.synthesis.program_engine import ProgramEngine

_VOICES = ("en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "it-IT")
# It reads tags, but no entities: "&lt;" would be spelt out.
_NO_TAGS = str.maketrans("<>", "  ")
# Relative to the peak: what is surely speech, and what is silent; a pause is as many blocks of a 50th of a second.
_LOUD, _SILENT, _PAUSE_BLOCKS = 10 ** (-30 / 20), 10 ** (-50 / 20), 5


@dataclasses.dataclass(frozen=True)
class PicoEngine(ProgramEngine):
    """One woman's voice for each of six languages and accents; "en" takes both of English."""

    name, program, package = "pico", "pico2wave", "libttspico-utils (in Debian's non-free)"
    spoken = "English (en, en-us, en-gb), German, Spanish, French and Italian (de, es, fr, it)"
    licence = "Apache-2.0 (the program; its voices too, by their makers, but without sources)"

    @staticmethod
    def knows(language):
        return bool(_fitting(language))

    def version(self):
        # It tells none.
        return "sha256:" + hashlib.sha256(pathlib.Path(self.path()).read_bytes()).hexdigest()

    def takes(self):
        self.path()
        return tuple(Take(name, "female") for name in _fitting(self.language))

    def has_pitch(self, voice):
        return True

    def command(self, text, voice, output):
        marked = (f'<pitch level="{round(100 * voice["pitch"])}"><speed level="{round(100 * voice["speed"])}">'
                  f"{text.translate(_NO_TAGS)}</speed></pitch>")
        return [self.path(), f"--lang={voice['voice']}", f"--wave={output}", marked]

    def speak(self, text, voice, seed):
        samples, rate = super().speak(text, voice, seed)
        return without_last_click(samples, rate), rate


def without_last_click(samples, rate):
    """Speech up to the first pause of 0.1 s after its last loud sound.

    Half a second after the end Italian and Spanish have a faint click, which no trimming at -50 dB takes for silence.

    Args:
        samples: float [samples], at least a 50th of a second and not all zero. rate: Hz.
    """
    size = rate // 50
    peaks = np.abs(samples[:len(samples) // size * size]).reshape(-1, size).max(axis=1)
    last = int(np.flatnonzero(peaks >= _LOUD * peaks.max())[-1])
    pauses = np.convolve(peaks[last:] < _SILENT * peaks.max(), np.ones(_PAUSE_BLOCKS), "valid") > _PAUSE_BLOCKS - 0.5
    return samples[:(last + int(np.argmax(pauses))) * size] if pauses.any() else samples


def _fitting(language):
    code = language.lower()
    return tuple(name for name in _VOICES if name.lower() == code or name.lower().startswith(f"{code}-"))
