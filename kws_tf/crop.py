"""Where a clip is cut or padded to the length that the network sees: one rule for training, evaluation and the runtime."""

import numpy as np

from kws_tf.config import TRAIN_CROPS
from kws_tf.errors import ConfigError


def start_range(lengths, clip_samples):
    """Legal positions of the window in a clip: from min(0, d) to max(0, d) with d = length - clip_samples.

    A negative position pads before the clip; every position keeps all of a shorter clip and fills the window from a longer one.

    Args:
        lengths: int [clips], samples.
        clip_samples: length of the window.

    Returns:
        (first, last): int64 [clips], both inclusive.
    """
    spare = np.asarray(lengths, np.int64) - clip_samples
    return np.minimum(spare, 0), np.maximum(spare, 0)


def energy_start(pcm, clip_samples):
    """Position of the window that holds the most energy of a clip that is longer than the window.

    E(s) = sum over the window at s of (pcm - mean)^2, with zeros before and after the clip. Many windows around a short word hold all of
    it, so the result is the middle of the run of positions around the best one with E >= max E - 0.02 (max E - min E), moved into the
    clip: a word is centred, or, near an end of the clip, as far from the edge of the window as the clip allows.

    Args:
        pcm: int16 [samples], at least clip_samples.
        clip_samples: length of the window.

    Returns:
        int, 0 to samples - clip_samples.
    """
    power = pcm.astype(np.float64)
    power -= power.mean()
    np.square(power, out=power)
    sums = np.zeros(len(pcm) + 1)
    np.cumsum(power, out=sums[1:])
    del power                                                 # recordings may be long: 16 bytes per sample are enough
    energy = np.full(len(pcm) + clip_samples + 1, sums[-1])   # of positions from -clip_samples on
    energy[:len(sums)] = sums
    energy[clip_samples:] -= sums
    spare = len(pcm) - clip_samples
    inside = energy[clip_samples:clip_samples + spare + 1]
    best = clip_samples + int(np.argmax(inside))
    poor = energy < energy[best] - 0.02 * (energy[best] - inside.min())
    before, after = poor[best - 1::-1], poor[best:]
    first = best - int(np.argmax(before)) if before.any() else 0
    last = best - 1 + int(np.argmax(after)) if after.any() else len(energy) - 1
    first, last = first - clip_samples, last - clip_samples
    return int(np.clip((first + last) // 2, 0, spare))


def fixed_starts(lengths, clip_samples, crop):
    """Positions for the crops "start", "centre" and "end": int64 [clips]."""
    first, last = start_range(lengths, clip_samples)
    if crop == "start":
        return np.zeros_like(first)
    if crop == "end":
        return first + last
    if crop == "centre":
        return (first + last) // 2
    raise ConfigError(f"data: crop must be one of {', '.join(map(repr, TRAIN_CROPS))}; received {crop!r}.")


def fit_clip(pcm, clip_samples, crop):
    """One clip cut or zero-padded to the length that the network sees.

    Args:
        pcm: int16 [samples].
        clip_samples: length of the window.
        crop: "energy" (shorter clips are centred), "start", "centre" or "end".

    Returns:
        (int16 [clip_samples], position of the window in the clip; negative when so many zeros come first).
    """
    if crop == "energy":
        longer = len(pcm) > clip_samples
        position = energy_start(pcm, clip_samples) if longer else int(fixed_starts(len(pcm), clip_samples, "centre"))
    else:
        position = int(fixed_starts(len(pcm), clip_samples, crop))
    window = np.zeros(clip_samples, np.int16)
    kept = pcm[max(position, 0):max(position, 0) + clip_samples]
    window[max(-position, 0):max(-position, 0) + len(kept)] = kept
    return window, position
