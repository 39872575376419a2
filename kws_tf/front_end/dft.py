"""Stage 2: the spectrum of each frame as two products with constant matrices."""

import dataclasses
import functools

import numpy as np

from kws_tf import mel
from kws_tf.errors import ConversionError
from kws_tf.front_end import fixed_point

COLUMNS = range(4, 65)
PHASES, SERIES = 16, 256
# Flash is scarcer than time: a product costs a Cortex-M4 half a cycle, and the tables are the largest part of the front end.
TABLE_COST = 2
# Squares of the spectrum's scale must be exact in float32 (Graph.multiply).
LARGEST_BOUND = 4096


@dataclasses.dataclass(frozen=True)
class DftPlan:
    """How an N-point DFT of a windowed frame is split in two (Cooley-Tukey), and its tables.

    With N = n1_size * columns, sample n = columns * n1 + n2 and bin k = k1 + n1_size * k2,

        z[n2, k1] = sum_n1 x[n] w[n] exp(-2 pi i n k1 / N)              first product: window, DFT and twiddle in one table
        X[k]      = sum_n2 z[n2, k1] exp(-2 pi i n2 k2 / columns)       second product

    The frame is zero-padded, so n1 counts only window / columns rows. x is real, so k1 = 0 ... n1_size // 2 is enough: the other
    bins are found as X[N - k]. A few bins then occur twice; the mel stage gives each copy half the weight. Rows k2 whose bins carry
    no mel weight are left out.

    Args:
        columns, rows: columns * rows = window. half: number of k1. kept: the k2 that are computed.
        bins: int [kept, half], the bin from 0 to N/2 that each output holds (up to the sign of its imaginary part).
        copies: int [kept, half], in how many outputs that bin occurs.
        first, first_scale: int16 [1, columns, 2 * half, rows]; real parts, then imaginary parts.
        second, second_scale: int16 [1, 2, kept, 2 * columns]; rows of the real, then of the imaginary part.
        first_bound: the largest |z| of any signal within +-1. bound: the largest |X| in a bin with mel weight.
    """

    columns: int
    rows: int
    half: int
    kept: tuple
    bins: np.ndarray
    copies: np.ndarray
    first: np.ndarray
    first_scale: float
    second: np.ndarray
    second_scale: float
    first_bound: float
    bound: int

    @property
    def cost(self):
        """Multiply-accumulates per frame plus TABLE_COST for every byte of the tables."""
        first = self.columns * 2 * self.half * self.rows
        second = 2 * len(self.kept) * 2 * self.columns
        return first + second * self.half + TABLE_COST * 2 * (first + second)


@functools.lru_cache(maxsize=32)
def plan(features):
    """The cheapest split for these parameters.

    Args:
        features: FeatureConfig.

    Raises:
        ConversionError: window and FFT size have no common divisor between 4 and 64, or the window is too long.
    """
    window, size = features.window_samples, features.fft_size
    bound = _spectrum_bound(features)
    if bound > LARGEST_BOUND:
        raise ConversionError(f"integer front end: window_samples={window} is too long, its spectrum can reach {bound}; "
                              f"the limit is {LARGEST_BOUND}. Use a shorter --window_samples.")
    splits = [columns for columns in COLUMNS if window % columns == 0 and size % columns == 0 and size > columns]
    if not splits:
        nearest = 16 * max(1, round(window / 16))
        raise ConversionError(
            f"integer front end: window_samples={window} and fft_size={size} need a common divisor from {COLUMNS[0]} to {COLUMNS[-1]}, "
            f"because the DFT is split in two; their greatest common divisor is {np.gcd(window, size)}. "
            f"Use --window_samples={nearest} with --fft_size={2 ** int(np.ceil(np.log2(nearest)))}.")
    return min((_split(features, columns) for columns in splits), key=lambda split: split.cost)


