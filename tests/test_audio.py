"""Every format becomes the same PCM; every kind of broken file is refused with its reason."""

import re
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from kws_tf import audio
from kws_tf.errors import AudioError

RATE = 16000


def tone(n_samples=8000, rate=RATE, frequency_hz=440.0):
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(n_samples) / rate)


@pytest.fixture
def file(tmp_path):
    """Writes samples in a format and returns the path."""
    def write(samples, suffix="wav", subtype="PCM_16", rate=RATE, kind=None):
        path = tmp_path / f"clip.{suffix}"
        soundfile.write(path, samples, rate, format=kind or suffix.upper(), subtype=subtype)
        return path
    return write


@pytest.mark.parametrize("suffix, subtype, tolerance", [
    ("wav", "PCM_U8", 2**-7), ("wav", "PCM_16", 2**-15), ("wav", "PCM_24", 2**-15), ("wav", "PCM_32", 2**-15), ("wav", "FLOAT", 2**-15),
    ("wav", "DOUBLE", 2**-15), ("wav", "ULAW", 0.02), ("flac", "PCM_16", 2**-15), ("flac", "PCM_24", 2**-15), ("aiff", "PCM_16", 2**-15),
    ("ogg", "VORBIS", 0.05), ("ogg", "OPUS", 0.05), ("mp3", "MPEG_LAYER_III", 0.05),
])
def test_every_format_becomes_the_same_pcm(file, suffix, subtype, tolerance):
    pcm = audio.read_pcm(file(tone(), suffix, subtype), RATE)
    assert pcm.dtype == np.int16 and pcm.shape == (8000,)
    assert np.max(np.abs(pcm[500:-500] / 32768 - tone()[500:-500])) <= tolerance


def test_16_bit_mono_passes_unchanged(file):
    pcm = np.array([0, 1, -1, 32767, -32768, 12345], np.int16)
    np.testing.assert_array_equal(audio.read_pcm(file(pcm), RATE), pcm)
    np.testing.assert_array_equal(audio.read_pcm(file(pcm, "flac"), RATE), pcm)


def test_channels_are_averaged_and_halves_rounded_to_even(file):
    stereo = np.array([[100, 300], [1, 2], [2, 3], [-32768, -32768], [32767, -32767]], np.int16)
    np.testing.assert_array_equal(audio.read_pcm(file(stereo), RATE), [200, 2, 2, -32768, 0])
    np.testing.assert_array_equal(audio.read_pcm(file(np.full((9, 5), 7, np.int16)), RATE), [7] * 9)


