"""Cutting one stretch per clip out of a long signal."""

import keras
from keras import ops


def cut(signal, starts, n_samples):
    """Stretches signal[start : start + n_samples], one per start.

    One slice per clip copies whole stretches of memory and is 4 times faster in a TensorFlow graph than a gather of samples
    (tools/bench_features.py). A loop over clips keeps the graph small; only JAX turns it into one batched slice.

    Args:
        signal: [samples], any dtype.
        starts: integers [batch], each between 0 and samples - n_samples. Values outside are an error of the backend, or moved inside.
        n_samples: length of every stretch.

    Returns:
        [batch, n_samples], of the dtype of the signal.
    """
    over_clips = ops.vectorized_map if keras.backend.backend() == "jax" else ops.map
    return over_clips(lambda start: ops.slice(signal, [start], [n_samples]), starts)
