"""A small trained network and its exports, shared by the tests of everything that follows training."""

import collections
import dataclasses
import functools
import hashlib
import json
import pathlib
import types

import numpy as np
import pytest
import soundfile
from absl import flags

from kws_tf.config import DataConfig, FeatureConfig, ModelConfig, RunConfig
from kws_tf.crop import fit_clip
from tests import spoken_stream

RATE = 16000
CLIP_SAMPLES = 8000
CLASSES = ("high", "low", "middle")
EPOCHS = 16
TONES_HZ = {"high": 2600.0, "low": 500.0, "middle": 1200.0, "top": 4600.0}


def pytest_collection_modifyitems(config, items):
    """In a process of pytest-xdist: files with the most slow tests first, so that no process ends long after the others."""
    if hasattr(config, "workerinput"):
        slow = collections.Counter(item.path for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: -slow[item.path])


def spoken_tone(name, random, n_samples=CLIP_SAMPLES):
    """A burst of a class's tone with overtones at a random level, place and detuning, in noise: int16 [n_samples]."""
    time = np.arange(n_samples) / RATE
    pitch = TONES_HZ[name] * random.uniform(0.85, 1.15)
    centre = random.uniform(0.3, 0.7) * n_samples / RATE
    envelope = np.exp(-0.5 * ((time - centre) / random.uniform(0.04, 0.08)) ** 2)
    tone = sum(np.sin(2 * np.pi * pitch * k * time + random.uniform(0, 6)) / k for k in (1, 2, 3))
    signal = random.uniform(0.05, 0.4) * envelope * tone + random.uniform(0.001, 0.01) * random.normal(size=n_samples)
    return np.clip(signal * 32767, -32768, 32767).astype(np.int16)


@pytest.fixture(scope="session")
def small_config():
    """RunConfig of the small network: half a second, 20 mel bands, 48 frames."""
    return RunConfig(data=DataConfig(clip_duration=CLIP_SAMPLES / RATE), features=FeatureConfig(n_mels=20), model=ModelConfig(tau=0.625))


@pytest.fixture(scope="session")
def tone_clips():
    """(int16 [clips, samples], int [clips]): 16 clips of every class, some of them shorter and padded with zeros."""
    random = np.random.default_rng(11)
    labels = np.arange(48) % len(CLASSES)
    clips = [spoken_tone(CLASSES[label], random, CLIP_SAMPLES if index % 4 else 6400) for index, label in enumerate(labels)]
    return np.stack([fit_clip(clip, CLIP_SAMPLES, "energy")[0] for clip in clips]), labels


@pytest.fixture(scope="session")
def small_network(small_config, tone_clips):
    """A network trained for a few seconds: one with random weights gives nearly the same for every clip, and then agreement of two
    runtimes proves nothing, or it magnifies rounding as no trained network does.

    Returns:
        namespace of model, features (float32 [clips, time, frequency, 1]), labels, config, classes.
    """
    import keras

    from kws_tf import models
    from kws_tf.runtime.features import FeatureExtractor

    pcm, labels = tone_clips
    extract = FeatureExtractor(small_config.features)
    features = np.stack([extract(clip) for clip in pcm])[..., None]
    model = models.build(small_config.model, small_config.features, len(CLASSES), features.shape[1], seed=3)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    # As the training loop does: an optimizer that makes its variables in the first step has the step traced twice.
    model.optimizer.build(model.trainable_variables)
    model.fit(features, labels, batch_size=len(labels) // 2, epochs=EPOCHS, shuffle=False, verbose=0)
    # So few steps leave the moving statistics behind: one pass sets them to those of the clips.
    norms = [layer for layer, _, _ in model.layer_shapes(features.shape) if hasattr(layer, "moving_mean")]
    for norm in norms:
        norm.momentum = 0.0
    model(features, training=True)
    for norm in norms:
        norm.momentum = 0.9
    return types.SimpleNamespace(model=model, features=features, labels=labels, config=small_config, classes=CLASSES)


@pytest.fixture
def run_program():
    """Runs an entry point in this process, where TensorFlow is loaded already: takes its module and arguments, gives its exit status.
    A KwsError comes out as raised; what kws_tf.flags.run makes of it is in tests/test_flags.py."""
    def call(module, *arguments):
        values = flags.FlagValues()
        module.define(values)
        rest = values([module.__name__, *map(str, arguments)])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "FLAGS", values)
            if hasattr(module, "run_config"):
                patch.setattr(module, "run_config", functools.partial(module.run_config, values))
            return module.main(rest) or 0
    return call


