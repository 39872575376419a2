"""The chain of waveform changes: against numpy, replay, and one draw per clip."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import logging

from kws_tf.augment import WaveformAugment
from kws_tf.config import AugmentConfig
from kws_tf.errors import ConfigError

RATE, CLIP = 1000, 400
EVERYTHING = AugmentConfig(noise_dir="noise", gain_prob=0.5)


@pytest.fixture(scope="module")
def recordings():
    rng = np.random.default_rng(2)
    return [rng.integers(-20000, 20000, size).astype(np.int16) for size in (900, 400, 2000)]


@pytest.fixture(scope="module")
def pcm():
    return np.random.default_rng(3).uniform(-0.8, 0.8, (32, CLIP)).astype(np.float32)


LABELS = np.arange(32, dtype=np.int32) % 4


def augmented_in_numpy(pcm, draws, recordings):
    """What the draws ask for, clip by clip."""
    bank = np.concatenate(recordings) / 32768
    results = []
    for number, clip in enumerate(pcm.astype(np.float64)):
        shift = draws["shift_samples"][number]
        moved = np.zeros(CLIP)
        for sample in range(CLIP):
            if 0 <= sample - shift < CLIP:
                moved[sample] = clip[sample - shift]
        noise = bank[draws["noise_start"][number]:][:CLIP]
        amplitude = draws["noise_amplitude"][number]
        if "noise_snr_db" in draws and np.isfinite(draws["noise_snr_db"][number]):
            power = np.mean(moved[moved != 0] ** 2) / 10 ** (draws["noise_snr_db"][number] / 10)
            amplitude += np.sqrt(power / np.mean(noise**2))
        mixed = (moved + amplitude * noise) * 10 ** (draws["gain_db"][number] / 20)
        results.append(np.clip(mixed, -1, 32767 / 32768))
    return np.array(results)


@pytest.mark.parametrize("mode", ["amplitude", "snr"])
def test_equals_numpy_on_the_same_draws(mode, recordings, pcm, seeds, as_numpy):
    augment = AugmentConfig(noise_dir="noise", gain_prob=0.5, noise_mode=mode)
    waveform = WaveformAugment(augment, RATE, CLIP, recordings, silence_index=1)
    draws = waveform.draw(32, LABELS, seeds)
    got = np.asarray(waveform.apply(pcm, draws))
    assert got.shape == (32, CLIP) and got.dtype == np.float32
    np.testing.assert_allclose(got, augmented_in_numpy(pcm, as_numpy(draws), recordings), atol=2e-6)
    assert got.max() == np.float32(32767 / 32768) or got.min() == -1, "the case should reach the limits of 16 bits"


def test_same_seed_replays_exactly_and_another_does_not(recordings, pcm, as_numpy):
    waveform = WaveformAugment(EVERYTHING, RATE, CLIP, recordings, silence_index=1)
    runs = []
    for seed in (5, 5, 6):
        generator = keras.random.SeedGenerator(seed)
        runs.append([as_numpy(waveform.draw(32, LABELS, generator)) for _ in range(2)])
    assert sorted(runs[0][0]) == ["gain_db", "noise_amplitude", "noise_start", "shift_samples"]
    for name in runs[0][0]:
        for step in range(2):
            np.testing.assert_array_equal(runs[0][step][name], runs[1][step][name])
            assert (runs[0][step][name] != runs[2][step][name]).any(), name
        assert (runs[0][0][name] != runs[0][1][name]).any(), f"{name}: the second batch repeats the first"
    np.testing.assert_array_equal(waveform.apply(pcm, runs[0][0]), waveform.apply(pcm, runs[1][0]))


def test_every_clip_of_a_batch_has_its_own_draw(recordings, seeds):
    always = AugmentConfig(noise_dir="noise", shift_prob=1.0, noise_prob=1.0, gain_prob=1.0)
    waveform = WaveformAugment(always, RATE, CLIP, [recordings[2]])
    draws = waveform.draw(32, None, seeds)
    for name, values in draws.items():
        assert len(set(np.asarray(values).tolist())) > 24, name
    same = np.tile(np.random.default_rng(4).uniform(-0.1, 0.1, CLIP).astype(np.float32), (32, 1))
    assert len({clip.tobytes() for clip in np.asarray(waveform.apply(same, draws))}) == 32


def test_one_coin_decides_on_shift_and_noise_as_in_the_paper(recordings, seeds, as_numpy):
    augment = AugmentConfig(noise_dir="noise", shift_ms=399.0, noise_amplitude=(0.01, 0.1))
    draws = as_numpy(WaveformAugment(augment, RATE, CLIP, recordings).draw(4000, None, seeds))
    moved, noisy = draws["shift_samples"] != 0, draws["noise_amplitude"] > 0
    assert noisy.mean() == pytest.approx(0.8, abs=0.02)
    assert not (moved & ~noisy).any() and (noisy & ~moved).mean() < 0.01, "a shift drawn as 0 samples is the only exception"


@pytest.mark.parametrize("jit_compile", [False, True])
def test_same_inside_a_graph_and_new_draws_at_every_call(recordings, pcm, jit_compile):
    waveform = WaveformAugment(EVERYTHING, RATE, CLIP, recordings, silence_index=1)

    def step(clips, seeds):
        draws = waveform.draw(clips.shape[0], LABELS, seeds)
        return waveform.apply(clips, draws), draws

    graph_seeds, eager_seeds = keras.random.SeedGenerator(3), keras.random.SeedGenerator(3)
    graph = tf.function(lambda clips: step(clips, graph_seeds), jit_compile=jit_compile)
    starts = []
    for _ in range(2):
        got, draws = graph(pcm)
        np.testing.assert_allclose(got, waveform.apply(pcm, draws), atol=1e-6)
        if not jit_compile:  # XLA has a random generator of its own
            np.testing.assert_allclose(got, step(pcm, eager_seeds)[0], atol=1e-6)
        starts.append(np.asarray(draws["noise_start"]))
    assert (starts[0] != starts[1]).any()


def test_free_batch_size_in_a_graph(recordings, pcm):
    waveform = WaveformAugment(EVERYTHING, RATE, CLIP, recordings, silence_index=1)
    generator = keras.random.SeedGenerator(3)

    @tf.function(input_signature=[tf.TensorSpec([None, CLIP]), tf.TensorSpec([None], tf.int32)])
    def step(clips, labels):
        return waveform.apply(clips, waveform.draw(tf.shape(clips)[0], labels, generator))

    assert step(pcm[:5], LABELS[:5]).shape == (5, CLIP) and step(pcm, LABELS).shape == (32, CLIP)


def test_without_recordings_only_the_silence_class_gets_noise(pcm, seeds, as_numpy, monkeypatch):
    lines = []
    monkeypatch.setattr(logging, "info", lambda message, *values: lines.append(message % values))
    waveform = WaveformAugment(AugmentConfig(shift_prob=0.0), 16000, CLIP, silence_index=1)
    assert lines == ["No noise recordings (--noise_dir): clips of class _silence_ get synthetic white, pink and brown noise, "
                     "other clips none."]
    draws = waveform.draw(32, LABELS, seeds)
    assert (as_numpy(draws)["noise_amplitude"] > 0).tolist() == (LABELS == 1).tolist()
    clips = np.where(LABELS[:, None] == 1, 0, pcm)
    got = np.asarray(waveform.apply(clips, draws))
    np.testing.assert_array_equal(got[LABELS != 1], clips[LABELS != 1])
    assert (np.abs(got[LABELS == 1]).max(1) > 1e-4).all() and got.shape == (32, CLIP)


def test_full_scale_comes_first_then_shift_white_noise_and_gain(pcm, as_numpy):
    augment = AugmentConfig(shift_prob=1.0, white_noise_prob=0.5, white_noise_dbfs=(-40.0, -20.0), gain_prob=1.0, peak_normalize=True)
    waveform = WaveformAugment(augment, RATE, CLIP)
    draws = as_numpy(waveform.draw(32, None, keras.random.SeedGenerator(1)))
    level, gain = draws["white_noise_dbfs"], 10 ** (draws["gain_db"] / 20)
    assert 4 < np.isneginf(level).sum() < 28
    expected = []
    for number, clip in enumerate(pcm):
        shift = draws["shift_samples"][number]
        moved = np.zeros(CLIP)
        moved[max(0, shift):CLIP + min(0, shift)] = (clip / np.abs(clip).max())[max(0, -shift):CLIP - max(0, shift)]
        cut = np.array(waveform.white_noise.bank.pcm)[draws["white_noise_start"][number]:][:CLIP] / 4096
        expected.append(np.clip((moved + 10 ** (level[number] / 20) * cut) * gain[number], -1, 32767 / 32768))
    np.testing.assert_allclose(waveform.apply(pcm, draws), expected, atol=2e-6)


def test_nothing_to_do(pcm, seeds):
    off = AugmentConfig(shift_prob=0.0)
    waveform = WaveformAugment(off, RATE, CLIP)
    assert waveform.draw(32, None, seeds) == {}
    np.testing.assert_array_equal(waveform.apply(pcm, {}), pcm)


def test_noise_folder_without_recordings_is_refused():
    with pytest.raises(ConfigError, match="noise_dir is 'noise', but no noise recording was passed"):
        WaveformAugment(EVERYTHING, RATE, CLIP)


def test_room_takes_clip_and_noise_at_the_ratio_of_their_sources_and_gain_and_microphone_follow(recordings, pcm, as_numpy):
    rng = np.random.default_rng(9)
    responses = rng.normal(size=(4, 2, 60)) * np.exp(-np.arange(60) / 9)
    augment = AugmentConfig(noise_dir="noise", noise_mode="snr", noise_prob=1.0, shift_prob=0.0, rir_dir="rooms", rir_prob=0.6,
                            gain_prob=1.0, gain_db=(-40.0, -30.0), mic_prob=0.5)
    waveform = WaveformAugment(augment, RATE, CLIP, recordings, responses=responses)
    draws = as_numpy(waveform.draw(32, LABELS, keras.random.SeedGenerator(2)))
    assert 8 < (draws["room"] >= 0).sum() < 30
    noise = np.asarray(waveform.noise.scaled(pcm, draws))
    power_db = 10 * np.log10(np.mean(pcm**2, axis=1) / np.mean(noise**2, axis=1))
    np.testing.assert_allclose(power_db, draws["noise_snr_db"], atol=1e-3)
    expected = np.zeros_like(pcm)
    for clip, room in enumerate(draws["room"]):
        heard = [pcm[clip], noise[clip]]
        if room >= 0:
            heard = [np.convolve(sound, response)[:CLIP] for sound, response in zip(heard, responses[room], strict=True)]
        expected[clip] = sum(heard) * 10 ** (draws["gain_db"][clip] / 20)
    expected = np.asarray(waveform.microphone.apply(expected, draws))
    np.testing.assert_allclose(waveform.apply(pcm, draws), expected, atol=2e-6)


def test_rooms_without_responses_are_refused(recordings):
    with pytest.raises(ConfigError, match="rir_dir is 'rooms', but no impulse responses were passed"):
        WaveformAugment(AugmentConfig(rir_dir="rooms", rir_prob=0.5), RATE, CLIP, recordings)
    assert WaveformAugment(AugmentConfig(rir_prob=0.5), RATE, CLIP, recordings).room is None
