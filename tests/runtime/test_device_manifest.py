"""esphome.json, and the whole chain: a file in the interpreter of pymicro-wakeword hears what our stream hears."""

import dataclasses
import json

import numpy as np
import pytest

from kws_tf import manifest as manifests
from kws_tf.detector_settings import DetectorPreset, DetectorPresets, DetectorSettings
from kws_tf.errors import ModelFileError
from kws_tf.manifest import Arena
from kws_tf.runtime import Stream, device_manifest
from kws_tf.tflite import micro
from tests.conftest import CLIP_SAMPLES, spoken_tone

RATE = 16000


@pytest.fixture(scope="module")
def recording(wake_word):
    """(int16 [samples], spans): tones in noise, 1.5 s apart; spans are the samples (begin, end) of the keyword's tones."""
    random = np.random.default_rng(8)
    names = ["low", "high", "middle", "high", "low", "high", "middle"]
    pcm, spans = random.normal(size=(len(names) * 3 + 2) * CLIP_SAMPLES) * 40, []
    for place, name in enumerate(names):
        start = (3 * place + 2) * CLIP_SAMPLES
        pcm[start:start + CLIP_SAMPLES] += spoken_tone(name, random)
        if name == "high":
            spans.append((start, start + CLIP_SAMPLES))
    return np.clip(pcm, -32768, 32767).astype(np.int16), spans


@pytest.fixture(scope="module")
def theirs(wake_word, recording):
    """Probabilities of pymicro-wakeword for the recording behind the silence that our streams begin with: float [steps]."""
    package = pytest.importorskip("pymicro_wakeword", reason="pymicro-wakeword is not installed")
    model = package.MicroWakeWord.from_config(wake_word.folder / device_manifest.DEVICE_MANIFEST_FILE)
    model._probabilities = type(model._probabilities)(maxlen=1)
    model.sliding_window_size = 1
    features, found = package.MicroWakeWordFeatures(), []
    for frame in features.process_streaming(np.concatenate([np.zeros(320, np.int16), recording[0]]).tobytes()):
        before = len(model._features)
        probability = model.process_streaming_prob(frame)
        if before == model.stride - 1:
            found.append(probability)
    model.close()
    return np.array(found)


def test_the_keyword_is_detected_in_pymicro_wakeword_and_nothing_else(theirs, recording):
    ends = 480 * (1 + np.arange(len(theirs)))
    hits = np.array([theirs[(ends > begin) & (ends <= end + CLIP_SAMPLES)].max() for begin, end in recording[1]])
    # A stream starts at one half: until the window is full, frames that are missing count as undecided.
    quiet = np.all([ends > CLIP_SAMPLES, *((ends <= begin) | (ends > end + CLIP_SAMPLES) for begin, end in recording[1])], axis=0)
    assert hits.min() > 0.8 and theirs[quiet].max() < 0.5


def test_our_stream_gives_the_same_probabilities(theirs, recording, wake_word):
    stream = Stream(wake_word.folder)
    assert stream.labels == ("_unknown_", "high") and stream.hop_samples == 480
    frames = stream.process(recording[0])
    bytes_ = np.array([frame.logits[1] for frame in frames])
    assert frames[0].end_samples == 480 and np.ptp(bytes_) > 200
    # Their kernels are the optimised ones: an integer of the margin may differ, which is 3/256 where the logistic is steepest.
    np.testing.assert_allclose(bytes_ / 256, theirs[:len(frames)], atol=3.1 / 256)
    for frame in frames[::7]:
        assert frame.logits.dtype == np.uint8 and int(frame.logits.sum()) == 255
        np.testing.assert_allclose(frame.scores, frame.logits / 255)
    stream.reset()
    again = [frame.logits[1] for chunk in np.array_split(recording[0], 31) for frame in stream.process(chunk)]
    np.testing.assert_array_equal(again, bytes_)


