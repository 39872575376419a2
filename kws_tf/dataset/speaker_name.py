"""Whose clip it is, by its path."""

import re

from kws_tf.errors import ConfigError

# Speech Commands and sets made like it: <speaker>_nohash_<take>.wav
_NOHASH = re.compile(r"(?:^|/)([^/]+?)_nohash_[^/]*$")


class SpeakerName:
    """Finds the speaker in the path of a clip.

    Args:
        pattern: regular expression that is searched for in the path, relative to the class folder; its first group, or all that it
            matches, is the speaker. "" for two customs: <speaker>_nohash_<take>.wav, and a folder per speaker in the folder of the class.

    Raises:
        ConfigError: not a regular expression.

    Example:
        >>> SpeakerName()("ann/take1.wav"), SpeakerName()("0132a06d_nohash_2.wav"), SpeakerName()("clip.wav")
        ('ann', '0132a06d', '')
    """

    def __init__(self, pattern=""):
        self.pattern = pattern
        try:
            self._expression = re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"--speaker_pattern={pattern!r}: not a regular expression ({error}).") from error

    def __call__(self, path):
        """The speaker, "" if the path does not tell."""
        if self.pattern:
            match = self._expression.search(path)
            return (match[1] if self._expression.groups else match[0]) or "" if match else ""
        match = _NOHASH.search(path)
        if match:
            return match[1]
        return path.split("/")[0] if "/" in path else ""
