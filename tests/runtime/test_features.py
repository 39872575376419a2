import keras
import numpy as np
import pytest

from kws_tf import features as feature_layers
from kws_tf.config import FEATURE_PRESETS, GRAPH_PRESETS, FeatureConfig
from kws_tf.errors import AudioError
from kws_tf.runtime.features import FeatureExtractor, FeatureStream

CONFIGS = {**GRAPH_PRESETS, "8 kHz": FeatureConfig(sample_rate=8000, window_samples=240, hop_samples=80, fft_size=256, high_hz=4000.0)}


def recordings(n_samples=12345):
    """int16 clips: speech-like, quiet, digital silence, full scale, constant."""
    random = np.random.default_rng(7)
    time = np.arange(n_samples) / 16000
    voice = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 20)) * (np.sin(9 * time) > 0)
    clips = [3000 * voice + 20 * random.normal(size=n_samples),
             3 * random.normal(size=n_samples), np.zeros(n_samples), 32767 * np.sign(np.sin(3000 * time)),
             np.full(n_samples, -32768.0), 8000 * random.normal(size=n_samples)]
    return np.clip(clips, -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("name", CONFIGS)
def test_equals_the_keras_layers(name):
    config = CONFIGS[name]
    pcm = recordings()
    layer = feature_layers.build(config)
    expected = keras.ops.convert_to_numpy(layer(pcm.astype(np.float32) / 32768))[..., 0]
    found = np.stack([FeatureExtractor(config)(clip) for clip in pcm])
    assert found.shape == expected.shape == (len(pcm), config.n_frames(pcm.shape[1]), config.n_features)
    assert found.dtype == np.float32
    speech = np.array([0, 5])
    np.testing.assert_allclose(found[speech], expected[speech], atol=1e-4)
    # Square waves and constants leave bands that hold rounding noise of float32 alone, just above the floor.
    np.testing.assert_allclose(found, expected, atol=2e-2 if config.kind == "logmel" else 5e-2)


def test_one_frame_by_hand():
    config = FeatureConfig(window_samples=4, hop_samples=2, fft_size=4, n_mels=1, low_hz=0.0, high_hz=8000.0, spectrum="power")
    pcm = np.array([0, 8192, 16384, -8192, 0, 0], np.int16)
    windowed = np.array([0, 8192, 16384, -8192]) / 32768 * np.array([0, 0.5, 1, 0.5])
    bins = [sum(windowed[n] * np.exp(-2j * np.pi * k * n / 4) for n in range(4)) for k in range(3)]
    # The only triangle: 0 at 0 Hz, 1 at the centre in mel, 0 at 8 kHz; bins lie at 0, 4 and 8 kHz.
    centre = 700 * ((1 + 8000 / 700) ** 0.5 - 1)
    expected = np.log(abs(bins[1]) ** 2 * (8000 - 4000) / (8000 - centre))
    found = FeatureExtractor(config)(pcm)
    assert found.shape == (2, 1)
    assert found[0, 0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("pcm, message", [
    (np.zeros(479, np.int16), "479 samples are fewer than one window of 480"),
    (np.zeros(16000, np.float32), "must be int16"),
    (np.zeros((2, 16000), np.int16), r"received int16 \[2, 16000\]"),
])
def test_refuses_other_input(pcm, message):
    with pytest.raises(AudioError, match=message):
        FeatureExtractor(FeatureConfig())(pcm)


def test_a_stream_gives_one_frame_per_hop_behind_silence():
    pcm = recordings()[0][:1600]
    for config in (GRAPH_PRESETS["bc_resnet"], GRAPH_PRESETS["low_compute"]):
        tail = config.window_samples - config.hop_samples
        whole = FeatureExtractor(config)(np.concatenate([np.zeros(tail, np.int16), pcm[:10 * config.hop_samples]]))
        stream, hop = FeatureStream(config), config.hop_samples
        n = len(pcm) // hop
        for _ in range(2):
            found = [stream(pcm[start * hop:stop * hop]) for start, stop in ((0, 1), (1, n))]
            np.testing.assert_allclose(np.concatenate(found), whole[:n], atol=1e-5)
            stream.reset()


def test_features_of_esphome_devices_begin_anew_with_every_clip():
    pytest.importorskip("pymicro_features", reason="the front end of ESPHome devices (extra esphome) is not installed")
    config, pcm = FEATURE_PRESETS["micro"], recordings()[5]
    extract, stream = FeatureExtractor(config), FeatureStream(config)
    first = extract(pcm)
    assert first.shape == (config.n_frames(len(pcm)), 40)
    np.testing.assert_array_equal(extract(pcm), first)
    behind = extract(np.concatenate([np.zeros(320, np.int16), pcm[:8000]]))
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate([stream(pcm[start:start + 480]) for start in range(0, 7680, 480)]), behind[:48])
        stream.reset()
    with pytest.raises(AudioError, match="shorter than|fewer than one window"):
        extract(pcm[:100])
