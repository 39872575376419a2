import io
import sys
import time
import types

import numpy as np
import pytest
import soundfile

from kws_tf.errors import AudioError, ConfigError
from kws_tf.runtime import sources

PCM = np.random.default_rng(0).integers(-32768, 32768, 5001).astype(np.int16)


def wav(pcm, rate=16000, **options):
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, rate, **{"format": "WAV", "subtype": "PCM_16", **options})
    return buffer.getvalue()


class Trickle(io.RawIOBase):
    """A pipe that gives odd numbers of bytes at a time."""

    def __init__(self, data):
        self._data, self._sizes = data, np.random.default_rng(1)

    def read(self, size=-1):
        part, self._data = self._data[:size], self._data[size:]
        return part

    def read1(self, size=-1):
        return self.read(min(size, int(self._sizes.integers(1, 400))))


def test_raw_pcm_from_a_pipe():
    for file in (io.BytesIO(PCM.tobytes()), Trickle(PCM.tobytes()), io.BytesIO(PCM.tobytes() + b"\1")):
        blocks = list(sources.from_pipe(file, 16000))
        assert np.array_equal(np.concatenate(blocks), PCM) and all(block.dtype == np.int16 for block in blocks)


def test_wav_from_a_pipe():
    content = wav(PCM)
    assert np.array_equal(np.concatenate(list(sources.from_pipe(Trickle(content), 16000))), PCM)
    assert np.array_equal(np.concatenate(list(sources.from_pipe(io.BytesIO(content + b"LIST\4\0\0\0abcd"), 16000))), PCM)
    # What arecord, sox, ffmpeg and others write where they cannot know the length, and a few samples too many after a change of rate.
    for promised in (0x7FFFFF00, 0x7FFFF000, 0xFFFFFFFF, 0x7FFFFFFF, 0, 2 * len(PCM) + 6):
        streamed = content.replace((2 * len(PCM)).to_bytes(4, "little"), promised.to_bytes(4, "little"))
        assert streamed != content and np.array_equal(np.concatenate(list(sources.from_pipe(io.BytesIO(streamed), 16000))), PCM)
    stereo = np.stack([PCM // 2, PCM // 4], axis=1)
    mixed = np.concatenate(list(sources.from_pipe(Trickle(wav(stereo)), 16000)))
    assert np.array_equal(mixed, np.rint(stereo.mean(axis=1)).astype(np.int16))
    extensible = wav(PCM, format="WAVEX")
    assert np.array_equal(np.concatenate(list(sources.from_pipe(io.BytesIO(extensible), 16000))), PCM)


@pytest.mark.parametrize("content, message", [
    (wav(PCM, 44100), "a WAV stream of 44100 Hz, 16 bits, format 1; expected 16000 Hz.*sox FILE -t raw -r 16000"),
    (wav(PCM, subtype="PCM_24"), "16000 Hz, 24 bits, format 1; expected"),
    (wav(PCM / 32768, subtype="FLOAT"), "32 bits, format 3; expected"),
    (b"OggS\0\2", "an Ogg file; expected WAV or raw 16-bit PCM.*sox FILE"),
    (b"RIFF\0\0\0\0AVI LIST", "begins like a WAV file, but is none"),
    (wav(PCM)[:30], "the WAV header is cut off"),
    (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "without a description of its samples"),
    (wav(PCM)[:5044], "the recording is truncated: its header promises 10002 bytes, 5000 came"),
    (wav(PCM[:0]), "no audio came. Look at the program ahead of the pipe"),
    (b"", "no audio came"),
    (b"\1", "no audio came"),
])
def test_a_pipe_that_cannot_be_used(content, message):
    with pytest.raises(AudioError, match=message):
        list(sources.from_pipe(io.BytesIO(content), 16000))


def test_a_file_at_its_own_speed_and_at_any_rate(tmp_path):
    soundfile.write(tmp_path / "a.wav", PCM[:3200], 16000)
    begun = time.monotonic()
    assert np.array_equal(np.concatenate(list(sources.from_file(tmp_path / "a.wav", 16000, real_time=True))), PCM[:3200])
    assert 0.19 < time.monotonic() - begun < 2
    soundfile.write(tmp_path / "b.wav", PCM[:3200], 8000)
    assert sum(map(len, sources.from_file(tmp_path / "b.wav", 16000))) == 6400


class Microphone:
    """Stands for the package sounddevice."""

    PortAudioError = RuntimeError

    def __init__(self, fails=False, busy=False):
        self.default = types.SimpleNamespace(device=(1, 0))
        self.fails, self.busy, self.closed = fails, busy, False

    def query_devices(self):
        return [{"name": "speaker", "max_input_channels": 0, "default_samplerate": 48000.0},
                {"name": "usb", "max_input_channels": 2, "default_samplerate": 44100.0}]

    def RawInputStream(self, *, callback, **options):  # noqa: N802
        if self.fails:
            raise RuntimeError("Invalid sample rate\n[-9997]")
        self.callback, self.options = callback, options
        return self

    def start(self):
        if self.busy:
            raise RuntimeError("Device or resource busy")
        self.callback(PCM[:800].tobytes(), 800, None, "")
        self.callback(PCM[800:1600].tobytes(), 800, None, "input overflow")

    def close(self):
        self.closed = True


def test_microphone(monkeypatch):
    microphone, lost = Microphone(), []
    monkeypatch.setitem(sys.modules, "sounddevice", microphone)
    source = sources.from_microphone("usb", 16000, lost.append)
    assert np.array_equal(np.concatenate([next(source), next(source)]), PCM[:1600]) and lost == ["microphone: input overflow"]
    assert microphone.options == {"samplerate": 16000, "channels": 1, "dtype": "int16", "device": "usb", "blocksize": 800}
    assert sources.microphones() == [(1, "usb", 2, 44100.0, True)]
    source.close()
    assert microphone.closed


def test_a_microphone_that_stops_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", Microphone())
    monkeypatch.setattr(sources, "LONGEST_WAIT_SECONDS", 0.05)
    source = sources.from_microphone(None, 16000)
    assert [len(next(source)), len(next(source))] == [800, 800]
    with pytest.raises(AudioError, match="given no audio for 0.05 s. Is it still plugged in"):
        next(source)


def test_no_microphone(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", Microphone(fails=True))
    with pytest.raises(AudioError, match=r"--device=3: .*opened at 16000 Hz \(Invalid sample rate \[-9997\]\).*--list_devices.*arecord"):
        sources.from_microphone(3, 16000)
    busy = Microphone(busy=True)
    monkeypatch.setitem(sys.modules, "sounddevice", busy)
    with pytest.raises(AudioError, match=r"--device=default: .*\(Device or resource busy\).*arecord"):
        next(sources.from_microphone(None, 16000))
    assert busy.closed
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ConfigError, match=r"pip install 'kws_tf\[mic\]'. Without it: --input FILE"):
        sources.from_microphone(None, 16000)


def test_no_portaudio(monkeypatch):
    class Broken:
        def find_spec(self, name, path, target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(ConfigError, match="PortAudio library is missing.*apt install libportaudio2"):
        sources.microphones()


def test_devices_by_number_or_name():
    assert [sources.device_from_text(text) for text in ("", "2", "usb 2", "\u00b2")] == [None, 2, "usb 2", "\u00b2"]
