"""Any recording that soundfile reads, strictly checked, as mono 16-bit PCM at the rate of the model. SciPy only to resample."""

import dataclasses
import math
import os
import re

import numpy as np
import soundfile

from kws_tf import mp3_frames
from kws_tf.errors import AudioError

# Writers that stream to a pipe put a size near 2**31 or 2**32 into the header because they do not know it yet.
UNKNOWN_SIZE = 0x7FFF0000
# Above this peak (12 dB over full scale) a floating-point file is not loud but scaled as integers.
_LARGEST_PEAK = 4.0
_RATES_HZ = (1000, 768000)
_BLOCK_SAMPLES = 1 << 20
_OGG_PAGE_BYTES = 65307                                      # of the largest
# Around the sound of an MP3: delay and padding of the encoder, 12 bits each, and a frame. A guess may also be wrong by a byte per frame.
_MP3_PADDING_SAMPLES, _MP3_GUESS = 2 * 4095 + 1152, 0.01


@dataclasses.dataclass(frozen=True)
class Recording:
    """Samples of one file as stored: not yet down-mixed or resampled.

    Args:
        path: for messages.
        samples: int16, or floating point with full scale 1.0; [samples, channels], at least one sample.
        sample_rate: Hz.
    """

    path: str
    samples: np.ndarray
    sample_rate: int


def read(path):
    """Reads a whole recording: WAV (8, 16, 24, 32-bit and float), FLAC, Ogg Vorbis or Opus, MP3 and what else soundfile reads.

    Returns:
        Recording; its samples are int16 if the file stores 16-bit integers, else float32.

    Raises:
        AudioError: the file is missing, empty, not audio, truncated, without samples, or holds values that are no sound.
    """
    try:
        if os.path.getsize(path) == 0:
            raise AudioError(f"{path}: the file is empty (0 bytes).")
        with soundfile.SoundFile(path) as file:
            sample_rate, expected, log, kind = file.samplerate, file.frames, file.extra_info, file.format
            samples = _read_blocks(file)
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened: {error.strerror}.") from error
    except TypeError as error:                            # soundfile takes the ending .raw for a wish to name rate and channels
        raise AudioError(f"{path}: a name that ends in .raw is taken for samples without a header. Expected WAV, FLAC, Ogg or MP3 audio; "
                         "kws_tf.listen --input - hears raw PCM through a pipe.") from error
    except (soundfile.SoundFileError, ValueError) as error:
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        raise AudioError(f"{path}: not a recording that can be decoded ({reason}). Expected WAV, FLAC, Ogg or MP3 audio.") from error
    cut = _missing_part(path, log, expected, len(samples)) if kind != "MP3" else _missing_mp3(path, expected, len(samples))
    if cut:
        raise AudioError(f"{path}: the recording is truncated: {cut}. Copy or record it again.")
    recording = Recording(str(path), samples, sample_rate)
    check(recording)
    return recording


def check(recording):
    """Refuses a decoded recording without samples, with values that are no sound, or of an impossible rate.

    Raises:
        AudioError: one of these.
    """
    path, samples, rate = recording.path, recording.samples, recording.sample_rate
    if not _RATES_HZ[0] <= rate <= _RATES_HZ[1]:
        raise AudioError(f"{path}: the header says {rate} Hz; expected a sample rate from {_RATES_HZ[0]} to {_RATES_HZ[1]} Hz.")
    if samples.size == 0:
        raise AudioError(f"{path}: the recording holds no samples.")
    if samples.dtype.kind == "f":
        peak = float(np.max(np.abs(samples)))
        if not math.isfinite(peak):
            raise AudioError(f"{path}: the recording holds samples that are not finite (NaN or infinite).")
        if peak >= _LARGEST_PEAK:
            raise AudioError(f"{path}: floating-point samples reach {peak:.4g}; full scale is 1.0. Write them again, divided by 32768.")


