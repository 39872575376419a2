"""The integer front end in numpy: the integers that every interpreter computes, without any interpreter."""

import numpy as np

from kws_tf.errors import AudioError
from kws_tf.front_end import dft, framing
from kws_tf.front_end.build import build_front_end
from kws_tf.front_end.numpy_program import NumpyProgram

# Windows that are computed together: what a block holds between two operators fits the cache of a processor.
BLOCK_WINDOWS = (1, 16, 128)


class IntegerFeatures:
    """Integer log-mel or MFCC of 16-bit PCM.

    Args:
        features: FeatureConfig.
        floor: see build_front_end.

    Input shape:
        int16 [samples] or [clips, samples]

    Output shape:
        int16 [frames, n_features] or [clips, frames, n_features]

    Raises:
        AudioError: PCM of another type or shape, or shorter than one window.
        ConversionError: parameters that the integer front end cannot hold.

    Example:
        front_end = IntegerFeatures(FeatureConfig())
        steps = front_end(pcm)                                   # [98, 40] for one second
        steps * front_end.scale                                  # natural logarithm of the mel bands
    """

    def __init__(self, features, *, floor=True):
        self.features = features
        self._floor = floor
        self._columns = dft.plan(features).columns
        self._programs = {}
        self.scale = self._program(BLOCK_WINDOWS[0]).output.scale

    def __call__(self, pcm):
        pcm = np.asarray(pcm)
        if pcm.dtype != np.int16 or pcm.ndim not in (1, 2) or pcm.shape[-1] < self.features.window_samples:
            raise AudioError(f"integer features: PCM must be int16 [samples] or [clips, samples] of at least "
                             f"{self.features.window_samples} samples; received {pcm.dtype} {list(pcm.shape)}.")
        n_frames = self.features.n_frames(pcm.shape[-1])
        windows = np.lib.stride_tricks.sliding_window_view(pcm, self.features.window_samples, axis=-1)
        windows = windows[..., ::self.features.hop_samples, :][..., :n_frames, :]
        steps = self._run(windows.reshape(-1, self.features.window_samples))
        return steps.reshape(*pcm.shape[:-1], n_frames, self.features.n_features)

    def _run(self, windows):
        """int16 [windows, n_features] of int16 [windows, window_samples], block by block."""
        results, start = [], 0
        while start < len(windows):
            size = next(size for size in BLOCK_WINDOWS if size >= min(len(windows) - start, BLOCK_WINDOWS[-1]))
            results.append(self._program(size)(self._rows(windows[start:start + size], size)))
            start += size
        return np.concatenate([result.reshape(-1, self.features.n_features) for result in results])[:len(windows)]

    def _rows(self, windows, size):
        """The shape that the front end starts with; zeros in the place of missing windows."""
        if len(windows) < size:
            windows = np.concatenate([windows, np.zeros((size - len(windows), windows.shape[1]), np.int16)])
        return windows.reshape(size, -1, 1, self._columns)

    def _program(self, size):
        if size not in self._programs:
            program = NumpyProgram((size, self.features.window_samples // self._columns, 1, self._columns), framing.PCM_SCALE)
            build_front_end(program, program.source, self.features, floor=self._floor)
            self._programs[size] = program
        return self._programs[size]
