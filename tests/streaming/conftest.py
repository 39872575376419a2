"""Networks with uneven statistics, the offline scores that a stream has to give, and a stream run in graph mode."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from kws_tf import models
from kws_tf.config import FEATURE_PRESETS, FeatureConfig, ModelConfig

FEATURES = {"mels40": FeatureConfig(), "mels80": FeatureConfig(n_mels=80), "mfcc20": FeatureConfig(kind="mfcc", n_mfcc=20),
            "sparknet": FEATURE_PRESETS["sparknet"], "mlperf_tiny": FEATURE_PRESETS["mlperf_tiny"]}


def randomise(network, seed=3):
    """Statistics, scales and shifts as uneven as after training, and kernels that let every frame show: one that is off changes a score
    by 0.01 to 1. With its initial values a network gives nearly the same scores for any audio."""
    random = np.random.default_rng(seed)
    for variable in network.variables:
        if variable.path.endswith(("gamma", "moving_variance")):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif variable.path.endswith(("beta", "moving_mean", "bias")):
            variable.assign(random.normal(0, 0.5, variable.shape))
        elif variable.path.endswith("kernel"):
            variable.assign(variable * 1.6)
    return network


@pytest.fixture(scope="session")
def network():
    def make(features="mels40", n_frames=98, n_classes=3, **settings):
        return randomise(models.build(ModelConfig(**settings), FEATURES[features], n_classes, n_frames, seed=1))
    return make


@pytest.fixture(scope="session")
def recording():
    def make(features="mels40", n_frames=130, batch=2, seed=0):
        shape = (batch, n_frames, FEATURES[features].n_features, 1)
        return np.random.default_rng(seed).normal(-2, 3, shape).astype(np.float32)
    return make


@pytest.fixture(scope="session")
def offline():
    """The scores of every frame of a recording, in numpy but for the network up to its mean: [batch, frames, classes]."""
    def scores(network, features, window):
        frames = np.asarray(network.frame_embeddings(features))
        logits = frames @ np.asarray(network.classifier.kernel) + np.asarray(network.classifier.bias)
        return np.stack([logits[:, max(0, t + 1 - window):t + 1].mean(axis=1) for t in range(frames.shape[1])], axis=1)
    return scores


@pytest.fixture(scope="session")
def run_stream():
    """Steps a recording through a StreamingModel, step sizes in turn, and flushes it; returns the scores of its frames."""
    def run(stream, features, sizes):
        steps = list(_pieces(features.shape[1], sizes))
        # A graph is worth its tracing for many steps only.
        step = tf.function(stream.step) if len(steps) > 20 * len(sizes) else stream.step
        state, scores = stream.initial_state(len(features)), []
        for start, end in steps:
            result, state = (step if end - start in sizes else stream.step)(tf.constant(features[:, start:end]), state)
            scores.append(result)
        return np.concatenate([*scores, stream.flush(state)], axis=1)[:, stream.delay_frames // stream.stride_frames:]
    return run


def _pieces(n_frames, sizes):
    start = 0
    for size in itertools.cycle(sizes):
        if start >= n_frames:
            return
        yield start, min(start + size, n_frames)
        start += size