@pytest.fixture(scope="session")
def convert_once():
    """From here on, exports of a network of kws_tf.models with the same weights and input take the float32 file that the first of them
    made. It is most of the time of an export, and always the same (tests/tflite/test_freeze.py).

    Returns:
        convert_float32 with that memory.
    """
    from kws_tf.tflite import convert, layer_errors, streaming
    from kws_tf.tflite.freeze import convert_float32

    made = {}

    def convert_from_memory(model, input_shape):
        if not type(model).__module__.startswith("kws_tf."):
            return convert_float32(model, input_shape)
        weights = hashlib.sha256(b"".join(np.asarray(weight).tobytes() for weight in model.weights)).digest()
        key = json.dumps([type(model).__name__, model.get_config(), [int(length) for length in input_shape]], default=str), weights
        if key not in made:
            made[key] = convert_float32(model, input_shape)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        for module in (convert, layer_errors, streaming):
            patch.setattr(module, "convert_float32", convert_from_memory)
        yield convert_from_memory


@pytest.fixture(scope="session")
def exported(small_network, tone_clips, convert_once, tmp_path_factory):
    """Folder with the exports float32/, features/ and pi/ of the small network; not to be changed."""
    from kws_tf import tflite

    folder = tmp_path_factory.mktemp("export")
    for profile in ("float32", "features", "pi"):
        tflite.export(small_network.model, small_network.config, CLASSES, tone_clips[0], folder / profile, profile=profile,
                      metrics={"validation_accuracy": 0.5})
    return folder


@pytest.fixture(scope="session")
def arcface(small_config, tone_clips, convert_once, tmp_path_factory):
    """A small SparkNet with an ArcFace head for CLASSES, and its exports. Training has heard a fourth tone, "top", whose prototype was
    taken away afterwards: a class that a few clips can bring back. (What enrolment does with words never heard is measured elsewhere.)

    Returns:
        namespace of network, features (float32 [clips, time, frequency, 1]) and folder with float32/, features/ and pi/; not to be
        changed.
    """
    import keras

    from kws_tf import models, tflite
    from kws_tf.runtime.features import FeatureExtractor
    from kws_tf.training.arcface import ArcFaceLoss

    config = dataclasses.replace(small_config, model=ModelConfig(model="sparknet", channels=8, arcface=True))
    extract, random = FeatureExtractor(config.features), np.random.default_rng(13)
    names = (*CLASSES, "top")
    clips = [spoken_tone(names[index % 4], random) for index in range(192)]
    heard = np.stack([extract(clip) for clip in clips])[..., None]
    shortened = models.build(config.model, config.features, 3, heard.shape[1], seed=3)
    # In float64, so that the number of threads, which changes how sums are rounded, does not change what it learns.
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        network = models.build(config.model, config.features, 4, heard.shape[1], seed=3)
    finally:
        keras.config.set_dtype_policy(policy)
    network.compile(keras.optimizers.SGD(0.1, momentum=0.9), ArcFaceLoss())
    network.optimizer.build(network.trainable_variables)
    network.fit(heard, np.eye(4, dtype=np.float32)[np.arange(192) % 4], batch_size=32, epochs=15, shuffle=False, verbose=0)
    for target, source in zip(shortened.weights, network.weights, strict=True):
        target.assign(source[:, :3] if target.shape != source.shape else source)
    folder = tmp_path_factory.mktemp("arcface")
    for profile in ("float32", "features", "pi"):
        tflite.export(shortened, config, CLASSES, np.stack(clips[:48]), folder / profile, profile=profile)
    features = np.stack([extract(clip) for clip in tone_clips[0]])[..., None]
    return types.SimpleNamespace(network=shortened, features=features, folder=folder)


@pytest.fixture(scope="session")
def tone_dataset(tmp_path_factory):
    """Folder dataset of tones, testing split alone, WAV: 6 clips per class, some shorter and some longer than the network's clip."""
    root = tmp_path_factory.mktemp("tones")
    random = np.random.default_rng(21)
    for name in CLASSES:
        folder = pathlib.Path(root, "testing", name)
        folder.mkdir(parents=True)
        for index, n_samples in enumerate((CLIP_SAMPLES, CLIP_SAMPLES, CLIP_SAMPLES, 6500, 12000, 20000)):
            soundfile.write(folder / f"{index}.wav", spoken_tone(name, random, n_samples), RATE)
    return root


