"""One split of a data set in memory-mapped form: clips of any length, fitted to the network's length and dealt in batches."""

import functools
import hashlib
import json

import numpy as np

from kws_tf.crop import energy_start, fixed_starts, start_range


class Split:
    """Clips of one split, sorted by path.

    Args:
        name: "training", "validation" or "testing".
        pcm: int16 [all samples], a memory map that holds every clip in one piece.
        starts: int64 [clips], position of each clip in pcm; rising.
        lengths: int64 [clips], samples of each clip, at least 1.
        labels: int32 [clips], class numbers.
        paths: list of str, relative to the root of the data set.
    """

    def __init__(self, name, *, pcm, starts, lengths, labels, paths):
        self.name = name
        self.labels = np.asarray(labels, np.int32)
        self.lengths = np.asarray(lengths, np.int64)
        self.paths = list(paths)
        self._pcm = pcm
        self._starts = np.asarray(starts, np.int64)
        self._energy_starts = {}

    @property
    def n_clips(self):
        """Number of clips."""
        return len(self.paths)

    @functools.cached_property
    def digest(self):
        """A number of the names, classes and lengths of all clips, as text."""
        rows = list(zip(self.paths, self.labels.tolist(), self.lengths.tolist(), strict=True))
        return hashlib.sha256(json.dumps(rows).encode("utf-8")).hexdigest()

    def pcm(self, i):
        """int16 [samples] of clip i: a read-only view."""
        return self._pcm[self._starts[i]:self._starts[i] + self.lengths[i]]

    def windows(self, indices, clip_samples, crop, rng=None):
        """Where each clip is cut (position >= 0) or how many zeros go before it (position < 0).

        Args:
            indices: int [batch].
            clip_samples: samples that the network sees.
            crop: "random" (any legal position, also for the padding of shorter clips), "energy" (the window with the most energy, see
                `crop.energy_start`; shorter clips are centred), "start", "centre" or "end".
            rng: numpy Generator; needed for "random" alone.

        Returns:
            int64 [batch].
        """
        indices = np.asarray(indices, np.int64)
        lengths = self.lengths[indices]
        if crop == "random":
            first, last = start_range(lengths, clip_samples)
            return rng.integers(first, last, endpoint=True)
        if crop != "energy":
            return fixed_starts(lengths, clip_samples, crop)
        positions = fixed_starts(lengths, clip_samples, "centre")
        for row in np.flatnonzero(lengths > clip_samples):
            positions[row] = self._energy_start(int(indices[row]), clip_samples)
        return positions

    def fit(self, indices, clip_samples, crop, rng=None):
        """Clips cut or zero-padded to one length.

        Args: see `windows`.

        Returns:
            int16 [batch, clip_samples].
        """
        return self.cut(indices, self.windows(indices, clip_samples, crop, rng), clip_samples)

    def cut(self, indices, positions, clip_samples):
        """Clips at given positions (see `windows`): int16 [batch, clip_samples]. Reads the memory map in rising order."""
        indices = np.asarray(indices, np.int64)
        result = np.zeros((len(indices), clip_samples), np.int16)
        before = np.maximum(-positions, 0)
        begin = self._starts[indices] + np.maximum(positions, 0)
        n_copied = np.minimum(self.lengths[indices] - np.maximum(positions, 0), clip_samples - before)
        order = np.argsort(begin, kind="stable")
        columns = (order, before[order], begin[order], n_copied[order])
        for row, target, source, n in zip(*(column.tolist() for column in columns), strict=True):
            result[row, target:target + n] = self._pcm[source:source + n]
        return result

    def batches(self, batch_size, clip_samples, crop, *, seed=0, epoch=0, shuffle=False, drop_remainder=False,
                weights=None):
        """One pass over the split. Order and random windows depend on seed and epoch alone, not on the batch size or an earlier pass.

        Args:
            batch_size: clips per batch; the last batch may be smaller.
            clip_samples, crop: see `windows`.
            seed, epoch: whole numbers, at least 0.
            shuffle: a random order, else that of the paths.
            weights: float [clips]; instead of every clip once, as many draws with replacement in proportion to these.
            drop_remainder: leave out a last batch that is not full.

        Yields:
            (pcm int16 [batch, clip_samples], labels int32 [batch], indices int64 [batch]).
        """
        rng = np.random.default_rng((seed, epoch))
        order = rng.permutation(self.n_clips) if shuffle else np.arange(self.n_clips)
        if weights is not None:
            order = rng.choice(self.n_clips, self.n_clips, p=np.asarray(weights) / np.sum(weights))
        positions = self.windows(order, clip_samples, crop, rng)
        for begin in range(0, self.n_clips - (batch_size - 1 if drop_remainder else 0), batch_size):
            indices = order[begin:begin + batch_size]
            yield self.cut(indices, positions[begin:begin + batch_size], clip_samples), self.labels[indices], indices

    def _energy_start(self, i, clip_samples):
        known = self._energy_starts.setdefault(clip_samples, {})
        if i not in known:
            known[i] = energy_start(self.pcm(i), clip_samples)
        return known[i]
