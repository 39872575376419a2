"""Area under recall at few false accepts per hour: one number for how good a wake word is, whatever its threshold. Numpy only."""

import numpy as np

from kws_tf.detector_settings import default_keywords
from kws_tf.errors import ConfigError

LIMIT_PER_HOUR = 2.0


def recall_area(false_accepts, hits, n_words, hours, limit_per_hour=LIMIT_PER_HOUR):
    """Area under recall for 0 to limit_per_hour false accepts per hour, as a share of the largest possible: 0 to 1.

        area = 1/limit * integral from 0 to limit of recall(f) df,   recall(f) = best recall of a setting with at most f per hour

    A setting with n false accepts counts for all rates from n / hours on, so the integral is a sum of rectangles, without interpolation.

    Args:
        false_accepts, hits: int [settings].
        n_words: words to find. hours: of audio that the false accepts were counted in.
        limit_per_hour: where the integral ends.

    Returns:
        float; 0 if no setting stays below the limit.

    Example:
        >>> recall_area([0, 1], [4, 8], n_words=10, hours=1.0)
        0.6...
    """
    rates, recalls = np.asarray(false_accepts) / hours, np.asarray(hits) / n_words
    order = np.argsort(rates, kind="stable")
    rates, best = rates[order], np.maximum.accumulate(recalls[order])
    widths = np.diff(np.minimum(np.append(rates, limit_per_hour), limit_per_hour))
    return float(np.sum(widths * best) / limit_per_hour)


class ClipRecallArea:
    """The same area from single clips, for the choice of the best epoch.

    Keywords are the classes that are not named like _unknown_; the clips of the others are the negatives. The answer for a clip is the
    keyword with the highest probability, and that probability its score. At a threshold, a keyword clip is a hit if its answer is right
    and its score reaches the threshold; a negative that reaches it, and a keyword clip with another keyword as its answer, are false
    accepts. Every score is tried as a threshold. The hours are those of the negatives, each as long as the part of it that the network
    saw. With fewer than half an hour of negatives, one false accept is more than 2 per hour: the area then is the recall at none.

    Args:
        classes: names in the order of the logits.
        labels: int [clips]. lengths: samples of each clip.
        clip_samples: samples that the network sees. sample_rate: Hz.

    Raises:
        ConfigError: no class or no clip of one of the two kinds.

    Example:
        >>> area = ClipRecallArea(("_unknown_", "jarvis"), labels, lengths, 16000, 16000)
        >>> area(logits)
        0.93
    """

    def __init__(self, classes, labels, lengths, clip_samples, sample_rate):
        words = set(default_keywords(classes))
        self._keywords = np.array([index for index, name in enumerate(classes) if name in words], int)
        self._labels = np.asarray(labels)
        self._spoken = np.isin(self._labels, self._keywords)
        self.hours = float(np.minimum(np.asarray(lengths)[~self._spoken], clip_samples).sum()) / sample_rate / 3600
        if not self._spoken.any() or self._spoken.all():
            raise ConfigError("--monitor=recall_area needs validation clips of keywords and of classes without keywords, named like "
                              f"_unknown_ or _silence_; the classes are {', '.join(classes)}.")

    def __call__(self, logits):
        """The area, 0 to 1, of float [clips, classes]."""
        powers = np.exp(np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True))
        scores = (powers / powers.sum(axis=1, keepdims=True))[:, self._keywords]
        answers, highest = self._keywords[scores.argmax(axis=1)], scores.max(axis=1)
        right = self._spoken & (answers == self._labels)
        good, bad = np.sort(highest[right]), np.sort(highest[~right])
        thresholds = np.unique(np.append(highest, np.inf))
        false_accepts, hits = (len(part) - np.searchsorted(part, thresholds) for part in (bad, good))
        return recall_area(false_accepts, hits, int(self._spoken.sum()), self.hours)