def resample(signal, sample_rate, target_rate):
    """Polyphase resampling with a linear-phase low-pass filter (scipy.signal.resample_poly); no delay.

    Args:
        signal: floating point [samples].
        sample_rate, target_rate: Hz.

    Returns:
        [ceil(samples * target_rate / sample_rate)].

    Raises:
        AudioError: SciPy is not installed.
    """
    try:
        from scipy.signal import resample_poly
    except ImportError as error:
        raise AudioError(f"recorded at {sample_rate} Hz, expected {target_rate} Hz; to resample it: pip install scipy") from error
    divisor = math.gcd(sample_rate, target_rate)
    return resample_poly(signal, target_rate // divisor, sample_rate // divisor)


def to_pcm(recording, sample_rate, resampler=resample):
    """Mono 16-bit PCM: the mean of all channels, resampled if the rate differs, rounded to nearest even, saturated at full scale.

    16-bit mono samples of the right rate pass unchanged.

    Args:
        recording: a Recording.
        sample_rate: Hz wanted.
        resampler: function (signal [samples], rate, wanted rate) -> signal.

    Returns:
        int16 [samples].

    Raises:
        AudioError: the recording cannot be resampled here.
    """
    samples = recording.samples
    if samples.dtype == np.int16:
        if samples.shape[1] == 1 and recording.sample_rate == sample_rate:
            return samples[:, 0]
        samples = samples.astype(np.float32) / 32768
    signal = samples.mean(axis=1, dtype=np.float64).astype(np.float32)
    if recording.sample_rate != sample_rate:
        try:
            signal = resampler(signal, recording.sample_rate, sample_rate)
        except AudioError as error:
            raise AudioError(f"{recording.path}: {error}") from error
    return np.clip(np.rint(signal * 32768), -32768, 32767).astype(np.int16)


def read_pcm(path, sample_rate):
    """A recording as mono 16-bit PCM at the rate of the model.

    Args:
        path: file of any format, rate and number of channels that soundfile reads.
        sample_rate: Hz wanted.

    Returns:
        int16 [samples]; at least one sample.

    Raises:
        AudioError: see `read`; or the rate differs and SciPy is missing.

    Example:
        >>> pcm = read_pcm("clip.flac", 16000)
    """
    return to_pcm(read(path), sample_rate)


def checked_pcm(pcm):
    """Samples that a caller hands over, as an array.

    Args:
        pcm: int16 [samples], any number of them.

    Raises:
        AudioError: another type or shape: a cast would turn samples in [-1, 1] into silence.
    """
    pcm = np.asarray(pcm)
    if pcm.dtype != np.int16 or pcm.ndim != 1:
        raise AudioError(f"PCM must be int16 [samples]; received {pcm.dtype} {list(pcm.shape)}. Samples in [-1, 1] become PCM by "
                         "numpy.rint(32767 * samples).astype(numpy.int16).")
    return pcm


def _read_blocks(file):
    """All samples, [samples, channels]. In blocks, because the number of samples in a damaged header can ask for any amount of memory."""
    dtype = "int16" if file.subtype == "PCM_16" else "float32"
    blocks = []
    while not blocks or len(blocks[-1]) == _BLOCK_SAMPLES:
        blocks.append(file.read(_BLOCK_SAMPLES, dtype=dtype, always_2d=True))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _missing_part(path, log, expected, received):
    """What a truncated file lacks, in words, or "". libsndfile itself clamps most formats to what is there without an error."""
    for chunk, promised, present in re.findall(r"(RIFF|riff|Riff size|FORM|data|SSND|Data Size) *: (\d+) \(should be (\d+)\)", log):
        # Some writers count the 8 bytes of the outer chunk's own header too.
        slack = 8 if chunk in ("RIFF", "FORM") else 0
        if int(present) + slack < int(promised) < UNKNOWN_SIZE:
            return f"its header promises {promised} bytes, the file holds {present}"
    counted = re.search(r"Calculated frame count (\d+) does not match value from .* chunk of (\d+)", log)
    if counted:
        return f"its header promises {counted[2]} samples, the file holds {counted[1]}"
    cut = _missing_ogg_end(path)
    return cut or _missing_samples(expected, received)


def _missing_samples(expected, received):
    return f"its header promises {expected} samples, {received} could be decoded" if received != expected else ""


def _missing_mp3(path, expected, received):
    """The same of an MP3 file, whose own count is trusted only if it has one."""
    found = mp3_frames.measure(path)
    if found.samples - received > _MP3_PADDING_SAMPLES + (0 if found.counted else _MP3_GUESS * found.samples):
        raise AudioError(f"{path}: {received} of about {found.samples} samples can be decoded: the MP3 file does not say rightly how long "
                         "it is, or is several files in one. Write it anew: ffmpeg -i OLD.mp3 NEW.wav")
    return _missing_samples(expected, received) if found.counted else ""


def _missing_ogg_end(path):
    """An Ogg stream ends with a whole page that is marked as the last; a cut one decodes without an error up to the cut.

    Raises:
        AudioError: the last page is of a stream that does not begin where the file begins; only what does would be heard.
    """
    with open(path, "rb") as file:
        head = file.read(_OGG_PAGE_BYTES)
        if head[:4] != b"OggS":
            return ""
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * _OGG_PAGE_BYTES))
        tail = file.read()
    page = tail[tail.rfind(b"OggS"):]
    if len(page) >= 18 and page[14:18] not in _ogg_streams(head):
        raise AudioError(f"{path}: several Ogg recordings in one file, of which only the first would be heard. Write it anew: "
                         "ffmpeg -i OLD.ogg NEW.wav")
    complete = len(page) >= _ogg_page_bytes(page)
    return "" if complete and page[5] & 4 else "the last page of the Ogg stream is missing"


def _ogg_page_bytes(page):
    """Length of an Ogg page by its header (RFC 3533): 27 bytes, then as many lengths as the 27th says."""
    n_segments = page[26] if len(page) > 26 else 0
    return 27 + n_segments + sum(page[27:27 + n_segments])


def _ogg_streams(head):
    """Serial numbers of the streams that begin together: their first pages stand in front of all others. A picture may be one."""
    serials, place = {head[14:18]}, 0
    while head[place:place + 4] == b"OggS" and head[place + 5:place + 6] and head[place + 5] & 2:
        serials.add(head[place + 14:place + 18])
        place += _ogg_page_bytes(head[place:])
    return serials
