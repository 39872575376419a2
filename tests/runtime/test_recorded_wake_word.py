"""A phrase that people recorded, from clips to the interpreter of pymicro-wakeword: trained for some seconds, so figures are modest."""

import os
import pathlib

import numpy as np
import pytest

from kws_tf import audio, micro_front_end
from kws_tf.config import FEATURE_PRESETS, DataConfig, ModelConfig, RunConfig
from kws_tf.runtime import device_manifest

WORD, OTHERS = "computer", ("alexa", "jarvis", "smart_mirror", "snowboy", "view_glass")
SAMPLES, EARLIER = 24000, 12800
EPOCHS = 20
CUTOFF = 0.8
# A stream begins at logits of zero, probability 0.5, with a front end that knows no noise yet.
IGNORED_FRAMES = 150


@pytest.fixture(scope="module")
def phrases():
    """Function (split, word, most) -> list of int16 [samples], the first clips of a word."""
    root = pathlib.Path(os.environ.get("KWS_DATA", pathlib.Path(__file__).parents[3] / "shared" / "data")) / "wake_phrases_6"
    if not root.is_dir():
        pytest.skip(f"no recordings under {root}; set KWS_DATA")

    def load(split, word, most):
        return [audio.read_pcm(path, 16000) for path in sorted((root / split / word).iterdir())[:most]]
    return load


@pytest.fixture(scope="module")
def recorded(phrases, tmp_path_factory):
    """Export folder of a SparkNet-8 that was trained on the first clips of every phrase."""
    pytest.importorskip("pymicro_features", reason="the front end of ESPHome devices (extra esphome) is not installed")
    import keras

    from kws_tf import models
    from kws_tf.tflite.streaming_export import export_streaming

    config = RunConfig(data=DataConfig(clip_duration=SAMPLES / 16000), features=FEATURE_PRESETS["micro"],
                       model=ModelConfig(model="sparknet", channels=8))
    random = np.random.default_rng(1)
    words = [(clip, 1) for clip in phrases("training", WORD, 150)] + [
        (clip, 0) for other in OTHERS for clip in phrases("training", other, 36)] + [(np.zeros(SAMPLES, np.int16), 0)] * 20
    heard, labels = np.zeros((len(words), EARLIER + SAMPLES), np.int16), np.array([label for _, label in words], np.int32)
    for row, (clip, _) in zip(heard, words, strict=True):
        before = words[random.integers(len(words))][0][-EARLIER:] * random.integers(2)
        signal = np.concatenate([before, np.zeros(EARLIER + SAMPLES - len(before))])
        start = EARLIER + random.integers(-800, 801) - max(0, len(clip) - SAMPLES)
        end = min(start + len(clip), len(signal))
        signal[start:end] += clip[:end - start]
        signal = signal * random.uniform(0.3, 1) + random.normal(size=len(signal)) * random.uniform(5, 60)
        row[:] = np.clip(signal, -32768, 32767)
    features = micro_front_end.clip_features(heard)[:, -config.features.n_frames(SAMPLES):, :, None]
    keras.utils.set_random_seed(1)  # fit() shuffles by it
    model = models.build(config.model, config.features, 2, features.shape[1], seed=1)
    steps = EPOCHS * -(-len(words) // 32)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, steps)),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.build(model.trainable_variables)
    model.fit(features, labels, batch_size=32, epochs=EPOCHS, verbose=0)
    folder = tmp_path_factory.mktemp("recorded") / "esphome"
    export_streaming(model, config, ("_unknown_", WORD), heard[::4, -SAMPLES:], folder, profile="esphome", state="internal", hop_frames=3)
    return folder


@pytest.mark.slow
def test_pymicro_wakeword_hears_the_phrase(recorded, phrases):
    package = pytest.importorskip("pymicro_wakeword", reason="pymicro-wakeword is not installed")
    model = package.MicroWakeWord.from_config(recorded / device_manifest.DEVICE_MANIFEST_FILE)
    model.probability_cutoff = CUTOFF
    noise = np.random.default_rng(2).normal(size=(2, 28000)) * 20

    def detected(clip):
        model.reset()
        features = package.MicroWakeWordFeatures()
        pcm = np.concatenate([noise[0], clip, noise[1, :8000]]).astype(np.int16)
        answers = [model.process_streaming(frame) for frame in features.process_streaming(pcm.tobytes())]
        return any(answers[IGNORED_FRAMES:])

    hits = [detected(clip) for clip in phrases("testing", WORD, 20)]
    false = [detected(clip) for other in OTHERS for clip in phrases("testing", other, 6)]
    model.close()
    assert np.mean(hits) >= 0.7 and np.mean(false) <= 0.2, f"{sum(hits)} of {len(hits)} heard, {sum(false)} of {len(false)} others"
