"""The front end as a file: the same integers in every interpreter, for every preset, on ordinary and on hostile signals."""

import dataclasses
import functools
import os
import pathlib

import numpy as np
import pytest

from kws_tf.config import FEATURE_PRESETS, GRAPH_PRESETS, FeatureConfig
from kws_tf.errors import ConversionError
from kws_tf.front_end import IntegerFeatures
from kws_tf.runtime.interpreter import KERNELS, available, open_interpreter
from kws_tf.tflite import flatbuffer, micro
from kws_tf.tflite.front_end import front_end_graph, front_end_model

CONFIGS = {
    **GRAPH_PRESETS,
    "magnitude, 20 bands, 480/320": FeatureConfig(hop_samples=320, n_mels=20, spectrum="magnitude", log_floor=1e-3),
    "640/320": FeatureConfig(window_samples=640, hop_samples=320, fft_size=1024, low_hz=60.0, high_hz=7600.0),
    "480/480": FeatureConfig(hop_samples=480),
    "twelve hops in a window": FeatureConfig(hop_samples=40),
    "hop 101": FeatureConfig(window_samples=400, hop_samples=101),
    "8 kHz": FeatureConfig(sample_rate=8000, window_samples=240, hop_samples=80, fft_size=256, n_mels=20, high_hz=4000.0),
}
INTERPRETERS = [name for name in available() if name != "tensorflow"]
N_SAMPLES = 2400