def test_the_text(wake_word):
    manifest = manifests.read(wake_word.folder)
    found = json.loads((wake_word.folder / "esphome.json").read_text())
    assert found == {
        "type": "micro", "wake_word": "a high tone", "author": "nobody", "model": "model.tflite", "trained_languages": ["en"], "version": 2,
        "micro": {"probability_cutoff": 0.7949, "sliding_window_size": 3, "feature_step_size": 10,
                  "tensor_arena_size": device_manifest.arena_bytes(manifest.arena.n_bytes), "minimum_esphome_version": "2024.7.0"}}
    assert found["micro"]["tensor_arena_size"] % 16 == 0
    assert 1.8 * manifest.arena.n_bytes <= found["micro"]["tensor_arena_size"] < 1.8 * manifest.arena.n_bytes + 16


def test_the_calibrated_detector_sets_cutoff_and_window(wake_word):
    settings = DetectorSettings(threshold=128, release=96, window_scores=5)
    presets = DetectorPresets(("high",), "balanced", (DetectorPreset("balanced", settings), DetectorPreset("strict", dataclasses.replace(
        settings, threshold=255, window_scores=9))))
    manifest = manifests.read(wake_word.folder)
    manifest = dataclasses.replace(manifest, detector=presets, wake_word=dataclasses.replace(manifest.wake_word, website="https://a.b"))
    found = json.loads(device_manifest.to_json(manifest))
    assert (found["micro"]["probability_cutoff"], found["micro"]["sliding_window_size"], found["website"]) == (0.498, 5, "https://a.b")
    strict = json.loads(device_manifest.to_json(manifest, "strict"))["micro"]
    assert (strict["probability_cutoff"], strict["sliding_window_size"]) == (0.9941, 9)


def test_a_mean_of_bytes_passes_the_cutoff_where_it_passes_the_threshold():
    for threshold in (1, 7, 128, 254, 255):
        cutoff = device_manifest.probability_cutoff(threshold)
        assert threshold / 256 > cutoff > (threshold - 1) / 256
        assert int(255 * cutoff) in (threshold - 1, threshold - 2)                      # the integer that a device compares with


def test_what_has_no_device_manifest(wake_word):
    manifest = manifests.read(wake_word.folder)
    with pytest.raises(ModelFileError, match="arena was not measured.*tflite-micro"):
        device_manifest.to_json(dataclasses.replace(manifest, arena=None))
    with pytest.raises(ModelFileError, match="gives no probability of a wake word; convert the run with --profile esphome"):
        device_manifest.to_json(dataclasses.replace(manifest, wake_word=None, arena=Arena(1, "x")))


def test_a_manifest_of_other_tensors_is_refused(wake_word, tmp_path):
    import shutil

    folder = shutil.copytree(wake_word.folder, tmp_path / "copy")
    manifest = manifests.read(folder)
    (folder / "manifest.json").write_text(manifests.to_json(dataclasses.replace(manifest, wake_word=None)))
    with pytest.raises(ModelFileError, match="manifest: "):
        Stream(folder)


@pytest.mark.skipif(bool(micro.unavailable()), reason="tflite-micro is not installed")
def test_tflite_micro_gives_the_bytes_of_the_stream(wake_word, recording):
    from kws_tf.micro_front_end import MicroFrontEnd
    from kws_tf.runtime.model import quantise

    manifest = manifests.read(wake_word.folder)
    interpreter = micro.MicroInterpreter((wake_word.folder / "model.tflite").read_bytes())
    features = quantise(MicroFrontEnd().process(np.concatenate([np.zeros(320, np.int16), recording[0]])), manifest.inputs[0])
    expected = [frame.logits[1] for frame in Stream(wake_word.folder).process(recording[0])]
    found = [interpreter(features[None, 3 * step:3 * step + 3]).item() for step in range(len(expected))]
    np.testing.assert_array_equal(found, expected)
