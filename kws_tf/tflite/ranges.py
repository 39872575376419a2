"""The range of values that every tensor of a float graph takes on calibration clips, and the part of it worth its bits."""

import dataclasses

import numpy as np

from kws_tf.tflite.executor import Execution

BINS = 2048
STEPS = 255
SHRINK_STEPS = 32
SMALLEST_SHARE = 0.2
CHUNK_ELEMENTS = 1 << 24
HEADROOM = 1.15
LARGEST_MARGIN = 16.0


@dataclasses.dataclass(frozen=True)
class Histogram:
    """How often values occur in BINS equal bins between the smallest and the largest one.

    Args:
        low, high: extremes that were observed. counts: int64 [BINS].
    """

    low: float
    high: float
    counts: np.ndarray

    @property
    def centres(self):
        """Values in the middle of the bins: float64 [BINS]."""
        return self.low + (np.arange(BINS) + 0.5) * ((self.high - self.low) / BINS)

    @classmethod
    def of(cls, values, low=None, high=None):
        """The histogram of an array; low and high, if given, must enclose it."""
        low = float(np.min(values)) if low is None else low
        high = float(np.max(values)) if high is None else high
        if high <= low:
            counts = np.zeros(BINS, np.int64)
            counts[0] = np.size(values)
            return cls(low, high, counts)
        bins = ((np.ravel(values) - np.float32(low)) * np.float32(BINS / (high - low))).astype(np.int32)
        return cls(low, high, np.bincount(np.clip(bins, 0, BINS - 1), minlength=BINS))

    def __add__(self, other):
        return Histogram(self.low, self.high, self.counts + other.counts)


def observe(graph, clips):
    """Histograms of the input and of every computed tensor of a float graph.

    Two passes, the first for the extremes; large networks take the clips in parts, so that no tensor outgrows memory.

    Args:
        graph: flatbuffer.Graph of float32 tensors with one input.
        clips: float32 [clips, ...].

    Returns:
        id(tensor) -> Histogram.
    """
    extremes = {}
    for part in parts(graph, clips):
        for tensor, values in _values(graph, part):
            low, high = extremes.get(id(tensor), (np.inf, -np.inf))
            extremes[id(tensor)] = min(low, float(values.min())), max(high, float(values.max()))
    histograms = {}
    for part in parts(graph, clips):
        for tensor, values in _values(graph, part):
            found = Histogram.of(values, *extremes[id(tensor)])
            histograms[id(tensor)] = histograms[id(tensor)] + found if id(tensor) in histograms else found
    return histograms


def by_channel(graph, tensors, clips, function):
    """A function of all values that every channel of some tensors takes on calibration clips.

    Args:
        graph: flatbuffer.Graph of float32 tensors with one input. tensors: computed by its nodes. clips: float32 [clips, ...].
        function: takes float32 [values].

    Returns:
        For each tensor, the list of what the function returns for its channels.
    """
    found, run = {id(tensor): [] for tensor in tensors}, Execution(graph, clips)
    for node in graph.nodes if tensors else ():
        values = run.advance(node)
        if id(node.output) in found:
            found[id(node.output)] = [function(column) for column in values.numpy().reshape(-1, node.output.shape[-1]).T]
    return [found[id(tensor)] for tensor in tensors]


def logit_range(graph, clips):
    """The range for the output of a classifier: fine where classes are told apart.

    Above it reaches HEADROOM times as far as the largest logit, for a winning class must not saturate. Below it ends LARGEST_MARGIN
    under the least winner: a class that far behind has no chance and no share in a softmax, exp(-16).

    Args:
        graph: flatbuffer.Graph of float32 tensors. clips: float32 [clips, ...], calibration clips.

    Returns:
        low, high with low <= 0 < high.
    """
    lowest, least, largest = 0.0, np.inf, 0.0
    for part in parts(graph, clips):
        run = Execution(graph, part)
        *_, values = (run.advance(node) for node in graph.nodes)
        logits = values.numpy()
        lowest, largest = min(lowest, float(logits.min())), max(largest, float(logits.max()))
        least = min(least, float(logits.max(-1).min()))
    low, high = min(max(lowest, least - LARGEST_MARGIN), 0.0), HEADROOM * largest
    return (low, high) if high > low else (0.0, 1.0)


def parts(graph, clips):
    """Cuts clips into parts whose largest tensor in the graph has at most CHUNK_ELEMENTS elements."""
    largest = max(int(np.prod(node.output.shape)) for node in graph.nodes)
    size = max(1, CHUNK_ELEMENTS // largest)
    return [clips[start:start + size] for start in range(0, len(clips), size)]


def _values(graph, clips):
    yield graph.inputs[0], np.asarray(clips)
    run = Execution(graph, clips)
    for node in graph.nodes:
        values = run.advance(node).numpy()
        if values.dtype == np.float32:
            yield node.output, values


def with_zero(histogram):
    """The observed extremes, widened to include zero."""
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    return (low, high) if high > low else (0.0, 1.0)


def choose_range(histogram, anchor=0.0):
    """The range that 8 bits should span: the one with the least mean squared error over the histogram.

    A narrower range has a finer step and clips the rare values outside it. Each end is tried at SHRINK_STEPS places between the
    observed extreme and SMALLEST_SHARE of its distance from the anchor, and

        error(low, high) = mean of squared distance to the range + step^2 / 12,   step = (high - low) / 255

    is minimised over all pairs.

    Args:
        histogram: Histogram.
        anchor: a value that stays inside the range; 0 wherever zero must be represented exactly.

    Returns:
        low, high with low <= anchor <= high and low < high.
    """
    low, high = min(histogram.low, anchor), max(histogram.high, anchor)
    if high <= low:
        return low, low + 1.0
    counts = histogram.counts / histogram.counts.sum()
    centres = histogram.centres
    shares = np.linspace(1, SMALLEST_SHARE, SHRINK_STEPS)
    lows, highs = np.unique(anchor + (low - anchor) * shares), np.unique(anchor + (high - anchor) * shares)
    below = np.square(np.maximum(lows[:, None] - centres, 0)) @ counts
    above = np.square(np.maximum(centres - highs[:, None], 0)) @ counts
    step = (highs[None, :] - lows[:, None]) / STEPS
    error = np.where(step > 0, below[:, None] + above[None, :] + step**2 / 12, np.inf)
    best_low, best_high = np.unravel_index(np.argmin(error), error.shape)
    return float(lows[best_low]), float(highs[best_high])
