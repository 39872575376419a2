"""Builds long recordings with words at known places, from clips, noise, other speech and room responses.

    python tools/long_audio.py --words=DIR --noise=DIR --speech=DIR --rooms=DIR --output=DIR --minutes=20 --count=3

DIR of --words holds <keyword>/**; --speech is speech without the keywords. A recording is a row of segments, each with one word or one
piece of other speech in the middle of a gap of noise. For every segment a level, a signal-to-noise ratio, a noise and a room are drawn
from --seed, and written to annotations.json (kws_tf.evaluation.annotations) with the place of the word. Levels are the mean power from
the start to the end of the word in dB relative to a full-scale square wave; a segment that would clip is lowered as a whole.
"""

import dataclasses
import math
import pathlib

import numpy as np
import soundfile
from absl import flags

from kws_tf import atomic_file, audio
from kws_tf.counted import counted
from kws_tf.dataset import load_responses
from kws_tf.dataset.scan import subfolders
from kws_tf.dataset.speaker_name import SpeakerName
from kws_tf.errors import AudioError, ConfigError
from kws_tf.evaluation import annotations
from kws_tf.evaluation.score_track import find_recordings
from kws_tf.flags import define_numbers, refuse_arguments, run

FLAGS = flags.FLAGS
FRAME_SECONDS = 0.01
FADE_SECONDS = 0.01
LARGEST = 0.99


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "long_audio"}
    flags.DEFINE_string("words", "", "Folder with <keyword>/**.", **place)
    flags.DEFINE_list("keywords", [], "Folders of --words to use; by default all but those such as _unknown_.", **place)
    flags.DEFINE_string("noise", "", "Folder of background noise; empty for digital silence.", **place)
    define_numbers("noise_part", (0.0, 1.0), "From,to: share of each noise recording that is used.", **place)
    flags.DEFINE_list("speech", [], "Folders of speech without the keywords.", **place)
    flags.DEFINE_float("speech_share", 0.5, "Share of segments with other speech instead of a word.", lower_bound=0, upper_bound=0.99,
                       **place)
    flags.DEFINE_float("speech_seconds", 8, "Longest piece of other speech.", lower_bound=0.1, **place)
    flags.DEFINE_string("rooms", "", "Folder of room impulse responses, made by kws_tf.rooms or recorded; empty for none.", **place)
    flags.DEFINE_float("room_share", 0.5, "Share of segments with a room.", lower_bound=0, upper_bound=1, **place)
    define_numbers("snr_db", (0.0, 30.0), "Low,high of the signal-to-noise ratio in dB.", **place)
    define_numbers("level_dbfs", (-45.0, -20.0), "Low,high of the level of the speech in dB.", **place)
    define_numbers("gap_seconds", (1.5, 5.0), "Low,high of the time between two segments.", **place)
    flags.DEFINE_float("minutes", 10, "Length of a recording.", lower_bound=0.05, **place)
    flags.DEFINE_integer("count", 1, "Recordings.", lower_bound=1, **place)
    flags.DEFINE_integer("sample_rate", 16000, "Hz.", lower_bound=1000, **place)
    flags.DEFINE_integer("seed", 1, "Of every draw.", lower_bound=0, **place)
    flags.DEFINE_string("speaker_pattern", "", "Regular expression that finds the speaker in the name of a clip.", **place)
    flags.DEFINE_string("source", "", "Noted for every word, such as real or synthetic.", **place)
    flags.DEFINE_enum("format", "flac", ["flac", "wav"], "Of the recordings.", **place)
    flags.DEFINE_string("output", "", "Folder to write, made if it is not there.", **place)


@dataclasses.dataclass(frozen=True)
class Material:
    """What recordings are built from; all signals are float [samples] with full scale 1.

    Args:
        words: list of (keyword, path). speech: list of (path, signal). noise: list of signals.
        rooms: list of impulse responses of a voice, from the direct sound on.
        sample_rate: Hz.
    """

    words: list
    speech: list
    noise: list
    rooms: list
    sample_rate: int


