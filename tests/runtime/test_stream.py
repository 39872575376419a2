"""Streams of the small network: any chunking, hop, state and interpreter gives the same scores; hostile audio and manifests."""

import dataclasses
import types

import numpy as np
import pytest

from kws_tf import manifest as manifests
from kws_tf.errors import AudioError, ModelFileError
from kws_tf.manifest import MANIFEST_FILE
from kws_tf.runtime import Stream
from kws_tf.runtime.interpreter import available
from kws_tf.runtime.model import dequantise

INTERPRETERS = [name for name in available() if name != "tensorflow"]
HOP = 160
KINDS = [("pi", "external", 1), ("pi", "internal", 1), ("pi", "internal", 2), ("pi", "external", 3), ("features", "internal", 1),
         ("features", "external", 2), ("float32", "external", 1), ("float32", "internal", 2)]


@pytest.fixture(scope="module")
def streams(small_network, tone_clips, convert_once, tmp_path_factory):
    """Folder of the streaming exports PROFILE_STATE_HOP, each network prepared once; and what made them."""
    from kws_tf.tflite import flatbuffer
    from kws_tf.tflite.export import describe, write
    from kws_tf.tflite.profiles import PROFILES
    from kws_tf.tflite.streaming import streaming_graph
    from kws_tf.tflite.streaming_export import prepare_run

    folder, config = tmp_path_factory.mktemp("streams"), small_network.config
    prepared = {name: prepare_run(small_network.model, config, small_network.classes, tone_clips[0], PROFILES[name])
                for name in ("pi", "features", "float32")}
    for profile, state, hop in KINDS:
        kind = PROFILES[profile].input_kind
        graph, section = streaming_graph(prepared[profile], config.features, hop, state, kind)
        content = flatbuffer.write(graph)
        write(folder / f"{profile}_{state}_{hop}", content,
              describe(content, config, small_network.classes, profile=PROFILES[profile], parameters=1, streaming=section))
    return types.SimpleNamespace(folder=folder, prepared=prepared)


@pytest.fixture(scope="module")
def audio(tone_clips):
    return np.concatenate([tone_clips[0][index] for index in (0, 1, 2)])


def logits(frames):
    return np.array([frame.logits for frame in frames])


@pytest.fixture(scope="module")
def expected(streams, audio):
    """Frames of every profile from its first kind, all audio at once."""
    first = {profile: (state, hop) for profile, state, hop in reversed(KINDS)}
    return {profile: Stream(streams.folder / f"{profile}_{state}_{hop}", interpreter=INTERPRETERS[0]).process(audio)
            for profile, (state, hop) in first.items()}


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("profile, state, hop", KINDS)
def test_any_chunking_hop_and_state_give_the_same_frames(profile, state, hop, interpreter, streams, audio, expected):
    stream = Stream(streams.folder / f"{profile}_{state}_{hop}", interpreter=interpreter)
    assert stream.hop_samples == hop * HOP and stream.labels == ("high", "low", "middle")
    random, frames, start = np.random.default_rng(5), [], 0
    while start < len(audio):
        size = int(random.choice([1, 7, 160, 333, 2500]))
        frames += stream.process(audio[start:start + size])
        start += size
    frames += stream.flush()
    assert len(frames) == len(audio) // HOP
    assert [frame.end_samples for frame in frames] == [HOP * (index + 1) for index in range(len(frames))]
    reference = expected[profile]
    if profile == "float32":
        np.testing.assert_allclose(logits(frames)[:len(reference)], logits(reference), atol=1e-5)
    else:
        np.testing.assert_array_equal(logits(frames)[:len(reference)], logits(reference))
        assert len(np.unique(logits(reference), axis=0)) > 30


