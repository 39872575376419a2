"""Where a listener's audio comes from: a microphone, a file, or a pipe. Each source is an iterator of int16 PCM."""

import contextlib
import math
import queue
import struct
import time

import numpy as np

from kws_tf import audio
from kws_tf.errors import AudioError, ConfigError

BLOCK_SECONDS = 0.05
# A microphone block waits here until the model takes it: ten seconds of being late.
LONGEST_QUEUE = 200
# A microphone gives a block every BLOCK_SECONDS, of silence too; one that was unplugged gives none, and no error either.
LONGEST_WAIT_SECONDS = 10.0
# A program that resamples on the way may promise some samples more than it gives.
ROUNDING_SECONDS = 0.1
# First bytes of what is neither, and would be heard as noise.
_PACKED = {b"fLaC": "a FLAC file", b"OggS": "an Ogg file", b"FORM": "an AIFF file", b"RIFX": "a big-endian WAV file",
           b"ID3\3": "an MP3 file", b"ID3\4": "an MP3 file", b"RF64": "an RF64 file", b"caff": "a CAF file"}
_PIPE_HINT = "Convert it on the way, such as: sox FILE -t raw -r {rate} -c 1 -b 16 -e signed - | python -m kws_tf.listen --input -"


def from_file(path, sample_rate, real_time=False):
    """Blocks of a recording.

    Args:
        path: any file that soundfile reads. sample_rate: Hz of the model.
        real_time: whether to give each block only when it would have been heard.

    Raises:
        AudioError: the file cannot be used.
    """
    pcm = audio.read_pcm(path, sample_rate)
    return _paced(_blocks(pcm, sample_rate), sample_rate) if real_time else _blocks(pcm, sample_rate)


def from_pipe(file, sample_rate):
    """Blocks of a pipe that carries WAV or raw PCM: 16 bits, little-endian; raw PCM mono at the rate of the model.

    Args:
        file: binary file object, such as sys.stdin.buffer. sample_rate: Hz of the model.

    Raises:
        AudioError: a WAV header of another rate or kind of samples or one that is cut off, or a file of another format; at the end, that
            no audio came, or less than the header promised.
    """
    start = file.read(4)
    if start in _PACKED:
        raise AudioError(f"standard input: {_PACKED[start]}; expected WAV or raw 16-bit PCM. {_PIPE_HINT.format(rate=sample_rate)}")
    channels, left = 1, math.inf
    if start == b"RIFF":
        (channels, left), start = _wav_header(file, sample_rate), b""
    promised, n_samples = left, 0
    frame, size = 2 * channels, max(1, round(BLOCK_SECONDS * sample_rate)) * 2 * channels
    while True:
        # read1 gives what is there: a live pipe is heard at once, not when a block is full.
        more = file.read1(min(size, left)) if left else b""
        left -= len(more)
        data = start + more
        whole = len(data) // frame * frame
        if whole:
            samples = np.frombuffer(data[:whole], "<i2").reshape(-1, channels)
            yield samples[:, 0].copy() if channels == 1 else np.rint(samples.mean(axis=1)).astype(np.int16)
        n_samples += whole // frame
        start = data[whole:]
        if not more:
            break
    if not n_samples:
        raise AudioError("standard input: no audio came. Look at the program ahead of the pipe.")
    if ROUNDING_SECONDS * sample_rate * frame < left < math.inf:
        raise AudioError(f"standard input: the recording is truncated: its header promises {promised} bytes, {promised - left} came.")


