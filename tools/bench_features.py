"""Clips per CPU second of features and augmentation in a TensorFlow graph, one thread, against other ways to write them.

    python tools/bench_features.py --batch_size=128 --rounds=15

Every round runs every formulation once, in turn, so that all see the same machine; a ratio is the median over rounds of the ratio
within a round, with the quartiles. The time is CPU time of the process.
"""

import math
import os
import time

os.environ.update(KERAS_BACKEND="tensorflow", OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="2")

import keras
import numpy as np
import tensorflow as tf
from absl import flags
from keras import ops

from kws_tf import augment, features, mel
from kws_tf.config import FEATURE_PRESETS, GRAPH_PRESETS, AugmentConfig
from kws_tf.flags import refuse_arguments, run

SAMPLE_RATE = CLIP_SAMPLES = 16000
FLAGS = flags.FLAGS


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "bench_features"}
    flags.DEFINE_integer("batch_size", 128, "Clips of one second per call.", lower_bound=1, **place)
    flags.DEFINE_integer("rounds", 15, "Interleaved rounds.", lower_bound=3, **place)
    flags.DEFINE_enum("features", "bc_resnet", sorted(GRAPH_PRESETS), "Feature preset.", **place)


class SampleGather(features.LogMel):
    """Frames gathered sample by sample."""

    def _frames(self, pcm):
        starts = np.arange(self.features.n_frames(pcm.shape[1])) * self.features.hop_samples
        padded = ops.pad(pcm, [[0, 0], [0, self.features.fft_size - self.features.window_samples]])
        return ops.take(padded, (starts[:, None] + np.arange(self.features.fft_size)).astype(np.int32), axis=1)


class HopSlices(features.LogMel):
    """Frames put together from one slice per hop, padded to the FFT size afterwards."""

    def _frames(self, pcm):
        hop, window = self.features.hop_samples, self.features.window_samples
        n_frames, per_frame = self.features.n_frames(pcm.shape[1]), math.ceil(window / hop)
        n_hops = n_frames + per_frame - 1
        pcm = ops.pad(pcm[:, :n_hops * hop], [[0, 0], [0, max(0, n_hops * hop - pcm.shape[1])]])
        hops = ops.reshape(pcm, (-1, n_hops, hop))
        joined = ops.concatenate([hops[:, first:first + n_frames] for first in range(per_frame)], axis=-1)
        return ops.pad(joined[..., :window], [[0, 0], [0, 0], [0, self.features.fft_size - window]])