def signals(n_samples=N_SAMPLES):
    n, rng = np.arange(n_samples), np.random.default_rng(12)
    noise = rng.normal(size=n_samples)
    speech = np.sin(0.07 * n + 3 * np.sin(0.002 * n)) * np.clip(np.sin(0.005 * n), 0, 1) + 0.01 * noise
    kinds = {
        "zeros": np.zeros(n_samples), "ones": np.ones(n_samples), "constant -32768": np.full(n_samples, -32768),
        "full-scale square": np.where(n // 40 % 2, 32767, -32768), "square of 4 kHz": np.where(n // 2 % 2, 32767, -32768),
        "full-scale noise": rng.integers(-32768, 32768, n_samples), "+-3 LSB noise": rng.integers(-3, 4, n_samples),
        "full-scale tone": 32767 * np.sin(0.3 * n), "impulse": 32767 * (n == n_samples // 2), "start of a clip": 8000 * speech * (n > 900),
        **{f"speech-like at {level} dBFS": 32767 / 1.1 * 10 ** (level / 20) * speech for level in (0, -24, -48, -60)},
    }
    return {name: np.rint(values).astype(np.int16) for name, values in kinds.items()}


@functools.cache
def expected(name):
    """What the twin computes for every signal: name of the signal -> (PCM, features [1, frames, n_features, 1])."""
    results = IntegerFeatures(CONFIGS[name])(np.stack(list(signals().values())))
    return {kind: (pcm, result[None, :, :, None]) for (kind, pcm), result in zip(signals().items(), results, strict=True)}


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("name", CONFIGS)
def test_the_same_integers_in_every_interpreter(name, interpreter):
    content = front_end_model(CONFIGS[name], N_SAMPLES)
    for kernels in KERNELS:
        _, opened = open_interpreter(content, interpreter=interpreter, kernels=kernels)
        for kind, (pcm, integers) in expected(name).items():
            opened.set_tensor(opened.get_input_details()[0]["index"], pcm[None])
            opened.invoke()
            result = opened.get_tensor(opened.get_output_details()[0]["index"])
            np.testing.assert_array_equal(result, integers, err_msg=f"{interpreter} {kernels} {kind}")


@pytest.mark.skipif(bool(micro.unavailable()), reason=micro.unavailable())
@pytest.mark.parametrize("name", CONFIGS)
def test_the_same_integers_in_tflite_micro(name):
    interpreter = micro.MicroInterpreter(front_end_model(CONFIGS[name], N_SAMPLES))
    for kind, (pcm, integers) in expected(name).items():
        np.testing.assert_array_equal(interpreter(pcm[None]), integers, err_msg=kind)


@pytest.mark.skipif(bool(micro.unavailable()), reason=micro.unavailable())
@pytest.mark.parametrize("name", ["bc_resnet", "mlperf_tiny"])
def test_one_window_at_a_time_gives_the_frames_of_the_clip(name):
    features = CONFIGS[name]
    interpreter = micro.MicroInterpreter(front_end_model(features, features.window_samples))
    pcm, integers = expected(name)["speech-like at -24 dBFS"]
    starts = range(0, N_SAMPLES - features.window_samples + 1, features.hop_samples)
    hops = [interpreter(pcm[None, start:start + features.window_samples]) for start in starts]
    np.testing.assert_array_equal(np.concatenate(hops, 1), integers)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_tensor_is_an_integer_and_every_border_is_described(name):
    features = CONFIGS[name]
    graph = flatbuffer.read(front_end_model(features, N_SAMPLES))
    assert {tensor.dtype for tensor in graph.tensors()} <= {"int8", "int16", "int32", "int64"}
    pcm, output = graph.inputs[0].spec, graph.outputs[0].spec
    assert (pcm.name, pcm.shape, pcm.dtype, pcm.scale) == ("pcm", (1, N_SAMPLES), "int16", 2.0**-15)
    assert (output.name, output.shape) == (features.kind, (1, features.n_frames(N_SAMPLES), features.n_features, 1))
    assert (output.dtype, output.scale) == ("int16", IntegerFeatures(features).scale)
    for node in graph.nodes:
        if node.operator == "CONV_2D":
            assert node.inputs[2].dtype == "int64"                      # int32 bias wraps in LiteRT


@pytest.mark.parametrize(("name", "nodes"),
                         [("bc_resnet", 28), ("mlperf_tiny", 24), ("magnitude, 20 bands, 480/320", 23), ("sparknet", 29)])
def test_node_counts_do_not_grow(name, nodes):
    framing = [node for node in front_end_graph(CONFIGS[name], 16000).nodes if node.output.name.startswith("framing/")]
    assert len(front_end_graph(CONFIGS[name], 16000).nodes) - len(framing) <= nodes
    assert len(framing) <= 6


def test_the_floor_can_be_left_to_the_classifier():
    features = FEATURE_PRESETS["bc_resnet"]
    with_floor, without = front_end_graph(features, 16000), front_end_graph(features, 16000, floor=False)
    assert [node.operator for node in with_floor.nodes] == [*(node.operator for node in without.nodes), "MAXIMUM"]


def test_a_clip_shorter_than_a_window_is_refused():
    with pytest.raises(ConversionError, match="479 samples is shorter than one window"):
        front_end_model(FeatureConfig(), 479)


def test_parameters_that_do_not_fit_are_refused():
    with pytest.raises(ConversionError, match="need a common divisor"):
        front_end_model(dataclasses.replace(FeatureConfig(), window_samples=441), 16000)


def recorded_clips(n_clips=12):
    """int16 [clips, samples] of real speech, or a skip with the reason."""
    from kws_tf import audio

    root = pathlib.Path(os.environ.get("KWS_DATA", pathlib.Path(__file__).parents[3] / "shared" / "data"))
    paths = sorted((root / "speech_commands_bed_cat_happy" / "testing").glob("*/*.flac"))
    if not paths:
        pytest.skip(f"no recordings under {root}; set KWS_DATA")
    chosen = [paths[i] for i in np.random.default_rng(13).permutation(len(paths))[:n_clips]]
    return np.stack([np.resize(np.append(audio.read_pcm(path, 16000), np.zeros(16000, np.int16)), 16000) for path in chosen])


@pytest.mark.parametrize("name", [*GRAPH_PRESETS, "magnitude, 20 bands, 480/320", "480/480"])
def test_training_and_device_see_the_same_features(name):
    from kws_tf import features as layers

    features, pcm = CONFIGS[name], recorded_clips()
    in_training = np.asarray(layers.build(features)(pcm.astype(np.float32) / 32768))[..., 0]
    front_end = IntegerFeatures(features)
    on_device = front_end(pcm) * front_end.scale
    error = np.abs(on_device - in_training)
    assert np.median(error) < 0.015
    # MFCC spread over all coefficients what a band far below the loudest one lacks
    assert np.percentile(error, 95) < (0.06 if features.kind == "logmel" else 0.25)
    for training_clip, device_clip in zip(in_training, on_device, strict=True):
        assert np.corrcoef(training_clip.ravel(), device_clip.ravel())[0, 1] > 0.998
