"""MP3 files that do not say rightly how long they are: libsndfile would hear less of them without a word."""

import numpy as np
import pytest
import soundfile

from kws_tf import audio, mp3_frames
from kws_tf.errors import AudioError


def write(path, n_samples, rate=16000, mode="CONSTANT", channels=1):
    """A sound that is loud at first, silent, and loud again at the end: bit rates differ where they may."""
    times = np.arange(n_samples) / rate
    loud = (times < n_samples / rate / 3) | (times > n_samples / rate * 0.8)
    sound = loud * np.random.default_rng(1).normal(0, 0.1, n_samples)
    soundfile.write(path, np.stack([sound] * channels, axis=1), rate, format="MP3", bitrate_mode=mode, compression_level=0.5)
    return path.read_bytes()


def without_count(path, *arguments, **options):
    """Writes the file without its first frame, which says how many there are."""
    data = write(path, *arguments, **options)
    size, _ = mp3_frames._frame(data[:4])
    path.write_bytes(data[size:])
    return data


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("rate, channels", [(8000, 1), (16000, 2), (22050, 1), (32000, 1), (44100, 2), (48000, 1)])
def test_frames_hold_the_sound_and_some_padding(tmp_path, rate, channels, mode):
    write(tmp_path / "a.mp3", 2 * rate + 123, rate, mode, channels)
    found = mp3_frames.measure(tmp_path / "a.mp3")
    assert found.counted and 0 <= found.samples - (2 * rate + 123) <= 2 * 1152
    assert len(audio.read(tmp_path / "a.mp3").samples) == 2 * rate + 123


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_constant_bit_rate_needs_no_count(tmp_path, rate):
    without_count(tmp_path / "a.mp3", 3 * rate, rate)
    assert not mp3_frames.measure(tmp_path / "a.mp3").counted
    assert 0 <= len(audio.read(tmp_path / "a.mp3").samples) - 3 * rate <= 2 * 1152


def test_a_stream_that_was_cut_out_of_another_is_heard(tmp_path):
    """The guess takes the first frame for the usual one, also when that has a byte of padding."""
    data = write(tmp_path / "a.mp3", 10 * 44100, 44100)
    place = mp3_frames._frame(data[:4])[0]
    while not data[place + 2] & 2:
        place += mp3_frames._frame(data[place:place + 4])[0]
    (tmp_path / "a.mp3").write_bytes(data[place:] * 25)
    held = mp3_frames.measure(tmp_path / "a.mp3").samples
    assert audio._MP3_PADDING_SAMPLES < held - len(audio.read(tmp_path / "a.mp3").samples) < 0.01 * held


@pytest.mark.parametrize("front", [bytes(700), b"ID3\4\0\0\0\0\0\5abcde" + bytes(5000), b"APETAGEX" + bytes(200),
                                   bytes(9) + b"\xff\xfb\x90\0" + bytes(700)])
def test_what_lies_before_the_first_frame_is_passed_over(tmp_path, front):
    without_count(tmp_path / "a.mp3", 6 * 16000)
    expected = mp3_frames.measure(tmp_path / "a.mp3")
    (tmp_path / "a.mp3").write_bytes(front + (tmp_path / "a.mp3").read_bytes())
    assert mp3_frames.measure(tmp_path / "a.mp3") == expected
    assert len(audio.read(tmp_path / "a.mp3").samples) > 5.9 * 16000
    without_count(tmp_path / "a.mp3", 6 * 16000, mode="VARIABLE")
    (tmp_path / "a.mp3").write_bytes(front + (tmp_path / "a.mp3").read_bytes())
    with pytest.raises(AudioError, match="does not say rightly"):
        audio.read(tmp_path / "a.mp3")


def test_a_first_frame_without_a_count_is_none(tmp_path):
    data = bytearray(write(tmp_path / "a.mp3", 3 * 16000))
    data[data.index(b"Info") + 7] = 0
    (tmp_path / "a.mp3").write_bytes(data)
    assert not mp3_frames.measure(tmp_path / "a.mp3").counted
    assert 0 <= len(audio.read(tmp_path / "a.mp3").samples) - 3 * 16000 <= 3 * 1152


@pytest.mark.parametrize("delay, padding", [(4095, 4095), (3000, 2000)])
def test_long_delays_of_an_encoder_are_no_loss(tmp_path, delay, padding):
    data = bytearray(write(tmp_path / "a.mp3", 3 * 16000))
    place = data.index(b"LAME") + 21
    data[place:place + 3] = (delay << 12 | padding).to_bytes(3, "big")
    (tmp_path / "a.mp3").write_bytes(data)
    assert 0 < 3 * 16000 - len(audio.read(tmp_path / "a.mp3").samples) < delay + padding


def test_what_a_guess_would_leave_out_is_an_error(tmp_path):
    without_count(tmp_path / "a.mp3", 6 * 16000, mode="VARIABLE")
    with pytest.raises(AudioError, match="does not say rightly how long it is.*ffmpeg"):
        audio.read(tmp_path / "a.mp3")


def test_two_files_in_one_are_an_error(tmp_path):
    data = write(tmp_path / "a.mp3", 16000)
    (tmp_path / "a.mp3").write_bytes(data + data)
    with pytest.raises(AudioError, match="16000 of about 3[0-9]{4} samples.*several files in one"):
        audio.read(tmp_path / "a.mp3")


@pytest.mark.parametrize("footer", [False, True])
def test_tags_are_passed_over(tmp_path, footer):
    data = write(tmp_path / "a.mp3", 16000)
    expected = mp3_frames.measure(tmp_path / "a.mp3")
    tag = b"ID3\4\0" + bytes([0x10 * footer, 0, 0, 1, 2]) + b"\xff\xfb\x90\0" * 33 + b"\xff\xfb" * 5 * footer     # 130 bytes: 1 * 128 + 2
    tag = tag[:10 + 130 + 10 * footer]
    (tmp_path / "a.mp3").write_bytes(tag + data + b"TAG" + bytes(125))
    assert mp3_frames.measure(tmp_path / "a.mp3") == expected


@pytest.mark.parametrize("data", [b"", b"ID3", b"ID3\4\0\0\x7f\x7f\x7f\x7f", b"RIFF" * 9, b"\xff\xfb\xf0\0", b"\xff\xfb\x9c\0",
                                  b"\xff\xfd\x90\0", b"\xff\xeb\x90\0"])
def test_what_is_no_frame_ends_the_walk(tmp_path, data):
    (tmp_path / "a.mp3").write_bytes(data)
    assert mp3_frames.measure(tmp_path / "a.mp3") == mp3_frames.Frames(0, False)