def test_floating_point_is_rounded_and_saturated(file):
    samples = np.array([1.5, -1.5, 1.0, 0.5, 0.75 / 32768, -0.75 / 32768], np.float32)
    np.testing.assert_array_equal(audio.read_pcm(file(samples, subtype="FLOAT"), RATE), [32767, -32768, 32767, 16384, 1, -1])


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_other_rates_are_resampled_without_delay(file, rate):
    n_samples = rate // 2 + 3
    stereo = np.stack([tone(n_samples, rate), tone(n_samples, rate)], axis=1)
    pcm = audio.read_pcm(file(stereo, subtype="PCM_24", rate=rate), RATE)
    assert len(pcm) == -(-n_samples * RATE // rate)
    assert np.max(np.abs(pcm / 32768 - tone(len(pcm)))[200:-200]) < 2e-3


def test_resampling_saturates_instead_of_wrapping_around(file):
    square = np.where(np.arange(4410) // 50 % 2, 32767, -32768).astype(np.int16)
    pcm = audio.read_pcm(file(square, rate=44100), RATE).astype(int)
    away_from_edges = np.abs(pcm[200:-200]) > 20000
    assert pcm.max() == 32767 and pcm.min() == -32768 and np.mean(away_from_edges) > 0.9


def test_one_sample_is_a_recording(file):
    np.testing.assert_array_equal(audio.read_pcm(file(np.array([5], np.int16)), RATE), [5])


def refused(path, *words):
    with pytest.raises(AudioError) as error:
        audio.read_pcm(path, RATE)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    for word in words:
        assert word in message, message


def test_a_missing_file_is_named(tmp_path):
    refused(tmp_path / "none.wav", "No such file")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    refused(tmp_path / "a.wav", "empty", "0 bytes")


def test_a_text_file_named_wav_is_refused(tmp_path):
    (tmp_path / "a.wav").write_text("this is no sound\n" * 100)
    refused(tmp_path / "a.wav", "not a recording", "Expected WAV, FLAC, Ogg or MP3")


@pytest.mark.parametrize("name", ["a.raw", "a.RAW"])
def test_samples_without_a_header_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(3200))
    refused(tmp_path / name, "without a header", "--input -")


def test_two_ogg_files_in_one_are_refused(tmp_path, file):
    parts = [file(tone(n), "ogg", "VORBIS").read_bytes() for n in (8000, 4000)]
    parts[1] = parts[1].replace(parts[1][14:18], bytes(byte ^ 255 for byte in parts[0][14:18]))          # serial numbers are drawn
    (tmp_path / "a.ogg").write_bytes(b"".join(parts))
    refused(tmp_path / "a.ogg", "several Ogg recordings", "ffmpeg")


def test_an_ogg_stream_beside_another_is_one_recording():
    """Such as a picture: both begin at the front of the file, and either may end last."""
    def page(serial, flags, body=b""):
        return b"OggS\0" + bytes([flags]) + bytes(8) + serial + bytes(8) + bytes([1, len(body)]) + body

    picture, sound = b"AAAA", b"BBBB"
    head = page(picture, 2, b"x" * 40) + page(sound, 2, b"y" * 30) + page(sound, 0) + page(b"CCCC", 2)
    assert audio._ogg_streams(head) == {picture, sound}


def test_a_folder_is_refused(tmp_path):
    refused(tmp_path, "not a recording")


def test_a_header_without_samples_is_refused(file):
    refused(file(np.zeros(0, np.int16)), "no samples")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(file, value):
    refused(file(np.array([0.0, value, 0.1], np.float32), subtype="FLOAT"), "not finite")


def test_floating_point_on_the_scale_of_integers_is_refused(file):
    refused(file(tone().astype(np.float32) * 32768, subtype="FLOAT"), "1.638e+04", "full scale is 1.0")


@pytest.mark.parametrize("rate", [1, 999, 2_000_000])
def test_an_impossible_rate_is_refused(file, rate):
    refused(file(tone(), rate=rate), f"{rate} Hz", "1000 to 768000")


@pytest.mark.parametrize("suffix, subtype", [
    ("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "FLOAT"), ("aiff", "PCM_16"), ("au", "PCM_16"), ("w64", "PCM_16"), ("rf64", "PCM_16"),
    ("caf", "PCM_16"), ("flac", "PCM_16"), ("ogg", "VORBIS"), ("ogg", "OPUS"), ("mp3", "MPEG_LAYER_III"),
])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_truncated_file_is_refused(file, suffix, subtype, share):
    noise = np.random.default_rng(0).uniform(-0.2, 0.2, 6 * RATE)  # an Ogg of several pages
    path = file(noise, suffix, subtype)
    whole = path.read_bytes()
    assert len(audio.read_pcm(path, RATE)) == len(noise)
    path.write_bytes(whole[:int(share * len(whole))])
    refused(path)


@pytest.mark.parametrize("n_lost", [1, 2, 200])
def test_few_missing_bytes_are_noticed(file, n_lost):
    for suffix, subtype in (("wav", "PCM_16"), ("ogg", "OPUS"), ("flac", "PCM_16")):
        path = file(tone(), suffix, subtype)
        path.write_bytes(path.read_bytes()[:-n_lost])
        refused(path)


def test_the_reason_of_a_truncated_file_counts(file):
    path = file(tone())
    path.write_bytes(path.read_bytes()[:1044])
    refused(path, "truncated", "promises 16036 bytes", "holds 1036")


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_that_was_streamed_to_a_pipe_has_no_size_and_is_read(file, size):
    pcm = np.arange(-500, 500, dtype=np.int16)
    path = file(pcm)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = struct.pack("<I", size)
    path.write_bytes(data)
    np.testing.assert_array_equal(audio.read_pcm(path, RATE), pcm)


def test_chunks_after_the_samples_do_not_disturb(file):
    pcm = np.arange(100, dtype=np.int16)
    path = file(pcm)
    data = path.read_bytes() + b"LIST\x04\0\0\0INFO"
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    np.testing.assert_array_equal(audio.read_pcm(path, RATE), pcm)


def test_a_damaged_header_cannot_ask_for_all_memory(file):
    path = file(tone(), "flac")
    data = bytearray(path.read_bytes())
    data[21] |= 0x0F  # the highest bits of the number of samples: more than 6e10
    path.write_bytes(data)
    refused(path)


@pytest.mark.parametrize("pcm", [np.zeros(3), np.zeros((3, 1), np.int16), [0.5, 0.5], np.zeros((), np.int16)])
def test_samples_of_a_caller_are_16_bit_integers_in_a_row(pcm):
    with pytest.raises(AudioError, match=r"PCM must be int16 \[samples\]; received"):
        audio.checked_pcm(pcm)
    assert audio.checked_pcm(np.zeros(0, np.int16)).shape == (0,)


def test_without_scipy_only_other_rates_fail(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.signal", None)
    assert len(audio.read_pcm(file(tone()), RATE)) == 8000
    refused(file(tone(), rate=8000), "8000 Hz", "16000 Hz", "pip install scipy")


def test_reading_needs_numpy_and_soundfile_alone(file):
    path = file(tone(), "flac")
    program = f"import sys; from kws_tf import audio; audio.read_pcm({str(path)!r}, 16000); print(*sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = [name for name in modules if re.fullmatch("tensorflow|tensorflow_io|keras|scipy|jax|torch", name)]
    assert "soundfile" in modules and not heavy
