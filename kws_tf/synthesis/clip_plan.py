"""Every clip of a synthesised data set, drawn before any is spoken: what, by whom, how, where in the clip, in which noise."""

import dataclasses

import numpy as np

from kws_tf.config import SPLITS
from kws_tf.synthesis import engine_mix, noise, speakers
from kws_tf.synthesis.espeak_engine import pronounce
from kws_tf.synthesis.settings import SILENCE, UNKNOWN, is_letter
from kws_tf.synthesis.texts import Piece, Texts, rounds

_NAME_LETTERS = 40


@dataclasses.dataclass(frozen=True)
class Clip:
    """One line of the manifest: every drawn parameter of one clip.

    Args:
        file: relative to the folder of the set. label: class. kind: "positive", "silence", "recording", "other_speech" or one of
            settings.KINDS.
        pieces: tuple of Piece, spoken by one voice, put together; none for silence and recordings.
        phonemes: of the texts of all pieces, IPA; what a cut drops is included.
        speaker: name that is in one split alone. voice: what the engine drew.
        formant_scale: see SynthesisConfig. position: of the speech, 0 (at the start of the clip) to 1 (at its end).
        noise: kind of noise, "" for none. snr_db: speech over noise. peak_db: level of the largest sample.
        seed: of the speech and the noise.
        source: path of a recording. source_start_s, source_seconds: the piece of it that is taken; 0 seconds for all of it.
    """

    file: str
    label: str
    kind: str
    pieces: tuple[Piece, ...] = ()
    phonemes: str = ""
    speaker: str = ""
    voice: dict = dataclasses.field(default_factory=dict)
    formant_scale: float = 1.0
    position: float = 0.0
    noise: str = ""
    snr_db: float = 0.0
    peak_db: float = 0.0
    seed: int = 0
    source: str = ""
    source_start_s: float = 0.0
    source_seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """The clips of a set.

    Args:
        clips: list of Clip. near_misses: dict of phrase to list of NearMiss.
        speakers: dict of split to tuple of speakers (tuples of takes).
    """

    clips: list
    near_misses: dict
    speakers: dict


def plan(settings, engine):
    """Draws every clip of the set; nothing is spoken.

    In training each engine of a mix speaks as many clips of every class and kind as each other, to within one. Validation and testing are
    spoken by the first, whose speakers are many enough to be dealt.

    Args:
        settings: SynthesisConfig.
        engine: Engine.

    Returns:
        Plan.

    Raises:
        ConfigError: too few speakers for three splits, one phrase within another, or an unknown language.
    """
    rng = np.random.default_rng(settings.seed)
    dealt = speakers.split(engine.speakers(), dict(zip(SPLITS, settings.speaker_shares, strict=True)), rng)
    casts = {split: (group,) for split, group in dealt.items()}
    casts["training"] += engine_mix.training_casts(engine)
    texts = Texts(settings, rng)
    clips = []
    for index, split in enumerate(SPLITS):
        draw = _Draw(settings, engine, split, casts[split], rng)
        for phrase, label in zip(settings.phrases, settings.labels, strict=True):
            endings = rounds(settings.intonations, settings.positives[index], rng)
            clips += draw.spoken(label, [("positive", (Piece(phrase + ending),)) for ending in endings])
        clips += draw.spoken(UNKNOWN, list(texts.negatives(split, settings.kinds, settings.unknowns[index], rng)))
        clips += draw.silent(settings.silences[index])
    return Plan(_with_phonemes(clips, settings.language), texts.near_misses, {split: sum(cast, ()) for split, cast in casts.items()})


class _Draw:
    def __init__(self, settings, engine, split, casts, rng):
        self.settings, self.engine, self.split, self.casts, self.rng = settings, engine, split, casts, rng
        self.noisy = split in settings.noisy_splits

    def spoken(self, label, says):
        rng, settings, n_casts = self.rng, self.settings, len(self.casts)
        turns = [rounds(cast, -(-len(says) // n_casts), rng) for cast in self.casts]
        for index, (kind, pieces) in enumerate(says):
            speaker = turns[index % n_casts][index // n_casts]
            take = speaker[rng.integers(len(speaker))]
            noise_kind, snr_db = str(rng.choice(list(noise.NOISES))), round(rng.uniform(*settings.snr_db), 1)
            yield Clip(
                file=f"{self.split}/{label}/{kind}_{_file_name(pieces)}_{index:05d}.flac", label=label, kind=kind, pieces=pieces,
                speaker=speaker[0].identifier, voice=self.engine.draw(take, rng),
                formant_scale=round(rng.uniform(*settings.formant_scale), 2), position=round(rng.uniform(), 3),
                noise=noise_kind if self.noisy else "", snr_db=snr_db if self.noisy else 0.0,
                peak_db=round(rng.uniform(*(settings.peak_db if self.noisy else settings.clean_peak_db)), 1), seed=int(rng.integers(2**31)))

    def silent(self, n):
        for index in range(n):
            yield Clip(file=f"{self.split}/{SILENCE}/noise_{index:05d}.flac", label=SILENCE, kind="silence",
                       noise=str(self.rng.choice(list(noise.NOISES))), peak_db=round(self.rng.uniform(*self.settings.silence_peak_db), 1),
                       seed=int(self.rng.integers(2**31)))


def _file_name(pieces):
    text = "-".join(piece.text for piece in pieces)
    return "".join(letter if is_letter(letter) else "-" for letter in text)[:_NAME_LETTERS].strip("-")


def _with_phonemes(clips, language):
    texts = sorted({piece.text for clip in clips for piece in clip.pieces})
    sounds = dict(zip(texts, pronounce(texts, language), strict=True))
    return [dataclasses.replace(clip, phonemes=" | ".join("".join(sounds[piece.text]) for piece in clip.pieces)) for clip in clips]
