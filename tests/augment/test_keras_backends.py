"""Augmentation and features on the other backends of Keras: the same draws give the same features, and TensorFlow stays unloaded."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from kws_tf import features
from kws_tf.augment import SpecAugment, WaveformAugment
from kws_tf.config import FEATURE_PRESETS, AugmentConfig

AUGMENT = AugmentConfig(noise_dir="noise", noise_mode="snr", gain_prob=0.5, time_mask_frames=6, white_noise_prob=0.5,
                        peak_normalize=True, rir_dir="rooms", rir_prob=0.5, mic_prob=0.5)
CLIP, FEATURES = 2000, FEATURE_PRESETS["bc_resnet"]

PROGRAM = """
import sys
sys.modules["tensorflow"] = None
import keras, numpy as np
from kws_tf import features
from kws_tf.augment import SpecAugment, WaveformAugment
from kws_tf.config import FEATURE_PRESETS, AugmentConfig

given = dict(np.load(sys.argv[1]))
augment = AugmentConfig(noise_dir="noise", noise_mode="snr", gain_prob=0.5, time_mask_frames=6, white_noise_prob=0.5,
                        peak_normalize=True, rir_dir="rooms", rir_prob=0.5, mic_prob=0.5)
preset = FEATURE_PRESETS["bc_resnet"]
waveform = WaveformAugment(augment, 16000, given["pcm"].shape[1], [given["noise"]], silence_index=0,
                           responses=given["responses"])
masks = SpecAugment(augment, preset.n_frames(given["pcm"].shape[1]), preset.n_features, tau=2)
layer = features.build(preset)

def chain(pcm, draws):
    return masks.apply(layer(waveform.apply(pcm, draws)), draws)

seeds = keras.random.SeedGenerator(1)
own = {**waveform.draw(len(given["pcm"]), given["labels"], seeds), **masks.draw(len(given["pcm"]), seeds)}
draws = {name: keras.ops.convert_to_tensor(given[name]) for name in own}
if keras.backend.backend() == "jax":
    import jax
    chain = jax.jit(chain)
pcm = keras.ops.convert_to_tensor(given["pcm"])
assert np.isfinite(keras.ops.convert_to_numpy(chain(pcm, own))).all()
np.savez(sys.argv[2], result=keras.ops.convert_to_numpy(chain(pcm, draws)),
         **{"own_" + name: keras.ops.convert_to_numpy(value) for name, value in own.items()})
"""


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_same_features_from_the_same_draws(backend, tmp_path, seeds, as_numpy):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed (torch: extra parity)")
    rng = np.random.default_rng(8)
    pcm = rng.uniform(-0.5, 0.5, (6, CLIP)).astype(np.float32)
    noise, labels = rng.integers(-9000, 9000, 5000).astype(np.int16), np.arange(6, dtype=np.int32) % 3
    responses = rng.normal(size=(3, 2, 200)).astype(np.float32) * np.exp(-np.arange(200) / 40).astype(np.float32)
    waveform = WaveformAugment(AUGMENT, 16000, CLIP, [noise], silence_index=0, responses=responses)
    masks = SpecAugment(AUGMENT, FEATURES.n_frames(CLIP), FEATURES.n_features, tau=2)
    draws = as_numpy({**waveform.draw(6, labels, seeds), **masks.draw(6, seeds)})
    expected = np.asarray(masks.apply(features.build(FEATURES)(waveform.apply(pcm, draws)), draws))
    np.savez(tmp_path / "given.npz", pcm=pcm, noise=noise, labels=labels, responses=responses, **draws)

    done = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path / "given.npz", tmp_path / "got.npz"], capture_output=True, text=True,
                          check=False, env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0, done.stderr
    got = dict(np.load(tmp_path / "got.npz"))
    np.testing.assert_allclose(got.pop("result"), expected, atol=1e-4)
    assert {name.removeprefix("own_"): (value.shape, value.dtype) for name, value in got.items()} == {
        name: (value.shape, value.dtype) for name, value in draws.items()}
