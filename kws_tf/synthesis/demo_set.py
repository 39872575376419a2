"""The data set of the demo: four command words, other words and silence, spoken by espeak-ng in noise; no speaker is in two splits."""

import concurrent.futures
import csv
import dataclasses
import hashlib
import io
import json
import multiprocessing
import os
import pathlib
import shutil

import numpy as np
import soundfile
import tqdm
from absl import logging

from kws_tf import atomic_file, audio, config
from kws_tf.errors import ConfigError, DatasetError
from kws_tf.synthesis import mixing, noise, speakers
from kws_tf.synthesis.espeak import Espeak

UNKNOWN, SILENCE = "_unknown_", "_silence_"
ACCENTS = ("en-us", "en-us-nyc", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
# The first line of each list sounds like a command on purpose: yet and chess, low and note, stock and top, goat and coat.
OTHER_WORDS = ("yet", "chess", "guess", "low", "note", "snow", "stock", "top", "spot", "goat", "toe", "coat",
               "left", "right", "up", "down", "house", "bird", "seven", "happy", "marvin", "water", "music", "paper", "three", "dog", "cat",
               "tree", "five", "eight", "zero", "bed", "learn", "visual", "open", "light", "morning", "kitchen", "river", "apple",
               "finger", "number", "weather", "orange", "garden", "picture", "winter", "letter")
# Spoken in validation and testing only: a device also hears words that training did not have.
UNSEEN_WORDS = ("mess", "slow", "step", "ghost",
                "green", "table", "window", "sun", "girl", "summer", "market", "doctor", "purple", "hand", "village", "cloud")

_FASTEST_WPM = 450
# A multiple of this keeps the ratio to the sample rate short, and with it the resampling filter.
_RATE_STEP = 50
_NOISE_FILES_PER_KIND, _NOISE_SECONDS = 2, 12
_SETTINGS_FILE, _MANIFEST_FILE = "demo_set.json", "manifest.csv"


@dataclasses.dataclass(frozen=True)
class DemoSetConfig:
    """How much of what. Equal settings and versions give equal files.

    Args:
        seed: of every draw.
        commands: the classes to tell apart; `_unknown_` and `_silence_` come on top.
        training, validation, testing: number of clips per command, of `_unknown_` and of `_silence_`.
        speaker_shares: share of the speakers in training, validation and testing.
        sample_rate: Hz.
        clip_seconds: length of every clip.
        speed_wpm, pitch, pitch_range: low and high of the voice parameters.
        formant_scale: low and high of the factor by which the voice is sped up like a tape. It moves pitch and formants together,
            as a shorter vocal tract does, and makes many speakers of each.
        snr_db: speech over noise. peak_db, silence_peak_db: level of the largest sample of a clip, re full scale.
    """

    seed: int = 1
    commands: tuple[str, ...] = ("yes", "no", "stop", "go")
    training: tuple[int, ...] = (550, 1000, 250)
    validation: tuple[int, ...] = (60, 100, 40)
    testing: tuple[int, ...] = (150, 240, 80)
    speaker_shares: tuple[float, ...] = (0.6, 0.15, 0.25)
    sample_rate: int = 16000
    clip_seconds: float = 1.0
    speed_wpm: tuple[int, ...] = (110, 240)
    pitch: tuple[int, ...] = (20, 80)
    pitch_range: tuple[int, ...] = (20, 80)
    formant_scale: tuple[float, ...] = (0.88, 1.14)
    snr_db: tuple[float, ...] = (5.0, 30.0)
    peak_db: tuple[float, ...] = (-30.0, -1.0)
    silence_peak_db: tuple[float, ...] = (-50.0, -5.0)

    def __post_init__(self):
        for name in ("training", "validation", "testing", "speaker_shares"):
            if len(getattr(self, name)) != 3 or min(getattr(self, name)) <= 0:
                raise ConfigError(f"demo set: {name} must be three positive numbers; received {getattr(self, name)!r}.")
        clash = sorted(set(self.commands) & {*OTHER_WORDS, *UNSEEN_WORDS})
        if clash or not self.commands:
            raise ConfigError("demo set: commands must be words that are not among the other words; received "
                              f"{', '.join(clash) or 'none'}.")

    @property
    def clip_samples(self):
        return round(self.clip_seconds * self.sample_rate)


@dataclasses.dataclass(frozen=True)
class Clip:
    """One row of the manifest: every drawn parameter of one clip. Silence has no text and no voice."""

    file: str
    label: str
    text: str
    voice: str
    variant: str
    gender: str
    speed_wpm: int
    pitch: int
    pitch_range: int
    formant_scale: float
    noise: str
    snr_db: float
    peak_db: float
    position: float
    seed: int


def plan(settings, espeak):
    """Draws every clip of the set; nothing is synthesised.

    Args:
        settings: DemoSetConfig.
        espeak: Espeak, for its variants.

    Returns:
        List of Clip.
    """
    rng = np.random.default_rng(settings.seed)
    groups = speakers.group_by_speaker(speakers.natural(espeak.variants), espeak.data_path)
    names = ("training", "validation", "testing")
    dealt = speakers.split(groups, dict(zip(names, settings.speaker_shares, strict=True)), rng)
    clips = []
    for split in names:
        n_command, n_unknown, n_silence = getattr(settings, split)
        other_words = OTHER_WORDS if split == "training" else OTHER_WORDS + UNSEEN_WORDS
        words = {**{label: (label,) for label in settings.commands}, UNKNOWN: other_words}
        for label, texts in words.items():
            # Words and speakers take turns in shuffled rounds, so none is missing and none prevails by chance.
            n_clips = n_unknown if label == UNKNOWN else n_command
            turns = zip(_rounds(texts, n_clips, rng), _rounds(dealt[split], n_clips, rng), strict=True)
            clips += [_draw(settings, f"{split}/{label}", index, rng, text=text, speaker=speaker)
                      for index, (text, speaker) in enumerate(turns)]
        clips += [_draw(settings, f"{split}/{SILENCE}", index, rng) for index in range(n_silence)]
    return clips


def _draw(settings, folder, index, rng, *, text="", speaker=()):
    common = {"label": folder.split("/")[-1], "text": text, "noise": str(rng.choice(list(noise.NOISES))), "seed": int(rng.integers(2**31))}
    if not text:
        return Clip(file=f"{folder}/noise_{index:04d}.flac", voice="", variant="", gender="", speed_wpm=0, pitch=0, pitch_range=0,
                    formant_scale=0.0, snr_db=0.0, peak_db=round(rng.uniform(*settings.silence_peak_db), 1), position=0.0, **common)
    variant = speaker[rng.integers(len(speaker))]
    return Clip(
        file=f"{folder}/{text}_{variant.identifier.replace(' ', '-')}_{index:04d}.flac",
        voice=str(rng.choice(ACCENTS)), variant=variant.identifier, gender=variant.gender,
        speed_wpm=int(rng.integers(settings.speed_wpm[0], settings.speed_wpm[1] + 1)),
        pitch=int(rng.integers(settings.pitch[0], settings.pitch[1] + 1)),
        pitch_range=int(rng.integers(settings.pitch_range[0], settings.pitch_range[1] + 1)),
        formant_scale=round(rng.uniform(*settings.formant_scale), 2), snr_db=round(rng.uniform(*settings.snr_db), 1),
        peak_db=round(rng.uniform(*settings.peak_db), 1), position=round(rng.uniform(), 3), **common)


def _rounds(items, n, rng):
    orders = [rng.permutation(len(items)) for _ in range(-(-n // len(items)))]
    return [items[index] for index in np.concatenate(orders)[:n]]


def render(clip, settings, espeak):
    """Synthesises one clip: voice, resampling, trimming, placement, noise, level.

    An utterance that does not fit is spoken faster by a tenth until it does, so no word is ever cut.

    Args:
        clip: Clip.
        settings: DemoSetConfig.
        espeak: Espeak.

    Returns:
        (int16 [clip_samples], the clip with the speed that was used).

    Raises:
        DatasetError: the word does not fit at the highest speed.
    """
    rng = np.random.default_rng(clip.seed)
    background = noise.make(clip.noise, settings.clip_samples, settings.sample_rate, rng)
    if not clip.text:
        return mixing.to_pcm(background, clip.peak_db), clip
    while True:
        pcm, rate = espeak.synthesise(clip.text, voice=clip.voice, variant=clip.variant, speed_wpm=clip.speed_wpm, pitch=clip.pitch,
                                      pitch_range=clip.pitch_range, seed=clip.seed)
        rate = round(rate * clip.formant_scale / _RATE_STEP) * _RATE_STEP
        speech = mixing.trim(audio.resample(pcm / 32768, rate, settings.sample_rate), settings.sample_rate)
        if len(speech) <= settings.clip_samples:
            break
        if clip.speed_wpm == _FASTEST_WPM:
            raise DatasetError(f"demo set: {clip.text!r} by {clip.variant!r} does not fit into {settings.clip_seconds:g} s at any speed.")
        clip = dataclasses.replace(clip, speed_wpm=min(_FASTEST_WPM, round(1.1 * clip.speed_wpm)))
    speech = mixing.place(speech, settings.clip_samples, clip.position)
    return mixing.to_pcm(mixing.add_noise(speech, background, clip.snr_db), clip.peak_db), clip


def make(output_dir, settings=None, *, n_workers=None, progress=True):
    """Makes the data set, or finds it already made. The folder appears when it is complete, under its final name, or not at all.

    Layout: <output_dir>/{training,validation,testing}/<class>/*.flac, noise/*.flac for augmentation, manifest.csv with every
    parameter of every clip, demo_set.json with the settings.

    Args:
        output_dir: folder to make.
        settings: DemoSetConfig; default DemoSetConfig().
        n_workers: processes; default one per processor that this process may use. 1 works without child processes.
        progress: show a progress bar, if there is a terminal.

    Returns:
        True if it was made, False if it was there already.

    Raises:
        DatasetError: the folder exists and holds something else.
        KwsError: the extra `synth` is not installed.
    """
    output_dir, settings = pathlib.Path(output_dir), settings or DemoSetConfig()
    espeak = Espeak()
    clips = plan(settings, espeak)
    # The digest also tells sets apart whose words or voices differ, which are no settings.
    identity = {"settings": config.to_dict(settings), "espeak_ng": espeak.version,
                "plan_sha256": hashlib.sha256(repr(clips).encode()).hexdigest()}
    if output_dir.exists():
        _check_same(output_dir, identity)
        return False
    partial = output_dir.with_name(f".{output_dir.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for folder in {(partial / clip.file).parent for clip in clips} | {partial / "noise"}:
        folder.mkdir(parents=True)
    _write_noise(partial / "noise", settings)
    rendered = list(tqdm.tqdm(_render_all(clips, settings, partial, n_workers or _processors()), total=len(clips), desc="synthesising",
                              unit="clip", mininterval=1, disable=None if progress else True))
    table = io.StringIO()
    writer = csv.DictWriter(table, [field.name for field in dataclasses.fields(Clip)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(dataclasses.asdict, rendered))
    atomic_file.write_text(partial / _MANIFEST_FILE, table.getvalue())
    atomic_file.write_text(partial / _SETTINGS_FILE, json.dumps(identity, indent=1) + "\n")
    os.rename(partial, output_dir)
    logging.info("%s: %d clips by %d voice variants", output_dir, len(clips), len({clip.variant for clip in clips if clip.variant}))
    return True


def _processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _check_same(output_dir, identity):
    try:
        found = json.loads((output_dir / _SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found != identity:
        kind = "something else" if found is None else "a demo set of other settings or of another version"
        raise DatasetError(f"demo set: {output_dir} exists and holds {kind}. Delete it, or choose another folder.")


def _write_noise(folder, settings):
    """Recordings for augmentation, from another stream of random numbers than the noise within the clips."""
    rng = np.random.default_rng((settings.seed, 1))
    for kind in noise.NOISES:
        for take in range(_NOISE_FILES_PER_KIND):
            signal = noise.make(kind, _NOISE_SECONDS * settings.sample_rate, settings.sample_rate, rng)
            soundfile.write(folder / f"{kind}_{take}.flac", mixing.to_pcm(signal, -1.0), settings.sample_rate, subtype="PCM_16")


def _render_all(clips, settings, folder, n_workers):
    jobs = ((clip, settings, folder) for clip in clips)
    if n_workers == 1:
        yield from map(_render_file, jobs)
        return
    # Fresh processes: a fork would copy the threads' locks of whatever the caller has loaded.
    with concurrent.futures.ProcessPoolExecutor(n_workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_render_file, jobs, chunksize=32)


_espeak_of_process = []


def _render_file(job):
    clip, settings, folder = job
    if not _espeak_of_process:
        _espeak_of_process.append(Espeak())
    pcm, clip = render(clip, settings, _espeak_of_process[0])
    soundfile.write(folder / clip.file, pcm, settings.sample_rate, subtype="PCM_16")
    return clip
