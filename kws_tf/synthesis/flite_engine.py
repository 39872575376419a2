"""FliteEngine: the voices of Flite, a small program for speech of Carnegie Mellon University."""

import dataclasses

from kws_tf.errors import KwsError
from kws_tf.synthesis import speech_program
from kws_tf.synthesis.engine import Take
from kws_tf.synthesis.program_engine import ProgramEngine, knows_american, letters_of_english

# Mean pitch of the voices that heed a given one; rms has its own.
_PITCH_HZ = {"kal": 95, "kal16": 95, "awb": 126, "slt": 174}
_GENDERS = {"kal": "male", "kal16": "male", "awb": "male", "rms": "male", "slt": "female"}


@dataclasses.dataclass(frozen=True)
class FliteEngine(ProgramEngine):
    """Voices of four people (kal16, awb, rms, slt in Debian's flite), American English.

    Left out unless named: awb_time, which can only tell the time, and kal, which is kal16 without what lies above 4 kHz.
    """

    name, program, package = "flite", "flite", "flite"
    spoken = "American English (en, en-us)"
    licence = "like BSD, free for every use (Flite and its voices)"
    knows = staticmethod(knows_american)

    def version(self):
        words = speech_program.answer(self.path(), "--version").split("version:")[-1].split()
        return words[0] if words else "unknown"

    def takes(self):
        names = speech_program.answer(self.path(), "-lv").partition(":")[2].split()
        if not names:
            raise KwsError("--engine=flite: `flite -lv` names no voice. Install it again: apt install flite")
        passed_over = {"awb_time", *(["kal"] if "kal16" in names else [])} - set(self.voices)
        return tuple(Take(name, _GENDERS.get(name, "unspecified")) for name in names if name not in passed_over)

    def has_pitch(self, voice):
        return voice in _PITCH_HZ

    def command(self, text, voice, output):
        pitch = ["--setf", f"int_f0_target_mean={_PITCH_HZ[voice['voice']] * voice['pitch']:.1f}"] if "pitch" in voice else []
        return [self.path(), "-voice", voice["voice"], "--setf", f"duration_stretch={1 / voice['speed']:.3f}", *pitch,
                "-t", letters_of_english(text, self.name), "-o", str(output)]
