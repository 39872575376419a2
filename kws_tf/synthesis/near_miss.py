"""Near misses: other words that sound almost like a phrase, found by the edit distance of their phonemes."""

import itertools
import typing

import numpy as np

_VOWELS = frozenset("aeiouyæɑɐɒəɚɛɜɝɪɨɔøœʊʉʌᵻɘɵɤɯʏ")
_CLASSES = ("pbtdkɡgcɟqʔɾʈɖ", "fvθðszʃʒhxɣçɕʑβχʁħʂʐ", "mnŋɲɳɴ", "lɹrɻwjɫʎɥʋʀ")
_STRESS_AND_LENGTH = str.maketrans("", "", "ˈˌːˑ")
# Of a phrase of several words: so many neighbours of each word are tried alone, and so many in all combinations.
_NEIGHBOURS, _COMBINED = 60, 8
_SHORT = 3


class NearMiss(typing.NamedTuple):
    """A text, its distance from the phrase, and its phonemes in a row."""

    text: str
    distance: float
    phonemes: tuple[str, ...]


def bare(phonemes):
    """Phonemes without stress and length marks; they differ between takes of one word."""
    return tuple(phoneme.translate(_STRESS_AND_LENGTH) for phoneme in phonemes)


def phoneme_class(phoneme):
    """"vowel", a number for plosives, fricatives and affricates, nasals, approximants, or the phoneme itself if it is none of these."""
    if any(letter in _VOWELS for letter in phoneme):
        return "vowel"
    if len(phoneme) > 1 and phoneme[-1] in "ʃʒszɕʑ":  # an affricate: its end is heard
        return 1
    return next((index for index, letters in enumerate(_CLASSES) if phoneme[:1] in letters), phoneme)


def distances(phrase, candidates):
    """Edit distance of a phoneme sequence from each of many.

    An inserted or a left out phoneme costs 1, one in place of another 1, or 1/2 within a class (`phoneme_class`): b for p is nearer than
    s for p. Levenshtein's recursion, for all candidates at once.

    Args:
        phrase: tuple of bare phonemes. candidates: list of such tuples.

    Returns:
        float64 [candidates].

    Example:
        >>> distances(("k", "æ", "t"), [("k", "ʌ", "t"), ("k", "æ", "t", "s"), ("m", "æ", "t")]).tolist()
        [0.5, 1.0, 1.0]
    """
    symbols = sorted({*phrase, *itertools.chain.from_iterable(candidates)})
    number = {symbol: index for index, symbol in enumerate(symbols)}
    classes = [phoneme_class(symbol) for symbol in symbols]
    lengths = np.array([len(candidate) for candidate in candidates])
    columns = np.zeros((lengths.max(initial=0), len(candidates)), np.int64)
    for index, candidate in enumerate(candidates):
        columns[:len(candidate), index] = [number[phoneme] for phoneme in candidate]
    row = np.repeat(np.arange(len(columns) + 1.0)[:, None], len(candidates), axis=1)
    for phoneme in phrase:
        own = phoneme_class(phoneme)
        cost = np.array([1.0 if other != own else 0.5 for other in classes])
        cost[number[phoneme]] = 0.0
        above, row = row, np.empty_like(row)
        row[0] = above[0] + 1
        for position, column in enumerate(columns):
            row[position + 1] = np.minimum(np.minimum(above[position + 1], row[position]) + 1, above[position] + cost[column])
    return row[lengths, np.arange(len(candidates))]


def says(words, phrase):
    """Whether someone who says these words says the phrase.

    A phrase of more than three phonemes must not be heard anywhere, "computer" neither in "computers" nor in "minicomputer". A shorter
    one is part of many words that do not mean it, "go" of "goat": there it is whole words that count.

    Args:
        words: sequence of tuples of bare phonemes, one per word. phrase: tuple of bare phonemes.
    """
    if len(phrase) > _SHORT:
        sound = tuple(itertools.chain.from_iterable(words))
        return any(sound[start:start + len(phrase)] == phrase for start in range(len(sound) - len(phrase) + 1))
    return any(tuple(itertools.chain.from_iterable(words[start:end])) == phrase
               for start, end in itertools.combinations(range(len(words) + 1), 2))


def find(phrase_words, vocabulary, n, accept=lambda words: True):
    """The nearest texts that are not the phrase.

    Candidates are the words of the vocabulary and, for a phrase of several words, the phrase with one word or every word replaced by
    a near one. Texts that say the phrase (`says`) or sound like an earlier one are left out, and so are those further away than half
    the phonemes of the phrase.

    Args:
        phrase_words: list of (word, phonemes), the phrase as its voice says it.
        vocabulary: dict of word to phonemes.
        n: at most so many.
        accept: function (tuple of bare phonemes per word) -> bool; what it refuses is left out too.

    Returns:
        List of NearMiss, nearest first; ties in the order of the vocabulary.
    """
    sounds = {word: bare(phonemes) for word, phonemes in [*vocabulary.items(), *phrase_words] if phonemes}
    known = [word for word in vocabulary if word in sounds]
    own = [word for word, _ in phrase_words]
    phrase = tuple(itertools.chain.from_iterable(sounds[word] for word in own))
    candidates = [(word,) for word in known]
    if len(own) > 1 and known:
        nearest = []
        for word in own:
            order = np.argsort(distances(sounds[word], [sounds[other] for other in known]), kind="stable")
            nearest.append([known[index] for index in order if sounds[known[index]] != sounds[word]][:_NEIGHBOURS])
        candidates += [(*own[:position], other, *own[position + 1:]) for position, others in enumerate(nearest) for other in others]
        candidates += itertools.product(*(others[:_COMBINED] for others in nearest))
    by_sound = {}
    for words in candidates:
        spoken = tuple(sounds[word] for word in words)
        if not says(spoken, phrase) and accept(spoken):
            by_sound.setdefault(tuple(itertools.chain.from_iterable(spoken)), " ".join(words))
    if not by_sound:
        return []
    away = distances(phrase, list(by_sound)).tolist()
    kept = [NearMiss(text, distance, sound) for (sound, text), distance in zip(by_sound.items(), away, strict=True)]
    return sorted((miss for miss in kept if miss.distance <= len(phrase) / 2), key=lambda miss: miss.distance)[:n]