def from_microphone(device, sample_rate, on_loss=None):
    """Blocks of a microphone, until interrupted or unplugged. It is opened at once, and heard from the first block on.

    Args:
        device: number or part of the name, see `microphones`; None for the default one.
        sample_rate: Hz of the model.
        on_loss: called with a line of text when audio was lost.

    Raises:
        AudioError: no such microphone, it does not offer the rate, or (between blocks) it has given nothing for LONGEST_WAIT_SECONDS.
        ConfigError: the package or library is not installed.
    """
    sounddevice = _sounddevice()
    blocks = queue.Queue(LONGEST_QUEUE)
    failures = (sounddevice.PortAudioError, ValueError)

    def take(data, frames, times, status):
        del frames, times
        if status and on_loss:
            on_loss(f"microphone: {status}")
        try:
            blocks.put_nowait(np.frombuffer(bytes(data), np.int16))
        except queue.Full:
            if on_loss:
                on_loss("microphone: this machine is too slow for the model; audio was lost")

    def refused(error):
        return AudioError(f"--device={'default' if device is None else device}: this microphone cannot be opened at {sample_rate} Hz "
                          f"({' '.join(str(error).split())}). See --list_devices; or pipe it in: arecord -f S16_LE -r {sample_rate} -c 1 | "
                          "python -m kws_tf.listen --input -")

    try:
        opened = sounddevice.RawInputStream(samplerate=sample_rate, channels=1, dtype="int16", device=device, callback=take,
                                            blocksize=round(BLOCK_SECONDS * sample_rate))
    except failures as error:
        raise refused(error) from error
    return _heard(opened, blocks, failures, refused)


def microphones():
    """What can be listened to: list of (number, name, channels, default sample rate in Hz, whether it is the default).

    Raises:
        ConfigError: the package or library is not installed.
    """
    sounddevice = _sounddevice()
    default = sounddevice.default.device[0]
    return [(number, device["name"], device["max_input_channels"], device["default_samplerate"], number == default)
            for number, device in enumerate(sounddevice.query_devices()) if device["max_input_channels"] > 0]


def _sounddevice():
    try:
        import sounddevice
    except ImportError as error:
        raise ConfigError("listening to a microphone needs the package sounddevice: pip install 'kws_tf[mic]'. Without it: "
                          "--input FILE, or --input - for a pipe.") from error
    except OSError as error:
        raise ConfigError(f"the PortAudio library is missing ({error}): on Debian and Raspberry Pi OS, sudo apt install libportaudio2. "
                          "Without it: --input FILE, or --input - for a pipe.") from error
    return sounddevice


def _heard(opened, blocks, failures, refused):
    try:
        opened.start()                                    # another program may hold the device
    except failures as error:
        opened.close()
        raise refused(error) from error
    with contextlib.closing(opened):
        while True:
            try:
                block = blocks.get(timeout=LONGEST_WAIT_SECONDS)
            except queue.Empty:
                raise AudioError(f"the microphone has given no audio for {LONGEST_WAIT_SECONDS:g} s. Is it still plugged in? "
                                 "See --list_devices.") from None
            yield block


def _blocks(pcm, sample_rate):
    size = max(1, round(BLOCK_SECONDS * sample_rate))
    return (pcm[start:start + size] for start in range(0, len(pcm), size))


def _paced(blocks, sample_rate):
    begun, heard = time.monotonic(), 0
    for block in blocks:
        heard += len(block)
        time.sleep(max(0.0, begun + heard / sample_rate - time.monotonic()))
        yield block


def _wav_header(file, sample_rate):
    """Reads a WAV header behind "RIFF" up to the samples: number of channels, bytes of samples (infinite where the header cannot know)."""
    if _exactly(file, 8)[4:] != b"WAVE":
        raise AudioError("standard input: begins like a WAV file, but is none.")
    channels = None
    while True:
        name, size = struct.unpack("<4sI", _exactly(file, 8))
        if name == b"data":
            break
        content = _exactly(file, size + size % 2)
        if name == b"fmt " and size >= 16:
            kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
            if kind == 0xFFFE and size >= 26:
                kind = struct.unpack("<H", content[24:26])[0]
            if (kind, bits) != (1, 16) or rate != sample_rate or not channels:
                raise AudioError(f"standard input: a WAV stream of {rate} Hz, {bits} bits, format {kind}; expected {sample_rate} Hz, "
                                 f"16-bit integers. {_PIPE_HINT.format(rate=sample_rate)}")
    if channels is None:
        raise AudioError("standard input: a WAV stream without a description of its samples.")
    return channels, math.inf if size == 0 or size >= audio.UNKNOWN_SIZE else size


def _exactly(file, size):
    data = file.read(size)
    if len(data) < size:
        raise AudioError("standard input: the WAV header is cut off.")
    return data


def device_from_text(value):
    """A device number or name from text: digits become a number; "" the default device."""
    if value == "":
        return None
    return int(value) if value.isdecimal() else value
