"""The front end of ESPHome devices: streams, resets, limits, and the integers that devices make of it."""

import sys

import numpy as np
import pytest

from kws_tf import micro_front_end
from kws_tf.config import FEATURE_PRESETS
from kws_tf.errors import AudioError, ConfigError
from kws_tf.manifest import TensorSpec
from kws_tf.micro_front_end import CHANNELS, LARGEST_FEATURE, MicroFrontEnd, clip_features
from kws_tf.runtime.model import quantise

pytest.importorskip("pymicro_features", reason="the front end of ESPHome devices (extra esphome) is not installed")


@pytest.fixture(scope="module")
def pcm():
    random = np.random.default_rng(3)
    level = np.repeat(random.uniform(0, 6000, 40), 800)
    return np.clip(random.normal(size=32000) * level, -32768, 32767).astype(np.int16)


def test_one_frame_per_hop_behind_the_first_window(pcm):
    features = FEATURE_PRESETS["micro"]
    for n_samples in (479, 480, 640, 16000, 16159):
        assert MicroFrontEnd().process(pcm[:n_samples]).shape == (features.n_frames(n_samples), CHANNELS)


def test_chunks_make_no_difference_and_reset_forgets(pcm):
    front_end = MicroFrontEnd()
    whole = front_end.process(pcm)
    front_end.reset()
    cuts = np.sort(np.random.default_rng(1).integers(0, len(pcm), 60))
    parts = [front_end.process(part) for part in np.split(pcm, cuts)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(front_end.process(pcm), whole)            # it has adapted to what came before
    np.testing.assert_array_equal(clip_features(np.stack([pcm, pcm]))[1], whole)


def test_the_noise_estimate_takes_steady_noise_away():
    noise = (np.random.default_rng(2).normal(size=64000) * 1000).astype(np.int16)
    found = MicroFrontEnd().process(noise)
    assert found[:5].mean() > 4 * found[-100:].mean()


def test_silence_is_zero_and_the_loudest_sound_is_cut():
    assert not MicroFrontEnd().process(np.zeros(8000, np.int16)).any()
    loud = np.zeros(16000, np.int16)
    loud[8000:] = np.where(np.arange(8000) // 8 % 2, 32767, -32768)
    assert MicroFrontEnd().process(loud).max() == LARGEST_FEATURE


def test_the_integers_are_those_of_the_devices(pcm):
    features = MicroFrontEnd().process(pcm)
    ours = quantise(features, TensorSpec("features", (1, 3, CHANNELS), "int8", LARGEST_FEATURE / 255, -128)).astype(int)
    raw = np.rint(features * 25.6).astype(int)                          # the uint16 that a device has
    device = np.clip((raw * 256 + 333) // 666 - 128, -128, 127)
    assert len(np.unique(ours)) > 100 and np.abs(ours - device).max() <= 1
    library = np.round(features / np.float32(LARGEST_FEATURE / 255) - 128)
    assert np.abs(ours - library).max() == 0


def test_pymicro_wakeword_makes_the_same_features(pcm):
    package = pytest.importorskip("pymicro_wakeword", reason="pymicro-wakeword is not installed")
    theirs = np.concatenate(list(package.MicroWakeWordFeatures().process_streaming(pcm.tobytes())), axis=1)[0]
    np.testing.assert_allclose(MicroFrontEnd().process(pcm), np.minimum(theirs, LARGEST_FEATURE), atol=1e-5)


def test_what_is_refused(monkeypatch):
    with pytest.raises(AudioError, match=r"PCM must be int16 \[samples\]; received float64 \[3\]"):
        MicroFrontEnd().process(np.zeros(3))
    monkeypatch.setitem(sys.modules, "pymicro_features", None)
    with pytest.raises(ConfigError, match=r"pymicro-features, which is not installed: pip install 'kws_tf\[esphome\]'"):
        micro_front_end.MicroFrontEnd()
