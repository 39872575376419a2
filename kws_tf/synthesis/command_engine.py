"""CommandEngine: any program that writes speech into a file."""

import dataclasses
import shlex
import shutil
import string

from kws_tf.errors import ConfigError
from kws_tf.synthesis import speech_program
from kws_tf.synthesis.engine import Take

_FIELDS = {"text", "output", "voice", "seed", "speed"}
_FASTEST = 2.5


@dataclasses.dataclass(frozen=True)
class CommandEngine:
    """Runs a program once per utterance, without a shell. It has to write a recording that soundfile reads.

    Args:
        command: such as "say -v {voice} -o {output} {text}"; {seed} and {speed} (1 is normal) are filled in as well where they occur.
        voices: names that {voice} runs through; each counts as one speaker. At least one per split.
        speed: low and high of {speed}.

    Raises:
        ConfigError: the command lacks {text} or {output}, has an unknown field, its program is not found, or voices and {voice}
            do not fit together.
    """

    command: str
    voices: tuple[str, ...] = ()
    speed: tuple[float, ...] = (0.8, 1.25)

    def __post_init__(self):
        try:
            words = shlex.split(self.command)
            fields = {field for word in words for _, field, _, _ in string.Formatter().parse(word) if field is not None}
            if fields <= _FIELDS:
                self._words("text", "output.wav", {"voice": "voice", "speed": 1.0}, 1)
        except (ValueError, LookupError) as error:
            raise ConfigError(f"--command={self.command!r}: not a command line ({error}).") from error
        missing, unknown = {"text", "output"} - fields, fields - _FIELDS
        if missing or unknown:
            what = "lacks " if missing else "has the unknown field "
            what += " and ".join(f"{{{field}}}" for field in sorted(missing or unknown))
            raise ConfigError(f"--command={self.command!r} {what}; expected a command line with {{text}} and {{output}} and, if wanted, "
                              "{voice}, {speed} and {seed}.")
        if bool(self.voices) != ("voice" in fields):
            raise ConfigError("--command: {voice} and --voice belong together: give --voice NAME for every voice that {voice} shall take.")
        if shutil.which(words[0]) is None:
            raise ConfigError(f"--command: there is no program {words[0]!r} on the search path.")

    def identity(self):
        return {"engine": "command", **dataclasses.asdict(self), "licence": "see the program"}

    def speakers(self):
        return tuple((Take(voice),) for voice in self.voices or ("the one voice",))

    def draw(self, take, rng):
        return {"voice": take.identifier, "speed": round(rng.uniform(*self.speed), 2)}

    def faster(self, voice):
        if "{speed}" not in self.command or voice["speed"] >= _FASTEST:
            return None
        return {**voice, "speed": round(1.1 * voice["speed"], 2)}

    def speak(self, text, voice, seed):
        return speech_program.speak(lambda output: self._words(text, str(output), voice, seed), "--command")

    def _words(self, text, output, voice, seed):
        return [word.format(text=text, output=output, seed=seed, **voice) for word in shlex.split(self.command)]
