"""The constant tables of the features: window, mel filterbank and cosine transform. numpy alone, for training and runtime alike."""

import numpy as np

from kws_tf.errors import ConfigError

_LARGEST_FFT_SIZE = 1 << 16


def hann_window(n_samples):
    """Periodic Hann window, w[n] = 0.5 - 0.5 cos(2 pi n / N).

    Args:
        n_samples: N, at least 2.

    Returns:
        float64 [samples]. w[0] is 0; the symmetric window would end in 0 as well.

    Example:
        >>> hann_window(4).tolist()
        [0.0, 0.5, 1.0, 0.5]
    """
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_samples) / n_samples)


def hz_to_mel(hz):
    """HTK mel scale: 2595 log10(1 + f/700)."""
    return 2595 * np.log10(1 + np.asarray(hz, np.float64) / 700)


def mel_to_hz(mel):
    """Inverse of hz_to_mel."""
    return 700 * (10 ** (np.asarray(mel, np.float64) / 2595) - 1)


def mel_matrix(features):
    """Weights of the HTK mel filterbank, without area normalisation.

    Band m is a triangle over frequency in Hz, 0 at the edges e[m] and e[m+2] and 1 at e[m+1], where e are n_mels + 2 points at
    equal distance in mel between low_hz and high_hz. The definition is that of torchaudio (mel_scale "htk", norm None) and of
    librosa (htk=True, norm=None); tf.signal draws its triangles straight in mel instead.

    Args:
        features: FeatureConfig; sample_rate, fft_size, n_mels, low_hz and high_hz are read.

    Returns:
        float64 [bins, bands] with fft_size // 2 + 1 bins, so that spectrum @ mel_matrix gives the bands.

    Raises:
        ConfigError: a band so narrow that it holds no FFT bin; it would stay at the log floor for ever.
    """
    weights = _triangles(features, features.fft_size)
    empty = np.flatnonzero(weights.sum(0) == 0)
    if empty.size:
        raise ConfigError(
            f"features: {empty.size} of {features.n_mels} mel bands between {features.low_hz:g} and {features.high_hz:g} Hz hold no FFT "
            f"bin (the first is band {empty[0]}): bins are {features.sample_rate / features.fft_size:g} Hz apart with "
            f"fft_size={features.fft_size}. Use fewer --n_mels or {_remedy(features)}.")
    return weights


def dct_matrix(n_mfcc, n_mels):
    """The first n_mfcc columns of the orthonormal DCT-II: c[k] = s[k] sum_m x[m] cos(pi k (2m + 1) / (2 n_mels)).

    Args:
        n_mfcc: coefficients kept, at most n_mels.
        n_mels: length of the input.

    Returns:
        float64 [bands, coefficients], s[0] = sqrt(1/n_mels) and s[k] = sqrt(2/n_mels) included, so that logmel @ dct_matrix
        gives the MFCC.
    """
    bands, coefficients = np.arange(n_mels)[:, None], np.arange(n_mfcc)[None, :]
    scale = np.where(coefficients == 0, np.sqrt(1 / n_mels), np.sqrt(2 / n_mels))
    return scale * np.cos(np.pi * coefficients * (2 * bands + 1) / (2 * n_mels))


def _triangles(features, fft_size):
    edges = mel_to_hz(np.linspace(hz_to_mel(features.low_hz), hz_to_mel(features.high_hz), features.n_mels + 2))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    hz = (np.arange(fft_size // 2 + 1) * features.sample_rate / fft_size)[:, None]
    return np.maximum(0, np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre)))


def _remedy(features):
    """The smallest doubling of fft_size that leaves no band empty, or a wider range where that would be beyond all reason."""
    fft_size = 2 * features.fft_size
    while fft_size <= _LARGEST_FFT_SIZE:
        if (_triangles(features, fft_size).sum(0) > 0).all():
            return f"--fft_size={fft_size}"
        fft_size *= 2
    return "a wider range from --low_hz to --high_hz"
