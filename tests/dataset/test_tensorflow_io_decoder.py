"""tensorflow-io delivers bit for bit what soundfile does, resamples without delay, and leaves the rest to soundfile."""

import sys
import types

import numpy as np
import pytest
import soundfile

from kws_tf import audio
from kws_tf.dataset.tensorflow_io_decoder import TensorFlowIODecoder
from kws_tf.errors import AudioError

RATE = 16000


@pytest.fixture(scope="module")
def decoder():
    found, reason = TensorFlowIODecoder.probe()
    if reason.startswith(("ModuleNotFoundError", "ImportError", "NotImplementedError")):
        pytest.skip(f"the native operations of tensorflow-io do not work here: {reason}")
    assert found is not None, reason
    return found


@pytest.fixture
def counted(decoder, monkeypatch):
    """The decoder and a list that grows with each native decoding."""
    calls = []
    native = decoder._tfio.audio.decode_wav
    spy = types.SimpleNamespace(audio=types.SimpleNamespace(decode_wav=lambda *a, **k: calls.append(1) or native(*a, **k)))
    monkeypatch.setattr(decoder, "_tfio", spy)
    return decoder, calls


def noise(n_channels):
    return np.random.default_rng(n_channels).uniform(-0.9, 0.9, (3000, n_channels))


@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize("suffix, subtype, native", [
    ("wav", "PCM_16", True), ("wav", "PCM_U8", False), ("wav", "PCM_24", False), ("wav", "PCM_32", False), ("wav", "FLOAT", False),
    ("flac", "PCM_16", False), ("flac", "PCM_24", False), ("ogg", "VORBIS", False), ("aiff", "PCM_16", False),
])
def test_samples_are_those_of_soundfile(counted, tmp_path, suffix, subtype, native, n_channels):
    decoder, calls = counted
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(n_channels), 22050, subtype=subtype)
    ours, expected = decoder.read(path), audio.read(path)
    np.testing.assert_array_equal(ours.samples, expected.samples)
    assert ours.samples.dtype == expected.samples.dtype and ours.sample_rate == 22050
    assert bool(calls) == native


def test_16_bit_mono_passes_unchanged(decoder, folder):
    pcm = folder.clip("a.wav")
    np.testing.assert_array_equal(decoder.to_pcm(decoder.read(folder.root / "a.wav"), RATE), pcm)


@pytest.mark.parametrize("rate, target", [(8000, 16000), (11025, 16000), (22050, 16000), (44100, 16000), (48000, 16000), (16000, 8000),
                                          (37800, 16000), (44099, 16000), (16001, 16000)])
def test_resampling_has_no_delay_and_the_length_of_scipy(decoder, rate, target):
    def tones(sample_rate, n_samples):
        time_s = np.arange(n_samples) / sample_rate
        return sum(0.2 * np.sin(2 * np.pi * hz * time_s + hz) for hz in (100, 440, 1234, 2500))

    signal = tones(rate, rate // 3 + 1)
    ours, scipys = decoder.resample(signal.astype(np.float32), rate, target), audio.resample(signal, rate, target)
    assert ours.shape == scipys.shape
    np.testing.assert_allclose(ours[400:-400], tones(target, len(ours))[400:-400], atol=5e-5)
    np.testing.assert_allclose(ours[400:-400], scipys[400:-400], atol=2e-3)


def test_the_end_of_a_short_sound_is_kept(decoder):
    click = np.zeros(441, np.float32)
    click[-1] = 1.0
    result = decoder.resample(click, 44100, RATE)
    assert len(result) == 160 and np.argmax(np.abs(result)) == 159


@pytest.mark.parametrize("damage", [
    lambda data: data[:1000], lambda data: data[:-1], lambda data: data[:44], lambda data: b"", lambda data: b"text" * 99,
    lambda data: data[:24] + b"\x01\0\0\0" + data[28:], lambda data: data[:22] + b"\0\0" + data[24:],
])
def test_a_damaged_file_gets_its_verdict_from_soundfile(decoder, folder, damage):
    folder.clip("a.wav")
    path = folder.root / "a.wav"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(AudioError) as expected:
        audio.read(path)
    with pytest.raises(AudioError) as ours:
        decoder.read(path)
    assert str(ours.value) == str(expected.value)


def test_random_damage_to_the_header_changes_nothing_that_soundfile_would_not(decoder, folder):
    folder.clip("a.wav", 500)
    path, rng = folder.root / "a.wav", np.random.default_rng(3)
    whole = path.read_bytes()

    def outcome(read):
        try:
            recording = read(path)
        except AudioError:
            return None
        return recording.sample_rate, recording.samples.dtype, recording.samples.tobytes()

    n_refused = 0
    for _ in range(150):
        data = bytearray(whole)
        for position in rng.integers(0, 44, 2):
            data[position] = rng.integers(256)
        path.write_bytes(data)
        expected = outcome(audio.read)
        assert outcome(decoder.read) == expected
        n_refused += expected is None
    assert 20 < n_refused < 150


def test_a_native_library_that_does_not_load_is_found_out(monkeypatch):
    def unavailable(*arguments, **settings):
        raise NotImplementedError("unable to open file: libtensorflow_io.so")

    library = types.SimpleNamespace(audio=types.SimpleNamespace(decode_wav=unavailable, resample=unavailable), __version__="0")
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(int16=None))
    monkeypatch.setitem(sys.modules, "tensorflow_io", library)
    assert TensorFlowIODecoder.probe() == (None, "NotImplementedError: unable to open file: libtensorflow_io.so")


def test_a_missing_package_is_found_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_io", None)
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace())
    found, reason = TensorFlowIODecoder.probe()
    assert found is None and "tensorflow_io" in reason


def test_an_operation_that_answers_wrongly_is_found_out(decoder):
    delayed = types.SimpleNamespace(decode_wav=decoder._tfio.audio.decode_wav,
                                    resample=lambda x, *rates: decoder._tf.roll(decoder._tfio.audio.resample(x, *rates), 5, axis=0))
    wrong = TensorFlowIODecoder(decoder._tf, types.SimpleNamespace(audio=delayed))
    with pytest.raises(ValueError, match="resampled wrongly"):
        wrong._self_test()
