"""The whole chain against float64."""

import dataclasses

import numpy as np
import pytest

from kws_tf import mel
from kws_tf.config import FEATURE_PRESETS, GRAPH_PRESETS, FeatureConfig
from kws_tf.errors import ConfigError, ConversionError
from kws_tf.front_end import IntegerFeatures

MAGNITUDE = dataclasses.replace(FeatureConfig(), spectrum="magnitude", log_floor=1e-3)
GEOMETRIES = {
    "power 480/160": FeatureConfig(),
    "magnitude 480/160": MAGNITUDE,
    "power, 80 bands": FEATURE_PRESETS["bc_resnet_80"],
    "magnitude, 20 bands, 480/320": dataclasses.replace(MAGNITUDE, hop_samples=320, n_mels=20),
    "power 400/160": FeatureConfig(window_samples=400, n_mels=32),
    "magnitude 640/320": dataclasses.replace(MAGNITUDE, window_samples=640, hop_samples=320, fft_size=1024),
    "power 480/480": FeatureConfig(hop_samples=480),
    "power at 8 kHz": FeatureConfig(sample_rate=8000, window_samples=240, hop_samples=80, fft_size=256, n_mels=20, high_hz=4000.0),
    "magnitude at 8 kHz": FeatureConfig(sample_rate=8000, window_samples=200, hop_samples=80, fft_size=256, n_mels=20, high_hz=4000.0,
                                        spectrum="magnitude"),
    "60-7600 Hz": FeatureConfig(low_hz=60.0, high_hz=7600.0),
}


def float_features(pcm, features, log_floor):
    """FeatureConfig's definition in float64, independent of the Keras layers: [frames, n_features]."""
    starts = np.arange(features.n_frames(len(pcm)))[:, None] * features.hop_samples
    frames = pcm[starts + np.arange(features.window_samples)] / 32768
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(features.window_samples) / features.window_samples)
    spectrum = np.abs(np.fft.rfft(frames * window, features.fft_size)) ** (2 if features.spectrum == "power" else 1)
    log_mel = np.log(np.maximum(spectrum @ mel.mel_matrix(features), log_floor))
    if features.kind == "logmel":
        return log_mel
    bands = np.arange(features.n_mels)
    cosines = np.cos(np.pi * np.arange(features.n_mfcc)[:, None] * (2 * bands + 1) / (2 * features.n_mels))
    return log_mel @ cosines.T * np.sqrt(np.where(np.arange(features.n_mfcc) == 0, 1, 2) / features.n_mels)


@pytest.mark.parametrize("level_dbfs", [0, -36, -60])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_log_mel_error_against_float64(name, level_dbfs, speech_like):
    features = GEOMETRIES[name]
    pcm = speech_like(features.sample_rate // 2, features.sample_rate, level_dbfs)
    front_end = IntegerFeatures(features)
    expected = float_features(pcm, features, features.log_floor)
    error = front_end(pcm) * front_end.scale - expected
    above = expected > np.log(features.log_floor)
    error_db = np.abs(error[above]) * (10 if features.spectrum == "power" else 20) / np.log(10)
    assert above.mean() > 0.2
    assert np.median(error_db) < 0.05
    assert np.percentile(error_db, 95) < 0.12
    assert np.percentile(error_db, 99) < 0.4
    assert np.abs(np.mean(error)) < 0.01                                # no bias


@pytest.mark.parametrize("name", ["sparknet", "mlperf_tiny", "low_compute"])
def test_mfcc_error_against_float64(name, speech_like):
    features = FEATURE_PRESETS[name]
    front_end = IntegerFeatures(features)
    pcm = speech_like(16000, 16000, -12)
    expected = float_features(pcm, features, features.log_floor)
    error = front_end(pcm) * front_end.scale - expected
    assert np.percentile(np.abs(error), 95) < 0.05
    assert np.corrcoef(expected.ravel(), (expected + error).ravel())[0, 1] > 0.9999


def test_every_preset_runs():
    pcm = np.random.default_rng(8).integers(-3000, 3000, 16000).astype(np.int16)
    for features in GRAPH_PRESETS.values():
        assert IntegerFeatures(features)(pcm).shape == (features.n_frames(16000), features.n_features)


def test_the_front_end_of_esphome_devices_is_another():
    with pytest.raises(ConversionError, match="computed by ESPHome devices themselves.*Use --profile=esphome or --profile=features"):
        IntegerFeatures(FEATURE_PRESETS["micro"])


@pytest.mark.parametrize("features", [FeatureConfig(), MAGNITUDE, FEATURE_PRESETS["mlperf_tiny"]], ids=lambda features: features.spectrum)
def test_digital_silence_is_the_floor(features):
    front_end = IntegerFeatures(features)
    result = front_end(np.zeros(16000, np.int16)) * front_end.scale
    expected = float_features(np.zeros(16000, np.int16), features, features.log_floor)
    np.testing.assert_allclose(result, expected, atol=0.01 + 4 * front_end.scale)


def test_the_floor_can_be_left_out(speech_like):
    features = dataclasses.replace(FeatureConfig(), log_floor=1e-2)
    pcm = speech_like(16000, 16000, -40)
    with_floor, without = IntegerFeatures(features), IntegerFeatures(features, floor=False)
    steps = without(pcm)
    assert (steps * without.scale < np.log(1e-2) - 1).mean() > 0.1
    np.testing.assert_array_equal(with_floor(pcm), np.maximum(steps, round(np.log(1e-2) / without.scale)))


def test_a_constant_is_followed_like_any_signal(speech_like):
    # DC leaks into the lowest band; the definition keeps it, and so does the graph
    pcm = (speech_like(16000, 16000, -24).astype(int) + 700).astype(np.int16)
    front_end = IntegerFeatures(FeatureConfig())
    error = front_end(pcm) * front_end.scale - float_features(pcm, FeatureConfig(), 1e-6)
    assert np.percentile(np.abs(error[:, :2]), 95) < 0.03


@pytest.mark.parametrize("value", [32767, -32768])
@pytest.mark.parametrize("shape", ["constant", "square", "nyquist", "impulse"])
def test_the_loudest_signals_do_not_wrap(shape, value):
    n = np.arange(16000)
    signals = {"constant": np.full(16000, value), "square": np.where(n // 40 % 2, value, -1 - value),
               "nyquist": np.where(n % 2, value, -1 - value), "impulse": np.where(n % 997 == 0, value, 0)}
    pcm = signals[shape].astype(np.int16)
    front_end = IntegerFeatures(FeatureConfig())
    result, expected = front_end(pcm) * front_end.scale, float_features(pcm, FeatureConfig(), 1e-6)
    # not the frames in which only the flank of the window sees the impulse: the gain is set by the peak before windowing
    loud = expected > expected.max() - 60 * np.log(10) / 10
    assert loud.sum() >= 50
    assert np.abs(result - expected)[loud].max() < 1.0


def test_a_floor_below_16_bits_is_refused():
    with pytest.raises(ConversionError, match=r"log_floor=1e-14 is below e\^-31.*--log_floor=3e-14"):
        IntegerFeatures(FeatureConfig(log_floor=1e-14))


def test_a_band_without_a_bin_is_refused_by_the_filterbank():
    with pytest.raises(ConfigError, match="hold no FFT bin"):
        IntegerFeatures(dataclasses.replace(FEATURE_PRESETS["bc_resnet_80"], n_mels=128))
