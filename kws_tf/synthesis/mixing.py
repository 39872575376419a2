"""From an utterance to a clip: cut the silence around it, place it, and mix it with noise at a stated ratio and level."""

import numpy as np

from kws_tf.errors import AudioError


def block_offset(speech, sample_rate, cutoff_hz=20.0):
    """Takes away a constant offset, which some synthetic voices have while they speak: a high-pass of first order.

    y[n] = x[n] - x[n-1] + r y[n-1] with r = 1 - 2 pi cutoff / rate.

    Args:
        speech: float [samples]. sample_rate: Hz. cutoff_hz: where 3 dB are lost.

    Returns:
        float [samples].
    """
    from scipy.signal import lfilter

    return lfilter([1.0, -1.0], [1.0, 2 * np.pi * cutoff_hz / sample_rate - 1], speech)


def trim(speech, sample_rate, floor_db=-50.0, margin_ms=20.0):
    """Cuts the silence before and after an utterance, keeping a margin so that soft ends stay whole.

    Args:
        speech: float [samples].
        sample_rate: Hz.
        floor_db: what is silent, relative to the peak of the utterance.
        margin_ms: kept on both sides, as far as there is any.

    Returns:
        float [samples], at least one.

    Raises:
        AudioError: the utterance is silent throughout.
    """
    loudness = np.abs(speech)
    peak = loudness.max(initial=0)
    if peak == 0:
        raise AudioError("mixing: the utterance to trim is silent throughout.")
    audible = np.flatnonzero(loudness > peak * 10 ** (floor_db / 20))
    margin = round(margin_ms * sample_rate / 1000)
    return speech[max(0, audible[0] - margin):audible[-1] + 1 + margin]


def cut(speech, start, end, sample_rate, fade_ms):
    """A stretch of an utterance, with short fades where it is cut, so that the cut does not click.

    Args:
        speech: float [samples].
        start, end: first sample, and the one after the last.
        sample_rate: Hz.
        fade_ms: length of each fade; the ends of the utterance itself are not faded.

    Returns:
        float [end - start].
    """
    part = speech[start:end].copy()
    ramp = np.linspace(0, 1, min(len(part), round(fade_ms * sample_rate / 1000)))
    if start > 0:
        part[:len(ramp)] *= ramp
    if end < len(speech):
        part[len(part) - len(ramp):] *= ramp[::-1]
    return part


def place(speech, n_samples, position):
    """Puts an utterance into a clip of zeros.

    Args:
        speech: float [samples].
        n_samples: length of the clip.
        position: 0 (at the start) to 1 (at the end).

    Returns:
        float [n_samples].

    Raises:
        AudioError: the utterance is longer than the clip; it would lose its end.
    """
    room = n_samples - len(speech)
    if room < 0:
        raise AudioError(f"mixing: an utterance of {len(speech)} samples does not fit into a clip of {n_samples}; speak faster.")
    start = round(position * room)
    return np.pad(speech, (start, room - start))


def add_noise(speech, noise, snr_db):
    """speech + g * noise, with g such that the mean power of the part that speaks is snr_db above that of the noise.

    Args:
        speech: float [samples], zero outside the utterance and not all zero. noise: float [samples].
        snr_db: signal-to-noise ratio.

    Returns:
        float [samples].
    """
    spoken = np.flatnonzero(speech)
    speech_power = np.sum(np.square(speech)) / (spoken[-1] + 1 - spoken[0])
    gain = np.sqrt(speech_power / np.mean(np.square(noise))) * 10 ** (-snr_db / 20)
    return speech + gain * noise


def to_pcm(signal, peak_db):
    """Scales a clip to a peak level and rounds it to 16 bits; nothing clips.

    Args:
        signal: float [samples], not all zero.
        peak_db: level of the largest sample in dB relative to full scale, at most 0.

    Returns:
        int16 [samples].
    """
    return np.rint(signal * (32767 * 10 ** (peak_db / 20) / np.max(np.abs(signal)))).astype(np.int16)
