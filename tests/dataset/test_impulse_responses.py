import json

import numpy as np
import pytest
import soundfile

from kws_tf.dataset import load_responses
from kws_tf.errors import DatasetError

RATE = 16000


def write(folder, name, samples, rate=RATE):
    folder.mkdir(exist_ok=True)
    soundfile.write(folder / name, np.asarray(samples), rate, subtype="FLOAT")


def response(delay, n_samples=4000, seed=1):
    tail = np.random.default_rng(seed).normal(size=n_samples) * np.exp(-np.arange(n_samples) / 400) * 0.05
    return np.concatenate([np.zeros(delay), [0.8], tail])


def test_recordings_begin_with_the_direct_sound_and_have_energy_one(tmp_path):
    write(tmp_path, "a.wav", response(700))
    write(tmp_path, "b.wav", np.stack([response(20, 12000, 2), np.ones(12021)], axis=1))
    found = load_responses(tmp_path, RATE)
    assert found.dtype == np.float32 and found.shape == (2, 2, 8000), "cut after half a second"
    np.testing.assert_allclose(np.sum(found**2, axis=-1), 1, rtol=1e-5)
    assert (np.argmax(np.abs(found), axis=-1) == 0).all()
    np.testing.assert_allclose(found[0, 0, :4001], response(0) / np.sqrt(np.sum(response(0) ** 2)), atol=1e-6)
    assert not found[0, 0, 4001:].any()
    np.testing.assert_array_equal(found[0, 1], found[1, 0])
    np.testing.assert_array_equal(found[1, 1], found[0, 0])


def test_one_recording_serves_voice_and_noise(tmp_path):
    write(tmp_path, "a.wav", response(5))
    found = load_responses(tmp_path, RATE)
    np.testing.assert_array_equal(found[0, 0], found[0, 1])


def test_another_rate_is_resampled(tmp_path):
    write(tmp_path, "a.wav", response(700, 24000), 48000)
    assert 7900 < load_responses(tmp_path, RATE).shape[-1] <= 8000


def test_simulated_pairs_keep_their_ratio(tmp_path):
    pair = np.stack([response(0), 0.25 * response(30)[:4001]], axis=1)
    write(tmp_path, "room_00000.wav", pair)
    (tmp_path / "rooms.json").write_text(json.dumps({"channels": ["voice", "noise"]}))
    found = load_responses(tmp_path, RATE)
    np.testing.assert_allclose(found[0], pair.T / np.sqrt(np.sum(pair[:, 0] ** 2)), atol=1e-6)
    write(tmp_path, "mono.wav", response(0))
    with pytest.raises(DatasetError, match="mono.wav: expected two channels, voice and noise"):
        load_responses(tmp_path, RATE)


def test_useless_folders_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="--rir_dir=.*there is no such folder"):
        load_responses(tmp_path / "none", RATE)
    with pytest.raises(DatasetError, match="it holds no recording"):
        load_responses(tmp_path, RATE)
    write(tmp_path, "silent.wav", np.zeros(100))
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(DatasetError, match="2 unusable files") as caught:
        load_responses(tmp_path, RATE)
    assert "silent.wav: the impulse response is silent" in str(caught.value) and "text.wav: not a recording" in str(caught.value)
    (tmp_path / "rooms.json").write_text("{")
    with pytest.raises(DatasetError, match="rooms.json: cannot be read"):
        load_responses(tmp_path, RATE)
