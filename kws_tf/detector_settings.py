"""Settings of the detector that turns scores into events, and the presets that a manifest carries. No numpy, no TensorFlow."""

import dataclasses

from kws_tf.errors import ConfigError

HIGHEST_SCORE = 255
LONGEST_WINDOW_SCORES = 1000
LONGEST_PAUSE_SCORES = 100_000


def default_keywords(labels):
    """The labels that are words: all but those such as _unknown_, _silence_ and _background_noise_."""
    return tuple(label for label in labels if not (label.startswith("_") and label.endswith("_")))


@dataclasses.dataclass(frozen=True)
class DetectorSettings:
    """How the detector decides; see kws_tf.runtime.Detector for the algorithm. Counts are scores of the stream.

    Args:
        threshold: an event starts when a keyword's mean score byte reaches it; 1 to 255, where 255 is probability 1.
        release: it ends when the mean falls below this; 1 to threshold.
        window_scores: scores that the mean covers.
        refractory_scores: the next event starts at the earliest so many scores after the start of the last one.
        warmup_scores: first scores after a reset that count as 0, because the network has heard too little for a sensible answer.

    Raises:
        ConfigError: a value out of range.
    """

    threshold: int = 204
    release: int = 153
    window_scores: int = 10
    refractory_scores: int = 100
    warmup_scores: int = 0

    def __post_init__(self):
        for name, low, high in (("threshold", 1, HIGHEST_SCORE), ("release", 1, self.threshold),
                                ("window_scores", 1, LONGEST_WINDOW_SCORES), ("refractory_scores", 0, LONGEST_PAUSE_SCORES),
                                ("warmup_scores", 0, LONGEST_PAUSE_SCORES)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise ConfigError(f"detector: {name} must be a whole number from {low} to {high}; received {value!r}.")

    def at(self, threshold):
        """The same settings with another threshold; the release keeps its ratio to it, in integers."""
        return dataclasses.replace(self, threshold=threshold, release=max(1, threshold * self.release // self.threshold))

    @classmethod
    def of_probability(cls, threshold, score_seconds, *, window_seconds=0.1, refractory_seconds=1.0, warmup_seconds=0.0,
                       release_ratio=0.75):
        """The settings nearest to values in seconds and probabilities.

        Args:
            threshold: probability, 0 to 1. release_ratio: release as a share of it.
            score_seconds: time between two scores.
            window_seconds, refractory_seconds, warmup_seconds: lengths of time.
        """
        level = level_of(threshold)
        return cls(level, release_for(level, release_ratio), max(1, round(window_seconds / score_seconds)),
                   round(refractory_seconds / score_seconds), round(warmup_seconds / score_seconds))


def level_of(probability):
    """The threshold nearest to a probability, 1 to 255."""
    return min(HIGHEST_SCORE, max(1, round(probability * HIGHEST_SCORE)))


def release_for(threshold, ratio=0.75):
    """The release that belongs to a threshold, as a share of it: at least 1."""
    return max(1, int(threshold * ratio))


@dataclasses.dataclass(frozen=True)
class DetectorPreset:
    """Settings with a name and what they achieved.

    Args:
        name: such as "balanced".
        settings: DetectorSettings.
        measured: figures by name, JSON values; empty if nothing was measured.
    """

    name: str
    settings: DetectorSettings
    measured: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class DetectorPresets:
    """What a manifest says about detection.

    Args:
        keywords: labels that make events; every other label is background.
        default: name of the preset that is used unless another is asked for.
        presets: at least one, each name once.

    Raises:
        ConfigError: no keywords or presets, a name twice, or a default that is none of them.
    """

    keywords: tuple[str, ...]
    default: str
    presets: tuple[DetectorPreset, ...]

    def __post_init__(self):
        names = [preset.name for preset in self.presets]
        if not self.keywords or len(set(self.keywords)) != len(self.keywords):
            raise ConfigError(f"detector: keywords must be at least one label, each once; received {self.keywords!r}.")
        if not names or len(set(names)) != len(names) or self.default not in names:
            raise ConfigError(f"detector: presets must have different names and hold the default {self.default!r}; received {names!r}.")

    def preset(self, name=""):
        """The preset of that name, or the default.

        Raises:
            ConfigError: there is none of that name.
        """
        for preset in self.presets:
            if preset.name == (name or self.default):
                return preset
        raise ConfigError(f"--preset={name}: this model has {', '.join(preset.name for preset in self.presets)}.")