@dataclasses.dataclass(frozen=True)
class Ranges:
    """Low and high of what is drawn per segment, and the shares of segments."""

    snr_db: tuple[float, float]
    level_dbfs: tuple[float, float]
    gap_seconds: tuple[float, float]
    speech_share: float
    room_share: float
    speech_seconds: float


def word_extent(signal, sample_rate, name=""):
    """Where the word is in a clip: first and last 10-ms frame within 30 dB of the loudest and 6 dB above the quietest tenth.

    Args:
        signal: float [samples]. sample_rate: Hz. name: of the clip, for the message.

    Returns:
        first sample, sample behind the last.

    Raises:
        AudioError: silent throughout.
    """
    step = round(FRAME_SECONDS * sample_rate)
    frames = np.square(np.pad(signal, (0, -len(signal) % step))).reshape(-1, step).mean(axis=1)
    # Over three frames: a single click is no word.
    power = np.convolve(np.pad(frames, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    if not power.max() > 0:
        raise AudioError(f"{name}: the clip is silent throughout. Remove it.")
    loud = np.flatnonzero(power > max(power.max() * 1e-3, min(np.quantile(power, 0.1) * 4, power.max() / 2)))
    return int(loud[0]) * step, min(len(signal), int(loud[-1] + 1) * step)


def noise_for(n_samples, noise, random):
    """n_samples of one noise recording, from a random place on, repeated if it is short; mean square 1."""
    if not noise:
        return np.zeros(n_samples)
    recording = noise[random.integers(len(noise))]
    piece = np.take(recording, np.arange(n_samples) + random.integers(len(recording)), mode="wrap")
    return piece / max(np.sqrt(np.mean(np.square(piece))), 1e-9)


def make_segment(material, ranges, random, speaker_pattern="", source=""):
    """One word or piece of speech in noise.

    Returns:
        float64 [samples], annotations.Word relative to its start or None for other speech.
    """
    from scipy.signal import fftconvolve

    rate = material.sample_rate
    if material.speech and random.random() < ranges.speech_share:
        path, whole = material.speech[random.integers(len(material.speech))]
        n_samples = min(len(whole), round(ranges.speech_seconds * rate))
        start = random.integers(len(whole) - n_samples + 1)
        keyword, clip = "", whole[start:start + n_samples]
    else:
        keyword, path = material.words[random.integers(len(material.words))]
        clip = audio.read_pcm(path, rate) / 32768
    first, last = word_extent(clip, rate, path)
    room = None
    if material.rooms and random.random() < ranges.room_share:
        room = int(random.integers(len(material.rooms)))
        clip = fftconvolve(clip, material.rooms[room])
    level, snr = random.uniform(*ranges.level_dbfs), random.uniform(*ranges.snr_db)
    gap = round(random.uniform(*ranges.gap_seconds) * rate / 2)
    fade = round(FADE_SECONDS * rate)
    clip = clip * np.minimum(1, np.minimum(np.arange(len(clip)), np.arange(len(clip))[::-1]) / fade)
    speech = np.pad(clip, gap) * 10 ** (level / 20) / np.sqrt(np.mean(np.square(clip[first:last])))
    segment = speech + noise_for(len(speech), material.noise, random) * 10 ** ((level - snr) / 20)
    lowered = min(1.0, LARGEST / np.max(np.abs(segment)))
    if not keyword:
        return segment * lowered, None
    speaker = SpeakerName(speaker_pattern)(path.name) if speaker_pattern else ""
    conditions = {"snr_db": round(snr, 1) if material.noise else None, "level_dbfs": round(level + 20 * np.log10(lowered), 1),
                  "room": room, "speaker": speaker or None, "source": source or None, "clip": f"{keyword}/{path.name}"}
    conditions = {name: value for name, value in conditions.items() if value is not None}
    return segment * lowered, annotations.Word((gap + first) / rate, (gap + last) / rate, keyword, conditions)


def make_recording(material, ranges, seconds, random, **notes):
    """Segments until the length is reached; a last one that does not fit becomes noise.

    Returns:
        int16 [samples], tuple of Word.
    """
    rate, n_samples = material.sample_rate, round(seconds * material.sample_rate)
    parts, words, position = [], [], 0
    while True:
        segment, word = make_segment(material, ranges, random, **notes)
        if position + len(segment) > n_samples:
            break
        if word is not None:
            offset = position / rate
            words.append(dataclasses.replace(word, start_seconds=word.start_seconds + offset, end_seconds=word.end_seconds + offset))
        parts.append(segment)
        position += len(segment)
    level = np.mean(ranges.level_dbfs) - np.mean(ranges.snr_db)
    parts.append(noise_for(n_samples - position, material.noise, random) * 10 ** (level / 20))
    return np.clip(np.rint(np.concatenate(parts) * 32768), -32768, 32767).astype(np.int16), tuple(words)


def load_material(words, keywords, noise, noise_part, speech, rooms, sample_rate):
    """Reads everything but the words, which are read when they are drawn.

    Raises:
        ConfigError: a flag is missing or wrong. DatasetError, AudioError: recordings that cannot be used.
    """
    if not words:
        raise ConfigError("--words is missing: the folder with <keyword>/**.")
    names = list(keywords) or [name for name in subfolders(words) if not name.startswith("_")]
    if not names:
        raise ConfigError(f"--words={words}: no folder of a keyword in it.")

    def signals(folder):
        return [(path, audio.read_pcm(path, sample_rate) / 32768) for path in find_recordings(folder)] if folder else []

    low, high = noise_part
    backgrounds = [signal[int(low * len(signal)):int(high * len(signal))] for _, signal in signals(noise)]
    if not 0 <= low < high <= 1 or any(not len(signal) for signal in backgrounds):
        raise ConfigError(f"--noise_part={low:g},{high:g}: expected 0 <= from < to <= 1, and some sound in it.")
    clips = [(name, path) for name in names for path in find_recordings(pathlib.Path(words) / name)]
    responses = list(load_responses(rooms, sample_rate, flag="rooms")[:, 0]) if rooms else []
    return Material(clips, [spoken for folder in speech for spoken in signals(folder)], backgrounds, responses, sample_rate)


def _pair(name, lowest=-math.inf):
    values = getattr(FLAGS, name)
    if len(values) != 2 or not lowest <= values[0] <= values[1]:
        bound = f" with low >= {lowest:g}" if math.isfinite(lowest) else ""
        raise ConfigError(f"--{name}: expected two numbers, low,high{bound}; received {','.join(map(str, values))}.")
    return values


def main(argv):
    refuse_arguments(argv)
    if not FLAGS.output:
        raise ConfigError("--output is missing: the folder to write.")
    ranges = Ranges(_pair("snr_db"), _pair("level_dbfs"), _pair("gap_seconds", 0), FLAGS.speech_share, FLAGS.room_share,
                    FLAGS.speech_seconds)
    material = load_material(FLAGS.words, FLAGS.keywords, FLAGS.noise, _pair("noise_part"), FLAGS.speech, FLAGS.rooms, FLAGS.sample_rate)
    folder = pathlib.Path(FLAGS.output)
    folder.mkdir(parents=True, exist_ok=True)
    recordings = []
    for index in range(FLAGS.count):
        pcm, words = make_recording(material, ranges, 60 * FLAGS.minutes, np.random.default_rng((FLAGS.seed, index)),
                                    speaker_pattern=FLAGS.speaker_pattern, source=FLAGS.source)
        path = folder / f"recording_{index:03d}.{FLAGS.format}"
        with atomic_file.replacing(path) as temporary:
            soundfile.write(temporary, pcm, FLAGS.sample_rate, subtype="PCM_16")
        recordings.append(annotations.AnnotatedRecording(path, words, len(pcm) / FLAGS.sample_rate, FLAGS.sample_rate))
    annotations.write(folder / "annotations.json", recordings)
    n_words = sum(len(recording.words) for recording in recordings)
    print(f"written: {folder / 'annotations.json'}: {counted(len(recordings), 'recording')} of {FLAGS.minutes:g} minutes, "
          f"{counted(n_words, 'word')}")


if __name__ == "__main__":
    run(main, define)
