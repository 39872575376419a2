"""Logits -> score bytes: probabilities as integers 0 to 255, the same on every machine. What the detector works on."""

import math

import numpy as np

from kws_tf.errors import ConfigError

TABLE_STEPS = 256
ONE = 1 << 16


def exponential_table(scale):
    """Powers of e for every difference of two int8 logits: e[d] = floor(65536 * exp(-scale * d) + 1/2), d = 0 to 255.

    Computed in double precision once per model; firmware carries these 256 integers as a constant.

    Args:
        scale: of the output tensor: real = scale * (stored - zero_point).

    Returns:
        tuple of 256 integers, 65536 first.

    Raises:
        ConfigError: the scale is not positive.
    """
    if not 0 < scale < math.inf:
        raise ConfigError(f"score_bytes: the scale of quantised logits must be positive; received {scale!r}.")
    return tuple(int(math.floor(ONE * math.exp(-float(scale) * d) + 0.5)) for d in range(TABLE_STEPS))


class ScoreBytes:
    """Score bytes of the raw outputs of one file.

    For int8 logits q, with integers only and e = exponential_table(scale):

        e_j     = e[max(q) - q_j]
        sum     = e_0 + ... + e_(classes-1)                  (at least 65536, fits 32 bits up to 32,767 classes)
        score_i = (255 * e_i + sum / 2) / sum                (both divisions round down)

    For float32 logits: floor(255 * softmax + 1/2), softmax in double precision. uint8 scores (of a file that gives one probability, see
    runtime.Stream) are score bytes already.

    Args:
        output: TensorSpec of the logits: dtype "int8" with its scale, or "float32"; or "uint8".

    Input shape:
        int8, float32 or uint8 [..., classes]

    Output shape:
        uint8 [..., classes]

    Raises:
        ConfigError: logits of another type.

    Example:
        >>> ScoreBytes(TensorSpec("logits", (1, 2), "int8", 0.25, 0))(np.array([8, 0], np.int8))
        array([225,  30], dtype=uint8)
    """

    def __init__(self, output):
        if output.dtype not in ("int8", "float32", "uint8"):
            raise ConfigError(f"score_bytes: logits must be int8 or float32, or uint8 scores; {output.name} is {output.dtype}.")
        self.dtype = np.dtype(output.dtype)
        self._table = np.array(exponential_table(output.scale), np.int64) if output.dtype == "int8" else None

    def __call__(self, logits):
        logits = np.asarray(logits)
        if logits.dtype != self.dtype:
            raise ConfigError(f"score_bytes: logits must be {self.dtype}; received {logits.dtype}.")
        if self.dtype == np.uint8:
            return logits
        if self._table is None:
            powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
            return np.floor(255 * powers / powers.sum(axis=-1, keepdims=True) + 0.5).astype(np.uint8)
        wide = logits.astype(np.int64)
        powers = self._table[wide.max(axis=-1, keepdims=True) - wide]
        total = powers.sum(axis=-1, keepdims=True)
        return ((255 * powers + total // 2) // total).astype(np.uint8)
