"""What is said in the clips: phrases, and the kinds of speech that must not be taken for them."""

import itertools
import typing

from kws_tf.errors import ConfigError
from kws_tf.synthesis import near_miss
from kws_tf.synthesis.espeak_engine import pronounce
from kws_tf.synthesis.settings import KINDS
from kws_tf.synthesis.word_list import load

# Shares of an utterance that a cut keeps, low and high: a part of a word, and one of which two sound like a stutter.
_PART, _STUTTER = (0.3, 0.65), (0.25, 0.45)
_SENTENCE_WORDS = (2, 6)
# Sentences take words as often as they occur: about one over their rank, from this offset on.
_RANK_OFFSET = 20


class Piece(typing.NamedTuple):
    """A stretch of an utterance: the text that is spoken, and the start and end that are kept as shares of its duration."""

    text: str
    start: float = 0.0
    end: float = 1.0


class Texts:
    """Draws what is said.

    Kinds of negatives: "near_miss" sounds almost like a phrase (`near_miss.find`); "partial" is some words of a phrase, or the first or
    last part of its sound; "repeated" a part of it twice or three times; "spliced" a phrase with one word replaced, or the first half of
    its sound and the second half of another word's, or the other way round; "word" any other word; "sentence" several of them.
    Whatever says a whole phrase (`near_miss.says`) is never drawn.

    Args:
        settings: SynthesisConfig.
        rng: numpy Generator, which deals the words to splits.

    Attributes:
        near_misses: dict of phrase to list of NearMiss.
    """

    def __init__(self, settings, rng):
        self._phrases = settings.phrases
        words = tuple(settings.other_words) or load(settings.language, settings.n_words, settings.word_list)
        own = sorted({word for phrase in self._phrases for word in phrase.split()})
        sounds = [near_miss.bare(sound) for sound in pronounce([*words, *own], settings.language)]
        self._sound_of = dict(zip([*words, *own], sounds, strict=True))
        silent = [word for word in own if not self._sound_of[word]]
        if silent:
            raise ConfigError(f"synthesis: a voice says nothing for {silent[0]!r}. Write in --phrase what is said.")
        self._sounds = [tuple(itertools.chain.from_iterable(self._spoken(phrase.split()))) for phrase in self._phrases]
        for (first, sound), (second, other) in itertools.permutations(zip(self._phrases, self._sounds, strict=True), 2):
            if near_miss.says((sound,), other) or near_miss.says(self._spoken(first.split()), other):
                raise ConfigError(f"synthesis: who says {first!r} also says {second!r}; only one of them can be a --phrase.")
        vocabulary = {word: self._sound_of[word] for word in words if self._sound_of[word] and self._harmless(self._spoken([word]))}
        self.near_misses = {}
        for phrase in self._phrases:
            spoken = [(word, self._sound_of[word]) for word in phrase.split()]
            self.near_misses[phrase] = near_miss.find(spoken, vocabulary, settings.near_misses, self._harmless)
        unseen = set(rng.permutation(len(vocabulary))[:round(settings.unseen_share * len(vocabulary))].tolist())
        self._words = {"training": [word for index, word in enumerate(vocabulary) if index not in unseen]}
        self._words["validation"] = self._words["testing"] = list(vocabulary)
        if not self._words["training"]:
            raise ConfigError("synthesis: no word is left for negatives; give more, --word_list.")

    def _spoken(self, words):
        return tuple(self._sound_of[word] for word in words)

    def _harmless(self, spoken):
        return not any(near_miss.says(spoken, phrase) for phrase in self._sounds)

    def negatives(self, split, shares, n, rng):
        """Kinds and pieces of the clips of `_unknown_`.

        Words, near misses and phrases take turns in shuffled rounds, so none is missing and none prevails by chance.

        Args:
            split: "training", "validation" or "testing".
            shares: of KINDS. n: number of clips. rng: numpy Generator.

        Yields:
            (kind, tuple of Piece), n of them.
        """
        counts = _counts(shares, n)
        words = self._words[split]
        phrases = rounds(self._phrases, n, rng)
        misses = [miss.text for found in self.near_misses.values() for miss in found] or words
        turns = {"near_miss": misses, "word": words}
        for kind, count in zip(KINDS, counts, strict=True):
            texts = rounds(turns[kind], count, rng) if kind in turns else itertools.repeat(None, count)
            for text, phrase in zip(texts, phrases, strict=False):
                if text is not None:
                    yield kind, (Piece(text),)
                else:
                    yield kind, getattr(self, f"_{kind}")(phrase, words, rng)

    def _partial(self, phrase, _, rng):
        words = phrase.split()
        if len(words) > 1 and rng.uniform() < 0.5:
            n_kept = int(rng.integers(1, len(words)))
            start = int(rng.integers(len(words) - n_kept + 1))
            return (Piece(" ".join(words[start:start + n_kept])),)
        kept = round(rng.uniform(*_PART), 3)
        return (Piece(phrase, 0.0, kept) if rng.uniform() < 0.5 else Piece(phrase, round(1 - kept, 3), 1.0),)

    def _repeated(self, phrase, words, rng):
        """A part of "bye bye" twice would be the phrase; there it stays a part."""
        own = phrase.split()
        times = int(rng.integers(2, 4))
        if len(own) > 1 and rng.uniform() < 0.5:
            said = [own[rng.integers(len(own))]] * times
            if self._harmless(self._spoken(said)):
                return (Piece(" ".join(said)),)
        else:
            sound = tuple(itertools.chain.from_iterable(self._spoken(own)))
            if all(self._harmless((sound[:end],) * times) for end in range(1, len(sound) // 2 + 1)):
                return (Piece(phrase, 0.0, round(rng.uniform(*_STUTTER), 3)),) * times
        return self._partial(phrase, words, rng)

    def _spliced(self, phrase, words, rng):
        own, other = phrase.split(), words[rng.integers(len(words))]
        if len(own) > 1 and rng.uniform() < 0.5:
            own[rng.integers(len(own))] = other
            return (Piece(" ".join(own)),) if self._harmless(self._spoken(own)) else (Piece(other),)
        first, second = (phrase, other) if rng.uniform() < 0.5 else (other, phrase)
        return Piece(first, 0.0, 0.5), Piece(second, 0.5, 1.0)

    def _sentence(self, _, words, rng):
        n = int(rng.integers(_SENTENCE_WORDS[0], _SENTENCE_WORDS[1] + 1))
        # Inverse of the cumulated 1 / (rank + offset).
        ranks = _RANK_OFFSET * ((len(words) / _RANK_OFFSET + 1) ** rng.uniform(size=n) - 1)
        chosen = [words[min(int(rank), len(words) - 1)] for rank in ranks]
        return (Piece(" ".join(chosen)),) if self._harmless(self._spoken(chosen)) else (Piece(chosen[0]),)


def _counts(shares, n):
    """Whole numbers with sum n in the ratio of the shares."""
    ends, total = [], 0.0
    for share in shares:
        total += share
        ends.append(round(total * n))
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def rounds(items, n, rng):
    """n items: every item once in random order, then all again in another order, and so on."""
    orders = [rng.permutation(len(items)) for _ in range(-(-n // len(items)))]
    return [items[index] for order in orders for index in order][:n]
