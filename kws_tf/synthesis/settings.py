"""SynthesisConfig: what a synthesised data set holds, and how much of it."""

import dataclasses
import unicodedata

from kws_tf.config import SPLITS
from kws_tf.errors import ConfigError

UNKNOWN, SILENCE = "_unknown_", "_silence_"
# What a clip of the class _unknown_ can be, see kws_tf.synthesis.texts.
KINDS = ("near_miss", "partial", "repeated", "spliced", "word", "sentence")


# Punctuation by Unicode, and words all the same: "rock & roll", "50 %".
SPOKEN_MARKS = "&%@#*"


def is_letter(letter):
    """Whether a character is a letter, a digit, or a mark that belongs to a letter, as the vowels of Hindi and Arabic do."""
    return letter.isalnum() or unicodedata.category(letter).startswith("M")


def label_of(phrase):
    """The class of a phrase, a name for a folder: "Hey, Jarvis" -> "hey_jarvis"."""
    plain = unicodedata.normalize("NFC", phrase.lower().replace("'", ""))
    return "_".join("".join(letter if is_letter(letter) else " " for letter in plain).split())


@dataclasses.dataclass(frozen=True)
class SynthesisConfig:
    """How much of what. Equal settings, engines and versions give equal files.

    Args:
        phrases: what to detect; each is a class. `_unknown_` and `_silence_` come on top.
        language: code for words and phonemes.
        seed: of every draw.
        positives, unknowns, silences: number of clips per phrase, of `_unknown_` and of `_silence_` in training, validation, testing.
        recorded_share: recordings of a phrase are repeated in training until they are this share of its positives.
        other_speech: at most so many pieces of recordings without the phrases, on top of the unknowns.
        kinds: share of each of KINDS among the clips of `_unknown_`.
        other_words: the words for negatives; empty for `n_words` of `word_list` (a file), or of wordfreq if that is empty.
        unseen_share: of the words, spoken in validation and testing only, unless as a near miss: a device also hears words that training
            did not have.
        near_misses: number of different near misses of each phrase.
        speaker_shares: share of the speakers in training, validation and testing.
        sample_rate: Hz. clip_seconds: length of every clip.
        intonations: marks set behind a phrase, which change its melody; one is drawn per clip.
        formant_scale: low and high of the factor by which the voice is sped up like a tape. It moves pitch and formants together,
            as a shorter vocal tract does, and makes many speakers of each.
        noisy_splits: splits whose clips carry noise. Training adds its own in every epoch; what models are compared on must not be clean.
        snr_db: speech over noise there. peak_db: level of the largest sample of a clip there, re full scale.
        clean_peak_db: the same in splits without noise, whose level training changes. silence_peak_db: of clips of silence.
        noise_files: recordings of every kind of noise for augmentation.
        babble_voices: speakers that talk at once in the kind babble, 0 for none.
    """

    phrases: tuple[str, ...]
    language: str = "en"
    seed: int = 1
    positives: tuple[int, ...] = (2000, 250, 250)
    unknowns: tuple[int, ...] = (4000, 500, 500)
    silences: tuple[int, ...] = (400, 50, 50)
    recorded_share: float = 0.25
    other_speech: tuple[int, ...] = (4000, 500, 500)
    kinds: tuple[float, ...] = (0.3, 0.15, 0.05, 0.1, 0.15, 0.25)
    other_words: tuple[str, ...] = ()
    word_list: str = ""
    n_words: int = 20000
    unseen_share: float = 0.2
    near_misses: int = 200
    speaker_shares: tuple[float, ...] = (0.7, 0.15, 0.15)
    sample_rate: int = 16000
    clip_seconds: float = 1.5
    intonations: tuple[str, ...] = ("", "", "!", "?", ",")
    formant_scale: tuple[float, ...] = (0.88, 1.14)
    noisy_splits: tuple[str, ...] = ("validation", "testing")
    snr_db: tuple[float, ...] = (0.0, 30.0)
    peak_db: tuple[float, ...] = (-30.0, -1.0)
    clean_peak_db: tuple[float, ...] = (-9.0, -1.0)
    silence_peak_db: tuple[float, ...] = (-50.0, -5.0)
    noise_files: int = 2
    babble_voices: int = 6

    def __post_init__(self):
        for name in ("positives", "unknowns", "silences", "other_speech", "speaker_shares"):
            values = getattr(self, name)
            _require(len(values) == 3 and min(values) > 0, f"{name} must be three positive numbers, for training, validation and testing; "
                     f"received {values!r}.")
        labels = [label_of(phrase) for phrase in self.phrases]
        _require(labels and all(labels) and len(set(labels)) == len(labels),
                 f"phrases must be different and have letters, at least one; received {', '.join(map(repr, self.phrases)) or 'none'}. "
                 "Set --phrase.")
        for phrase in self.phrases:
            _require_words(phrase)
        _require(len(self.kinds) == len(KINDS) and min(self.kinds) >= 0 and abs(sum(self.kinds) - 1) < 1e-6,
                 f"kinds must be {len(KINDS)} shares with sum 1, for {', '.join(KINDS)}; received {self.kinds!r}.")
        clash = sorted(set(self.other_words) & {phrase.lower() for phrase in self.phrases})
        _require(not clash, f"phrases must not be among the other words; received {', '.join(clash)}.")
        for name in ("formant_scale", "snr_db", "peak_db", "clean_peak_db", "silence_peak_db"):
            values = getattr(self, name)
            _require(len(values) == 2 and values[0] <= values[1], f"{name} must be two numbers, low,high; received {values!r}.")
        _require(0.5 <= self.formant_scale[0] and self.formant_scale[1] <= 2, f"formant_scale must lie in 0.5 to 2; received "
                 f"{self.formant_scale!r}.")
        _require(max(self.peak_db[1], self.clean_peak_db[1], self.silence_peak_db[1]) <= 0, "peak levels above 0 dB would clip.")
        _require(0 <= self.unseen_share < 1, f"unseen_share must be at least 0 and below 1; received {self.unseen_share!r}.")
        _require(0.2 <= self.clip_seconds <= 30, f"clip_seconds must be 0.2 to 30; received {self.clip_seconds!r}. Set --clip_duration.")
        _require(8000 <= self.sample_rate <= 48000, f"sample_rate must lie in 8000 to 48000; received {self.sample_rate!r}.")
        _require(set(self.noisy_splits) <= set(SPLITS), f"noisy_splits must be of {', '.join(SPLITS)}; received {self.noisy_splits!r}.")
        _require(0 <= self.recorded_share <= 10, f"recorded_share must lie in 0 to 10; received {self.recorded_share!r}.")
        for name in ("n_words", "near_misses", "noise_files"):
            _require(getattr(self, name) >= 1, f"{name} must be at least 1; received {getattr(self, name)!r}.")

    @property
    def labels(self):
        """Classes of the phrases, in their order."""
        return tuple(label_of(phrase) for phrase in self.phrases)

    @property
    def clip_samples(self):
        """Length of every clip in samples."""
        return round(self.clip_seconds * self.sample_rate)


def _require_words(phrase):
    """Refuses marks between spaces that are only written: voices may read them out, or leave them out, and not as in the phrase."""
    words = phrase.split()
    for position, word in enumerate(words):
        joined = words[position - 1] + word if position else "".join(words[:2])
        _require(any(letter in SPOKEN_MARKS or not unicodedata.category(letter).startswith("P") for letter in word),
                 f"{word!r} in {phrase!r} stands alone and is no word; write {joined!r}, or leave it away. Set --phrase.")


def _require(condition, message):
    if not condition:
        raise ConfigError(f"synthesis: {message}")
