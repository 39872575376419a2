"""Errors that a user can act on. Every message says what happened, what was expected, what was received and how to fix it."""


class KwsError(Exception):
    """Base of every error that kws_tf raises on purpose. Entry points print its text alone and exit with status 1."""


class ConfigError(KwsError):
    """A setting is out of range, unknown, or contradicts another."""


class AudioError(KwsError):
    """A recording cannot be read, is empty, or is not what it claims to be."""


class DatasetError(KwsError):
    """A folder dataset cannot be used as it is. Lists every problem found, not only the first.

    Args:
        summary: one line that says what is wrong with the dataset as a whole.
        problems: one line per problem, each naming the file or folder.
    """

    def __init__(self, summary, problems=()):
        self.summary = summary
        self.problems = tuple(problems)
        super().__init__("\n".join([summary, *(f"  {problem}" for problem in self.problems)]))


class ModelFileError(KwsError):
    """A model file or its manifest is missing, truncated, altered or of an unknown schema."""


class ConversionError(KwsError):
    """A network cannot be converted to the asked TFLite profile."""


class TrainingError(KwsError):
    """Training cannot go on (a loss that is not finite) or a run folder does not fit the configuration."""