def transform(graph, frames, split):
    """The spectrum of amplified frames.

    Scales: |z| <= first_bound and |Re X|, |Im X| <= bound for any signal within +-1, so neither product can saturate in a bin that
    the mel bands use. (Bins 0 and N/2 can; no band uses them.) first_bound = max over n2 of sum_n1 w[n], which is rows / 2 for the
    Hann window. bound is the largest sum of w |cos|, between (2 / pi) sum w and 0.71 sum w.

    Args:
        graph: Graph. frames: Tensor [frames, rows, 1, columns]. split: DftPlan.

    Returns:
        Tensor [frames, 2, kept, half], real parts first.
    """
    graph.stage = "dft"
    n_frames = frames.shape[0]
    unit = frames.scale
    columns_first = graph.transpose(frames, (0, 3, 2, 1))
    first = graph.constant(split.first, split.first_scale, "dft_first")
    z = graph.matrix_product(columns_first, first, split.first_bound * unit, transpose_y=True, name="dft_first")
    z = graph.reshape(z, (n_frames, 1, 2 * split.columns, split.half))
    second = graph.constant(split.second, split.second_scale, "dft_second")
    return graph.matrix_product(second, z, split.bound * unit, name="dft_second")


def _split(features, columns):
    size, n1_size, rows = features.fft_size, features.fft_size // columns, features.window_samples // columns
    half = n1_size // 2 + 1
    used = mel_weights(features).any(1)
    bins = np.arange(half)[None, :] + n1_size * np.arange(columns)[:, None]
    bins = np.where(bins > size // 2, size - bins, bins)
    kept = np.flatnonzero(used[bins].any(1))
    bins = bins[kept]
    copies = np.bincount(bins.ravel(), minlength=size // 2 + 1)[bins]

    window = mel.hann_window(features.window_samples).reshape(rows, columns)
    n1, n2, k1 = np.ogrid[:rows, :columns, :half]
    factors = window[:, :, None] * np.exp(-2j * np.pi * ((n1 * columns + n2) * k1 % size) / size)        # [rows, columns, half]
    first, first_scale = fixed_point.quantise_int16(np.concatenate([factors.real, factors.imag], 2).transpose(1, 2, 0)[None])

    angle = 2 * np.pi * (kept[:, None] * np.arange(columns) % columns) / columns
    cos, sin = np.cos(angle), np.sin(angle)
    # the inner axis of the second product is (n2, real or imaginary), the layout in which the first product leaves z
    real, imaginary = np.stack([cos, sin], -1), np.stack([-sin, cos], -1)
    second, second_scale = fixed_point.quantise_int16(np.stack([real, imaginary]).reshape(1, 2, len(kept), 2 * columns))
    return DftPlan(columns, rows, half, tuple(kept.tolist()), bins, copies, first, first_scale, second, second_scale,
                   window.sum(0).max(), _spectrum_bound(features))


def mel_weights(features):
    """mel.mel_matrix without the rounding residue at the edges of the bands: weights below 1e-9 are 0."""
    weights = mel.mel_matrix(features)
    return np.where(weights < 1e-9, 0, weights)


@functools.lru_cache(maxsize=32)
def _spectrum_bound(features):
    """The largest |X| of a signal within +-1 over the bins with mel weight, rounded up to an integer.

    |X[k]| = max over phases p of sum_n x w cos(2 pi k n / N + p) <= max_p sum_n w |cos(2 pi k n / N + p)|. With the Fourier series
    |cos a| = 2/pi + 4/pi sum_m (-1)^(m+1) cos(2 m a) / (4 m^2 - 1) and the spectrum W of the window this is

        2/pi W[0] + 4/pi sum_m (-1)^(m+1) Re(exp(2 i m p) W[2 m k]) / (4 m^2 - 1).

    What the series lacks beyond SERIES terms is at most 2 / (pi (2 SERIES + 1)) W[0]; between two of the phases tried, the sum grows
    by less than 1 / cos(pi / (2 PHASES)).
    """
    size = features.fft_size
    window_spectrum = np.fft.fft(mel.hann_window(features.window_samples), size).conj()
    used = np.flatnonzero(mel_weights(features).any(1))
    m = np.arange(1, SERIES + 1)
    coefficients = 4 / np.pi * (-1.0) ** (m + 1) / (4 * m**2 - 1)
    turns = np.exp(2j * np.pi * m[:, None] * np.arange(PHASES) / PHASES)
    varying = (window_spectrum[2 * used[:, None] * m % size] @ (coefficients[:, None] * turns)).real
    total = window_spectrum[0].real
    largest = varying.max() + 2 / np.pi * total * (1 + 1 / (2 * SERIES + 1))
    return int(np.ceil(largest / np.cos(np.pi / (2 * PHASES))))
