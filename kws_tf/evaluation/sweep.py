"""Threshold sweeps over scores in memory: the DET curve, and recall at few false accepts."""

from kws_tf.detector_settings import HIGHEST_SCORE
from kws_tf.evaluation.detection import match
from kws_tf.runtime.detector import find_events


class Sweep:
    """Counts hits and false accepts of any settings on recordings that were scored once.

    Args:
        labels: of the model. keywords: that it looks for.
        negative_tracks: Tracks without a keyword; every event in them is a false accept.
        positive_tracks: Tracks with words. words: list of Words of each.
        count_positive: whether events beside the words of the positive tracks count as false accepts too, and their hours as hours.

    Example:
        >>> Sweep(labels, keywords, ambient, spoken, words).point(settings)["misses"]
        3
    """

    def __init__(self, labels, keywords, negative_tracks=(), positive_tracks=(), words=(), count_positive=False):
        self.labels, self.keywords = tuple(labels), tuple(keywords)
        self._negative, self._positive, self._words = list(negative_tracks), list(positive_tracks), list(words)
        self._count_positive = count_positive
        self.n_words = sum(len(own) for own in self._words)
        self.hours = sum(track.hours for track in self._negative) + (sum(track.hours for track in self._positive) if count_positive else 0)
        self._means = {}

    def _tracks(self, settings):
        """[(track, means, their maximum, words or None)] for the window of the settings; kept for other thresholds."""
        key = settings.window_scores, settings.warmup_scores
        if key not in self._means:
            # One window at a time: the means of hours of audio are as large as the scores.
            self._means = {key: []}
            for track, words in [*((track, None) for track in self._negative), *zip(self._positive, self._words, strict=True)]:
                means = track.means(self.labels, self.keywords, settings)
                self._means[key].append((track, means, means.max(axis=1), words))
        return self._means[key]

    def point(self, settings):
        """What one setting gives.

        Returns:
            dict: threshold, hits, misses, repeats, false_accepts.
        """
        counts = {"hits": 0, "repeats": 0, "false_accepts": 0}
        for track, means, highest, words in self._tracks(settings):
            events = find_events(means, track.end_samples, self.keywords, settings, highest)
            if words is None:
                counts["false_accepts"] += len(events)
                continue
            found = match(events, words, track.sample_rate)
            counts["hits"] += len(found.hits)
            counts["repeats"] += len(found.repeats)
            counts["false_accepts"] += len(found.false_accepts) if self._count_positive else 0
        return {"threshold": settings.threshold, **counts, "misses": self.n_words - counts["hits"]}

    def curve(self, settings, thresholds=range(1, HIGHEST_SCORE + 1)):
        """`point` for many thresholds; the release keeps its ratio to the threshold.

        Returns:
            list of dicts, by rising threshold.
        """
        return [self.point(settings.at(threshold)) for threshold in thresholds]