def test_scores_are_those_of_the_offline_network(streams, audio, expected, small_network):
    """The float file: the offline network for all audio since the reset, behind window - hop zero samples."""
    from kws_tf.runtime.features import FeatureExtractor

    config = small_network.config
    window = config.features.n_frames(config.clip_samples)
    tail = config.features.window_samples - HOP
    features = FeatureExtractor(config.features)(np.concatenate([np.zeros(tail, np.int16), audio]))
    model = small_network.model
    frames = np.asarray(model.frame_embeddings(features[None, :, :, None]))[0]
    single = frames @ np.asarray(model.classifier.kernel) + np.asarray(model.classifier.bias)
    offline = np.stack([single[max(0, t + 1 - window):t + 1].sum(axis=0) / window for t in range(len(single))])
    np.testing.assert_allclose(logits(expected["float32"]), offline, atol=2e-5)
    for profile in ("pi", "features"):
        spec = manifests.read(streams.folder / f"{profile}_external_{1 if profile == 'pi' else 2}").outputs[0]
        error = dequantise(logits(expected[profile]), spec)[window:] - offline[window:len(expected[profile])]
        assert np.sqrt(np.mean(error ** 2)) < 0.1 * np.std(offline[window:]), profile
    scores = expected["float32"][-1].scores
    assert scores.dtype == np.float32 and abs(scores.sum() - 1) < 1e-6


@pytest.mark.parametrize("kind", ["pi_external_1", "pi_internal_2", "features_internal_1"])
def test_reset_begins_a_new_recording(kind, streams, audio):
    stream = Stream(streams.folder / kind)
    first = stream.process(audio[:3840])
    again = stream.process(audio[:3840])
    assert np.any(logits(again) != logits(first)) and again[0].end_samples > first[-1].end_samples
    stream.reset()
    reset = stream.process(audio[:3840])
    np.testing.assert_array_equal(logits(reset), logits(first))
    assert [frame.end_samples for frame in reset] == [frame.end_samples for frame in first]