class MatrixTransform(features.LogMel):
    """The Fourier transform as a matrix product."""

    def log_mel(self, pcm):
        window, size = self.features.window_samples, self.features.fft_size
        kernel = np.exp(-2j * np.pi * np.outer(np.arange(window), np.arange(size // 2 + 1)) / size)
        kernel = np.concatenate([kernel.real, kernel.imag], 1) * mel.hann_window(window)[:, None]
        parts = ops.square(ops.matmul(self._frames(pcm)[..., :window], kernel.astype(np.float32)))
        spectrum = parts[..., :size // 2 + 1] + parts[..., size // 2 + 1:]
        return ops.log(ops.maximum(ops.matmul(spectrum, self._mel), self.features.log_floor))


def shift_by_gather(pcm, shift_samples):
    """What TimeShift does, by take_along_axis."""
    margin = 1600
    index = margin - shift_samples[:, None] + ops.arange(CLIP_SAMPLES, dtype="int32")
    return ops.take_along_axis(ops.pad(pcm, [[0, 0], [margin, margin]]), index, axis=1)


def noise_by_gather(bank, starts):
    """What NoiseBank.cut does, by take."""
    index = starts[:, None] + ops.arange(CLIP_SAMPLES, dtype="int32")
    return ops.cast(ops.take(bank.pcm, index, axis=0), "float32") * (1 / 32768)


def whole_chain(config, recordings, seed_generator):
    """int16 PCM and labels -> augmented features, as training does it."""
    layer = features.build(config)
    waveform = augment.WaveformAugment(AugmentConfig(), SAMPLE_RATE, CLIP_SAMPLES, recordings, silence_index=0)
    masks = augment.SpecAugment(AugmentConfig(time_mask_frames=10), config.n_frames(CLIP_SAMPLES), config.n_features, tau=2)

    def chain(pcm, labels):
        n_clips = pcm.shape[0]
        pcm = ops.cast(pcm, "float32") * (1 / 32768)
        pcm = waveform.apply(pcm, waveform.draw(n_clips, labels, seed_generator))
        return masks.apply(layer(pcm), masks.draw(n_clips, seed_generator))
    return chain


def measure(cases, rounds, agree):
    """CPU seconds [rounds] of each case, in turn within a round; with agree, after a check that all give the same result."""
    seconds = {name: [] for name in cases}
    results = [function(*arguments).numpy() for function, arguments in cases.values()]
    if agree:
        for result in results[1:]:
            np.testing.assert_allclose(result, results[0], atol=1e-3)
    for _ in range(rounds):
        for name, (function, arguments) in cases.items():
            start = time.process_time()
            function(*arguments).numpy()
            seconds[name].append(time.process_time() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def report(title, cases, n_clips, rounds, agree=True):
    """Prints one line per case; the first case is the one that the package uses."""
    seconds = measure(cases, rounds, agree)
    first = next(iter(seconds))
    print(f"\n{title}")
    for name, values in seconds.items():
        low, middle, high = np.quantile(seconds[first] / values, [0.25, 0.5, 0.75])
        print(f"  {name:42s} {n_clips / np.median(values):8.0f} clips per CPU second   {middle:5.2f} x the first ({low:.2f}-{high:.2f})")


def main(argv):
    refuse_arguments(argv)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    n_clips, config = FLAGS.batch_size, FEATURE_PRESETS[FLAGS.features]
    rng = np.random.default_rng(1)
    pcm = rng.integers(-3000, 3000, (n_clips, CLIP_SAMPLES)).astype(np.int16)
    recordings = [rng.integers(-3000, 3000, 60 * SAMPLE_RATE).astype(np.int16) for _ in range(6)]
    labels = rng.integers(0, 12, n_clips).astype(np.int32)
    clips = tf.constant(pcm / np.float32(32768))
    shift = augment.TimeShift(1.0, 1600, CLIP_SAMPLES)
    bank = augment.NoiseBank(recordings, CLIP_SAMPLES)
    shifts, starts = tf.constant(rng.integers(-1600, 1601, n_clips), tf.int32), tf.constant(rng.integers(0, 5_000_000, n_clips), tf.int32)

    if config.kind == "logmel":
        layers = {"rows of memory, rfft (LogMel)": features.LogMel, "one slice per hop, rfft": HopSlices,
                  "gather of samples, rfft": SampleGather, "rows of memory, DFT as matrix product": MatrixTransform}
        report("log-mel", {name: (tf.function(layer(config)), (clips,)) for name, layer in layers.items()}, n_clips, FLAGS.rounds)
    report("time shift", {
        "one slice per clip (TimeShift)": (tf.function(lambda x, d: shift.apply(x, {"shift_samples": d})), (clips, shifts)),
        "gather of samples": (tf.function(shift_by_gather), (clips, shifts)),
    }, n_clips, FLAGS.rounds)
    report("noise cut", {
        "one slice per clip (NoiseBank.cut)": (tf.function(bank.cut), (starts,)),
        "gather of samples": (tf.function(lambda s: noise_by_gather(bank, s)), (starts,)),
    }, n_clips, FLAGS.rounds)
    chain = tf.function(whole_chain(config, recordings, keras.random.SeedGenerator(1)))
    layer = features.build(config)
    report("shift, noise, features, SpecAugment", {
        "int16 clips to augmented features": (chain, (tf.constant(pcm), tf.constant(labels))),
        "features alone": (tf.function(layer), (clips,)),
    }, n_clips, FLAGS.rounds, agree=False)


if __name__ == "__main__":
    run(main, define)
