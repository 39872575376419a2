"""FestivalEngine: the English voices of Festival that are installed."""

import dataclasses

from kws_tf.errors import KwsError
from kws_tf.synthesis import speech_program
from kws_tf.synthesis.engine import Take
from kws_tf.synthesis.program_engine import ProgramEngine, knows_american, letters_of_english

_VOICES = "festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts"
# One line per voice: name, language, gender. A voice that cannot be loaded is passed over.
_LIST = """(mapcar (lambda (name) (unwind-protect (let ((facts (cadr (voice.description name))))
 (format t "voice %s %s %s\\n" name (cadr (assoc 'language facts)) (cadr (assoc 'gender facts)))) nil)) (voice.list))"""
# Of Scheme. Half a minute of speech needs no more; the default of ten million costs most of the time of a short text, and 330 MB.
_HEAP_CELLS = "1000000"
_SCRIPT = """(voice_{voice})
{settings}
(utt.save.wave (SynthText "{text}") "{output}" 'riff)
"""


@dataclasses.dataclass(frozen=True)
class FestivalEngine(ProgramEngine):
    """Voices of up to three people (kal_diphone, ked_diphone and cmu_us_slt_arctic_hts in Debian), American English.

    The two diphone voices have a pitch; the third, a statistical model of a voice, has its own. Voices that are neither are left out:
    they heed no speed, or an unknown one.
    """

    name, program, package = "festival", "festival", f"festival {_VOICES}"
    spoken = "American English (en, en-us)"
    licence = "like BSD, free for every use (Festival and its voices kal, ked and slt)"
    knows = staticmethod(knows_american)

    def version(self):
        words = speech_program.answer(self.path(), "--version").split("System:")[-1].split()
        return words[0] if words else "unknown"

    def takes(self):
        lines = map(str.split, speech_program.answer(self.path(), "--batch", _LIST).splitlines())
        found = [line[1:] for line in lines if len(line) == 4 and line[0] == "voice"]
        takes = tuple(Take(name, gender if gender in ("female", "male") else "unspecified") for name, language, gender in sorted(found)
                      if language == "english" and name.endswith(("_diphone", "_hts")))
        if not takes:
            raise KwsError("--engine=festival: Festival is installed without an English voice. On Debian and its kin: "
                           f"apt install {_VOICES}")
        return takes

    def has_pitch(self, voice):
        return voice.endswith("_diphone")

    def command(self, text, voice, output):
        name, speed = voice["voice"], voice["speed"]
        if self.has_pitch(name):
            settings = (f"(Parameter.set 'Duration_Stretch (/ (Parameter.get 'Duration_Stretch) {speed}))\n(set! int_lr_params (cons (list "
                        f"'target_f0_mean (* {voice['pitch']} (cadr (assoc 'target_f0_mean int_lr_params)))) int_lr_params))")
        else:
            settings = f"(set! hts_engine_params (append hts_engine_params '((\"-r\" {speed}))))"
        quoted = letters_of_english(text, self.name).replace("\\", " ").replace('"', " ")
        script = output.with_suffix(".scm")
        script.write_text(_SCRIPT.format(voice=name, settings=settings, text=quoted, output=output), encoding="utf-8")
        return [self.path(), "--heap", _HEAP_CELLS, "--batch", str(script)]