@pytest.mark.parametrize("kind", ["pi_external_1", "pi_internal_2", "float32_external_1"])
def test_hostile_audio_gives_finite_scores_in_any_chunks(kind, streams):
    n = np.arange(4800)
    signals = {"silence": np.zeros(4800), "constant": np.full(4800, 32767), "lowest constant": np.full(4800, -32768),
               "full-scale square": np.where(n // 40 % 2, 32767, -32768),
               "full-scale noise": np.random.default_rng(2).integers(-32768, 32768, 4800)}
    stream = Stream(streams.folder / kind)
    seen = {}
    for name, values in signals.items():
        pcm = values.astype(np.int16)
        stream.reset()
        seen[name] = logits(stream.process(pcm))
        assert np.isfinite(seen[name]).all()
        stream.reset()
        pieces = [stream.process(pcm[index:index + 1]) for index in range(400)] + [stream.process(pcm[400:])]
        np.testing.assert_array_equal(logits([frame for piece in pieces for frame in piece]), seen[name], err_msg=name)
    assert np.any(seen["silence"] != seen["full-scale noise"])


def test_flush_scores_what_waits_and_ends_the_recording(streams, audio, expected):
    stream = Stream(streams.folder / "pi_external_3")
    frames = stream.process(audio[:5 * HOP + 100])
    assert len(frames) == 3
    frames += stream.flush()
    np.testing.assert_array_equal(logits(frames), logits(expected["pi"][:5]))
    assert stream.flush() == []
    with pytest.raises(AudioError, match="ended by flush"):
        stream.process(audio[:10])
    stream.reset()
    assert stream.process(np.zeros(0, np.int16)) == []


def test_a_network_that_looks_ahead_is_flushed_to_the_offline_scores(tone_clips, tmp_path):
    """Delay, validity of frames and flush, through the file and the runtime: features and PCM in."""
    from kws_tf import models
    from kws_tf.config import ModelConfig, RunConfig
    from kws_tf.runtime.features import FeatureExtractor
    from kws_tf.tflite import export_streaming

    config = RunConfig(data=dataclasses.replace(RunConfig().data, clip_duration=0.5),
                       model=ModelConfig(model="sparknet", channels=4, padding="symmetric"))
    model = models.build(config.model, config.features, 3, 48, seed=2)
    for profile, state, hop in (("float32", "internal", 2), ("pi", "external", 3)):
        export_streaming(model, config, ("a", "b", "c"), tone_clips[0][:8], tmp_path / profile, profile=profile, state=state,
                         hop_frames=hop)
    pcm = tone_clips[0][3]
    padded = np.concatenate([np.zeros(config.features.window_samples - HOP, np.int16), pcm])
    features = FeatureExtractor(config.features)(padded)[None, :, :, None]
    embeddings = np.asarray(model.frame_embeddings(features))[0]
    single = embeddings @ np.asarray(model.classifier.kernel) + np.asarray(model.classifier.bias)
    offline = np.stack([single[max(0, t + 1 - 48):t + 1].sum(axis=0) / 48 for t in range(len(single))])
    for profile in ("float32", "pi"):
        stream = Stream(tmp_path / profile)
        assert stream.manifest.streaming.delay_frames == 35 and stream.manifest.streaming.delay_ms == 350.0
        frames = stream.process(pcm) + stream.flush()
        assert len(frames) == 50 + 35
        values = logits(frames)[35:]
        if profile == "float32":
            np.testing.assert_allclose(values, offline, atol=1e-5)
            assert not np.any(logits(frames)[:35])
        else:
            spec = stream.manifest.outputs[0]
            error = dequantise(values, spec) - offline
            assert np.sqrt(np.mean(error ** 2)) < 0.15 * np.std(offline)
            assert not np.any(dequantise(logits(frames)[:35], spec))


@pytest.mark.parametrize("pcm", [np.zeros(10), np.zeros((1, 10), np.int16), np.zeros(10, np.int32)])
def test_other_audio_is_refused(pcm, streams):
    with pytest.raises(AudioError, match=r"PCM must be int16 \[samples\]"):
        Stream(streams.folder / "pi_external_1").process(pcm)


def test_a_clip_model_is_refused(exported):
    with pytest.raises(ModelFileError, match="a clip model; a stream needs one made with --streaming"):
        Stream(exported / "features")


CONTRADICTIONS = [
    (lambda m: {"streaming": dataclasses.replace(m.streaming, hop_frames=2)}, "a step of 2 frames is 320 samples"),
    (lambda m: {"streaming": dataclasses.replace(m.streaming, states=m.streaming.states[1:])},
     "one input and one output beside its states"),
    (lambda m: {"streaming": dataclasses.replace(m.streaming, valid="valid")}, "one input and one output beside its states"),
    (lambda m: {"streaming": dataclasses.replace(m.streaming, states=(
        dataclasses.replace(m.streaming.states[0], zero_point=9), *m.streaming.states[1:]))}, "do not agree"),
    (lambda m: {"inputs": m.inputs[:-1], "streaming": dataclasses.replace(m.streaming, states=m.streaming.states)}, "do not agree"),
    (lambda m: {"outputs": (dataclasses.replace(m.outputs[0], scale=0.5), *m.outputs[1:])}, "the scale of the output"),
    (lambda m: {"labels": ("yes", "no")}, r"2 labels and 1 scores per step, but the output is \[1, 1, 1, 3\]"),
    (lambda m: {"input_kind": "features"}, "a step of 1 frames is 160 samples, int8 or float32"),
]


@pytest.mark.parametrize("changes, message", CONTRADICTIONS, ids=[message for _, message in CONTRADICTIONS])
def test_a_manifest_that_contradicts_the_file_is_refused(changes, message, streams, tmp_path):
    source = streams.folder / "pi_external_1"
    manifest = manifests.read(source)
    (tmp_path / manifest.model_file).write_bytes((source / manifest.model_file).read_bytes())
    (tmp_path / MANIFEST_FILE).write_text(manifests.to_json(dataclasses.replace(manifest, **changes(manifest))))
    with pytest.raises(ModelFileError, match=message):
        Stream(tmp_path)