@pytest.fixture
def spoken_model(monkeypatch, tmp_path_factory):
    """Export folder of a streaming model that is played by tests.spoken_stream.SpokenStream in this process."""
    from kws_tf import runtime
    from kws_tf.evaluation import score_track

    monkeypatch.setattr(runtime, "Stream", spoken_stream.SpokenStream)
    monkeypatch.setattr(score_track, "RecordingStream", spoken_stream.SpokenStream)
    return spoken_stream.write_model(tmp_path_factory.mktemp("spoken") / "model")


@pytest.fixture(scope="session")
def small_stream(small_network, tone_clips, convert_once, tmp_path_factory):
    """Streaming export of the small network: PCM in, external state, 5 frames per step; not to be changed."""
    from kws_tf.tflite.streaming_export import export_streaming

    folder = tmp_path_factory.mktemp("stream") / "pi_stream"
    export_streaming(small_network.model, small_network.config, CLASSES, tone_clips[0], folder, profile="pi", state="external",
                     hop_frames=5)
    return folder


@pytest.fixture(scope="session")
def micro_stream(small_network, tone_clips, convert_once, tmp_path_factory):
    """Streaming export of the small network for microcontrollers: PCM in, internal state, 2 frames per step; not to be changed."""
    from kws_tf.tflite.streaming_export import export_streaming

    folder = tmp_path_factory.mktemp("micro") / "tflm_stream"
    export_streaming(small_network.model, small_network.config, CLASSES, tone_clips[0], folder, profile="tflm", state="internal",
                     hop_frames=2, metrics={"validation_accuracy": 0.5}, data_licence="CC0", compact=True)
    return folder


@pytest.fixture(scope="session")
def wake_word(tmp_path_factory):
    """A small SparkNet on the features of ESPHome devices that tells the tone "high" from everything else, in its ESPHome export.

    Returns:
        namespace of model, config, classes, pcm (int16 [clips, samples]), labels, folder; not to be changed.
    """
    pytest.importorskip("pymicro_features", reason="the front end of ESPHome devices (extra esphome) is not installed")
    import keras

    from kws_tf import micro_front_end, models
    from kws_tf.config import FEATURE_PRESETS
    from kws_tf.manifest import WakeWord
    from kws_tf.tflite.streaming_export import export_streaming

    config = RunConfig(data=DataConfig(clip_duration=CLIP_SAMPLES / RATE), features=FEATURE_PRESETS["micro"],
                       model=ModelConfig(model="sparknet", channels=8))
    classes, random = ("_unknown_", "high"), np.random.default_rng(5)
    names = ["high", "low", "high", "middle", "high", "noise", "high", "low"] * 16
    # Steady noise, in half of the clips with another tone first: front end and network are then as in a stream. The second half is a clip
    # of its own too, as after a reset.
    heard = random.normal(size=(len(names), 2 * CLIP_SAMPLES)) * random.uniform(10, 150, (len(names), 1))
    for index, name in enumerate(names):
        for begin, tone in ((0, names[(5 * index + 1) % len(names)] if index % 2 else "noise"), (CLIP_SAMPLES, name)):
            if tone != "noise":
                heard[index, begin:begin + CLIP_SAMPLES] += spoken_tone(tone, random)
    heard = np.clip(heard, -32768, 32767).astype(np.int16)
    pcm, labels = heard[:, CLIP_SAMPLES:], np.array([name == "high" for name in names], np.int32)
    n_frames = config.features.n_frames(CLIP_SAMPLES)
    features = np.concatenate([micro_front_end.clip_features(heard)[:, -n_frames:], micro_front_end.clip_features(pcm)])[..., None]
    model = models.build(config.model, config.features, len(classes), n_frames, seed=3)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 8 * EPOCHS)),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.build(model.trainable_variables)
    order = random.permutation(len(features))
    model.fit(features[order], np.tile(labels, 2)[order], batch_size=32, epochs=EPOCHS, shuffle=False, verbose=0)
    folder = tmp_path_factory.mktemp("esphome") / "esphome"
    export_streaming(model, config, classes, pcm, folder, profile="esphome", state="internal", hop_frames=3,
                     wake_word=WakeWord("high", "a high tone", "nobody", ("en",)))
    return types.SimpleNamespace(model=model, config=config, classes=classes, pcm=pcm, labels=labels, folder=folder)
