"""LogMel against numpy written out, against librosa, and at the edges of its input."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from kws_tf import features
from kws_tf.config import FEATURE_PRESETS, GRAPH_PRESETS, FeatureConfig, to_dict
from kws_tf.errors import ConfigError

PAPER = FEATURE_PRESETS["bc_resnet"]


def compute(config, pcm):
    return keras.ops.convert_to_numpy(features.LogMel(config)(pcm))


def test_presets_have_the_published_parameters():
    geometry = {name: (p.kind, p.window_samples, p.hop_samples, p.fft_size, p.n_mels, p.n_mfcc, p.low_hz, p.high_hz, p.spectrum)
                for name, p in GRAPH_PRESETS.items()}
    assert geometry == {
        "bc_resnet": ("logmel", 480, 160, 512, 40, 0, 0, 8000, "power"),
        "bc_resnet_80": ("logmel", 480, 160, 512, 80, 0, 0, 8000, "power"),
        "sparknet": ("mfcc", 400, 160, 512, 32, 32, 0, 8000, "power"),
        "mlperf_tiny": ("mfcc", 480, 320, 512, 40, 10, 20, 4000, "magnitude"),
        "low_compute": ("mfcc", 480, 480, 512, 40, 20, 0, 8000, "magnitude"),
    }
    assert {name: p.log_floor for name, p in GRAPH_PRESETS.items()} == {
        "bc_resnet": 1e-6, "bc_resnet_80": 1e-6, "sparknet": 1e-6, "mlperf_tiny": 1e-6, "low_compute": 1e-3}


@pytest.mark.parametrize("config", [
    PAPER,
    FEATURE_PRESETS["bc_resnet_80"],
    FeatureConfig(spectrum="magnitude", low_hz=60, high_hz=7600, log_floor=1e-3),
    FeatureConfig(window_samples=400, hop_samples=161, n_mels=20),
    FeatureConfig(window_samples=512, hop_samples=700, fft_size=512),
    FeatureConfig(window_samples=300, hop_samples=100, fft_size=400, n_mels=8, sample_rate=8000, high_hz=4000),
    FeatureConfig(window_samples=501, hop_samples=125, fft_size=501, n_mels=10),
], ids=["bc_resnet", "bc_resnet_80", "magnitude", "odd_hop", "hop_above_window", "8_khz", "odd_fft"])
def test_equals_numpy_written_out(config, speech_like, reference_features):
    got, expected = compute(config, speech_like), reference_features(speech_like, config)
    assert got.shape == expected.shape == (3, config.n_frames(2000), config.n_mels, 1)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_equals_librosa(speech_like):
    librosa = pytest.importorskip("librosa", reason="librosa (extra dev) is not installed")
    # librosa puts the window into the middle of fft_size; zeros before the clip move its frames onto ours
    margin = (PAPER.fft_size - PAPER.window_samples) // 2
    padded = np.pad(speech_like.astype(np.float64), [(0, 0), (margin, margin)])
    expected = librosa.feature.melspectrogram(
        y=padded, sr=16000, n_fft=512, win_length=480, hop_length=160, window="hann", center=False, power=2.0, n_mels=40, fmin=0, fmax=8000,
        htk=True, norm=None)
    got = compute(dataclasses.replace(PAPER, log_floor=1e-12), speech_like)[..., 0]
    np.testing.assert_allclose(np.exp(got), np.swapaxes(expected, 1, 2), rtol=1e-4)
    np.testing.assert_allclose(compute(PAPER, speech_like)[..., 0], np.log(np.maximum(np.swapaxes(expected, 1, 2), 1e-6)), rtol=1e-4)


def test_silence_is_the_log_floor():
    np.testing.assert_allclose(compute(PAPER, np.zeros((2, 640), np.float32)), math.log(1e-6), rtol=1e-6)


def test_constant_signal():
    config = FeatureConfig(window_samples=512, hop_samples=512, n_mels=40)
    got = compute(config, np.full((1, 512), 0.5, np.float32))[0, 0, :, 0]
    # 512 Hann-windowed samples of 0.5: |X| is 128, 64, 0, 0, ...; bin 1, 31.25 Hz, lies at 0.7042 of the way to 44.38 Hz, the centre of
    # the first band; bin 0 has no weight and the second band begins at 44.38 Hz
    assert got[0] == pytest.approx(math.log(64**2 * 0.7042), abs=1e-3)
    np.testing.assert_allclose(got[1:], math.log(1e-6), rtol=1e-6)


@pytest.mark.parametrize("signal", ["square", "negative", "noise"])
def test_full_scale(signal, reference_features):
    rng = np.random.default_rng(3)
    pcm = {"square": np.sign(np.sin(np.arange(800) * 0.37)), "negative": -np.ones(800), "noise": rng.uniform(-1, 1, 800)}[signal]
    pcm = np.clip(pcm, -1, 1 - 2**-15)[None].astype(np.float32)
    np.testing.assert_allclose(compute(PAPER, pcm), reference_features(pcm, PAPER), atol=1e-3)


def test_frames_are_causal_and_whole(speech_like):
    whole = compute(PAPER, speech_like)
    for frame in (0, 4):
        heard = PAPER.window_samples + frame * PAPER.hop_samples
        cut_off = speech_like.copy()
        cut_off[:, heard:] = 0.9
        changed = compute(PAPER, cut_off)
        np.testing.assert_array_equal(changed[:, :frame + 1], whole[:, :frame + 1])
        assert np.abs(changed[:, frame + 1] - whole[:, frame + 1]).max() > 0.1
        np.testing.assert_allclose(compute(PAPER, speech_like[:, :heard]), whole[:, :frame + 1], atol=1e-5)


def test_clips_of_a_batch_do_not_mix(speech_like):
    alone = np.concatenate([compute(PAPER, clip[None]) for clip in speech_like])
    np.testing.assert_allclose(compute(PAPER, speech_like), alone, atol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_same_inside_a_graph(speech_like, jit_compile):
    layer = features.LogMel(PAPER)
    graph = tf.function(layer, jit_compile=jit_compile, input_signature=[tf.TensorSpec([None if not jit_compile else 3, 2000])])
    np.testing.assert_allclose(graph(speech_like), layer(speech_like), atol=1e-4)


def test_saved_model_gives_the_same(tmp_path, speech_like):
    layer = features.LogMel(FeatureConfig(n_mels=20, spectrum="magnitude"), name="front_end")
    model = keras.Sequential([keras.Input((2000,)), layer])
    assert model.output_shape == (None, 10, 20, 1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].features == layer.features and loaded.layers[0].name == "front_end"
    np.testing.assert_array_equal(loaded(speech_like), model(speech_like))
    assert to_dict(layer.features) == layer.get_config()["features"]
    assert layer.weights == []


def test_computes_in_float32_under_mixed_precision(speech_like):
    expected = compute(PAPER, speech_like)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        got = features.LogMel(PAPER)(speech_like)
    finally:
        keras.config.set_dtype_policy("float32")
    assert got.dtype == "float32"
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(("pcm", "message"), [
    (np.zeros((1, 479), np.float32), r"a clip of 479 samples is shorter than one window of 480 samples \(30 ms.*--clip_duration"),
    (np.zeros((1, 480), np.int16), r"expected float PCM in \[-1, 1\); received int16.*32768"),
    (np.zeros(480, np.float32), r"expected PCM \[batch, samples\].*\(480,\)"),
])
def test_unusable_input_is_refused(pcm, message):
    layer = features.LogMel(PAPER)
    layer(np.zeros((1, 480), np.float32))
    with pytest.raises(ConfigError, match=f"^LogMel: .*{message}"):
        layer(pcm)


def test_unknown_length_is_refused():
    with pytest.raises(ConfigError, match="known number of samples"):
        features.LogMel(PAPER)(keras.Input((None,)))


def test_build_picks_the_layer_and_layers_refuse_other_kinds():
    assert type(features.build(PAPER)) is features.LogMel
    assert type(features.build(FEATURE_PRESETS["sparknet"], name="mfcc")) is features.MFCC
    with pytest.raises(ConfigError, match="LogMel: expected features of kind 'logmel'; received kind 'mfcc'"):
        features.LogMel(FEATURE_PRESETS["sparknet"])
