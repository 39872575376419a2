"""The detector: score bytes in, keyword events out. Integers only, so that another implementation can be the same bit for bit."""

import dataclasses

import numpy as np

from kws_tf.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Event:
    """One detection.

    Args:
        keyword: the label.
        score: the highest mean score byte so far, 0 to 255.
        start_sample: end of the hop whose score started the event. peak_sample: end of the hop with the highest mean, the first if
            several have it. end_sample: end of the hop at which the mean fell below the release; None while the event goes on.
            All count samples since the reset; the delay of the network is not subtracted.
    """

    keyword: str
    score: int
    start_sample: int
    peak_sample: int
    end_sample: int | None = None

    def line(self, sample_rate):
        """As JSON values: keyword, score (0 to 1), start, peak and end in seconds since the reset."""
        times = {"start_seconds": self.start_sample, "peak_seconds": self.peak_sample, "end_seconds": self.end_sample}
        return {"keyword": self.keyword, "score": round(self.score / 255, 4),
                **{name: None if sample is None else round(sample / sample_rate, 3) for name, sample in times.items()}}


class Detector:
    """Finds events in a stream of score bytes, one score at a time.

    The algorithm, for an implementation in another language. K keywords, each with an index into the classes; settings W =
    window_scores, T = threshold, L = release, R = refractory_scores, U = warmup_scores. State after a reset:

        ring[K][W] = 0, sum[K] = 0, position = 0, count = 0, active = none, pause = 0

    For every score (classes bytes, and `sample`, the samples since the reset at the end of its hop):

        1. For each keyword k: new = scores[class of k], or 0 if count < U;
           sum[k] += new - ring[k][position]; ring[k][position] = new; mean[k] = sum[k] / W, rounded down.
           Then position = (position + 1) mod W; count += 1 (it may stop at U).
        2. If active is a keyword a:
               if mean[a] > score: score = mean[a], peak_sample = sample
               if mean[a] < L: end_sample = sample, active = none, report the event as ended
           else, if pause == 0:
               a = the keyword with the highest mean, the first of them if several have it
               if mean[a] >= T: active = a, score = mean[a], start_sample = peak_sample = sample, pause = R, report the event as started
        3. If pause > 0: pause -= 1.

    So an event is reported when it starts, without waiting for its end; no event starts in the step in which another ends, nor less
    than R scores after the last start; one event at a time, whatever the number of keywords.

    Args:
        labels: class names in the order of the scores.
        keywords: those that make events, in the order that breaks ties.
        settings: DetectorSettings.

    Raises:
        ConfigError: a keyword that is no label, or none at all.

    Example:
        >>> detector = Detector(("_unknown_", "jarvis"), ("jarvis",), DetectorSettings(window_scores=2))
        >>> detector.step((0, 255), 160), detector.step((0, 255), 320)
        (None, Event(keyword='jarvis', score=255, start_sample=320, peak_sample=320, end_sample=None))
    """

    def __init__(self, labels, keywords, settings):
        self.keywords, self.settings = tuple(keywords), settings
        self._classes = keyword_classes(labels, keywords)
        self._n_classes = len(labels)
        self.reset()

    def reset(self):
        """Forgets all scores and any event; sample counts start again."""
        self._rings = [[0] * self.settings.window_scores for _ in self.keywords]
        self._sums = [0] * len(self.keywords)
        self._position = self._count = self._pause = 0
        self._active, self._event = None, None

    @property
    def means(self):
        """Mean score byte of every keyword over the window, as of the last step."""
        return tuple(total // self.settings.window_scores for total in self._sums)

    @property
    def event(self):
        """The event that goes on, or None."""
        return self._event

    def step(self, scores, sample):
        """Takes one score.

        Args:
            scores: score byte of every class.
            sample: samples since the reset at the end of the hop that gave the score.

        Returns:
            The Event that has started (end_sample None) or ended (complete) with this score; None if neither.
        """
        if len(scores) != self._n_classes:
            raise ConfigError(f"detector: a score has {self._n_classes} bytes, one per label; received {len(scores)}.")
        settings = self.settings
        for k, index in enumerate(self._classes):
            new = int(scores[index]) if self._count >= settings.warmup_scores else 0
            self._sums[k] += new - self._rings[k][self._position]
            self._rings[k][self._position] = new
        self._position = (self._position + 1) % settings.window_scores
        self._count += 1
        changed = self._decide(self.means, sample)
        self._pause = max(0, self._pause - 1)
        return changed

    def _decide(self, means, sample):
        if self._event is not None:
            mean = means[self._active]
            if mean > self._event.score:
                self._event = dataclasses.replace(self._event, score=mean, peak_sample=sample)
            if mean >= self.settings.release:
                return None
            ended, self._event = dataclasses.replace(self._event, end_sample=sample), None
            return ended
        best = means.index(max(means))
        if self._pause or means[best] < self.settings.threshold:
            return None
        self._active = best
        self._event = Event(self.keywords[best], means[best], sample, sample)
        self._pause = self.settings.refractory_scores
        return self._event


def keyword_classes(labels, keywords):
    """Index of every keyword among the labels.

    Raises:
        ConfigError: a keyword that is no label, one twice, or none at all.
    """
    labels, keywords = list(labels), list(keywords)
    unknown = [keyword for keyword in keywords if keyword not in labels]
    if unknown or not keywords or len(set(keywords)) != len(keywords):
        raise ConfigError(f"detector: keywords must be labels of the model, at least one, each once: {', '.join(labels)}; "
                          f"received {', '.join(keywords) or 'none'}. Set --keywords.")
    return [labels.index(keyword) for keyword in keywords]


def mean_scores(scores, labels, keywords, window_scores, warmup_scores=0):
    """Step 1 of the detector for a whole recording at once.

    Args:
        scores: uint8 [scores, classes].
        labels, keywords: see Detector.
        window_scores, warmup_scores: see DetectorSettings.

    Returns:
        uint8 [scores, keywords].
    """
    chosen = np.asarray(scores)[:, keyword_classes(labels, keywords)].astype(np.int64)
    chosen[:warmup_scores] = 0
    total = np.concatenate([np.zeros((1, chosen.shape[1]), np.int64), np.cumsum(chosen, axis=0)])
    first = np.maximum(np.arange(1, len(chosen) + 1) - window_scores, 0)
    return ((total[1:] - total[first]) // window_scores).astype(np.uint8)


def find_events(means, end_samples, keywords, settings, highest=None):
    """Steps 2 and 3 of the detector for a whole recording at once; equal to Detector.step on every score, and much faster.

    Args:
        means: uint8 [scores, keywords], of mean_scores with the window of the settings.
        end_samples: int [scores]: the `sample` of every score.
        keywords: names of the columns.
        settings: DetectorSettings.
        highest: means.max(axis=1), if it is known already.

    Returns:
        list of Event; the last one has end_sample None if it goes on at the end.
    """
    above = np.flatnonzero((means.max(axis=1) if highest is None else highest) >= settings.threshold)
    below = {}
    events, earliest = [], 0
    while True:
        position = np.searchsorted(above, earliest)
        if position == len(above):
            return events
        start = int(above[position])
        k = int(means[start].argmax())
        if k not in below:
            below[k] = np.flatnonzero(means[:, k] < settings.release)
        after = np.searchsorted(below[k], start + 1)
        end = int(below[k][after]) if after < len(below[k]) else None
        peak = start + int(np.argmax(means[start:end, k]))
        events.append(Event(keywords[k], int(means[peak, k]), int(end_samples[start]), int(end_samples[peak]),
                            None if end is None else int(end_samples[end])))
        if end is None:
            return events
        earliest = max(end + 1, start + settings.refractory_scores)


def detect(scores, end_samples, labels, keywords, settings):
    """All events of a recording from its score bytes: mean_scores, then find_events.

    Args:
        scores: uint8 [scores, classes]. end_samples: int [scores].
        labels, keywords, settings: see Detector.

    Returns:
        list of Event.
    """
    means = mean_scores(scores, labels, keywords, settings.window_scores, settings.warmup_scores)
    return find_events(means, np.asarray(end_samples), tuple(keywords), settings)
