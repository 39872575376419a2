"""Phoneme edit distance against a plain recursion, and the search for near misses."""

import functools

import numpy as np
import pytest

from kws_tf.synthesis import near_miss

VOCABULARY = {"cat": ("k", "ˈæ", "t"), "cut": ("k", "ˈʌ", "t"), "cats": ("k", "ˈæ", "t", "s"), "mat": ("m", "ˈæ", "t"),
              "kat": ("k", "æː", "t"), "scat": ("s", "k", "ˈæ", "t"), "seven": ("s", "ˈɛ", "v", "ə", "n"), "matt": ("m", "æ", "t")}


def recursion(one, other):
    """Levenshtein's definition with half a point within a class."""
    @functools.cache
    def distance(i, j):
        if not i or not j:
            return i + j
        last = one[i - 1], other[j - 1]
        swap = 0 if last[0] == last[1] else 0.5 if len({near_miss.phoneme_class(phoneme) for phoneme in last}) == 1 else 1
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + swap)
    return distance(len(one), len(other))


def test_distances_equal_the_recursion():
    rng = np.random.default_rng(1)
    alphabet = ["p", "b", "t", "s", "tʃ", "m", "n", "l", "ɹ", "a", "iː", "eɪ", "ʔ", "~"]
    words = [tuple(alphabet[index] for index in rng.integers(len(alphabet), size=rng.integers(9))) for _ in range(60)]
    for phrase in words[:10]:
        assert near_miss.distances(phrase, words).tolist() == [recursion(phrase, word) for word in words]


def test_classes_of_phonemes():
    assert near_miss.phoneme_class("p") == near_miss.phoneme_class("ɡ") == 0
    assert near_miss.phoneme_class("s") == near_miss.phoneme_class("tʃ") == near_miss.phoneme_class("dʒ") == 1
    assert near_miss.phoneme_class("aɪ") == near_miss.phoneme_class("ɑːɹ") == "vowel"
    assert near_miss.phoneme_class("n") == 2 and near_miss.phoneme_class("ɹ") == 3 and near_miss.phoneme_class("!") == "!"


def test_words_that_sound_like_the_phrase_or_each_other_are_left_out():
    found = near_miss.find([("cat", VOCABULARY["cat"])], VOCABULARY, 10)
    assert [(miss.text, miss.distance) for miss in found] == [("cut", 0.5), ("cats", 1.0), ("mat", 1.0), ("scat", 1.0)]
    assert found[0].phonemes == ("k", "ʌ", "t")
    assert near_miss.find([("cat", VOCABULARY["cat"])], VOCABULARY, 1) == found[:1]
    accepted = near_miss.find([("cat", VOCABULARY["cat"])], VOCABULARY, 10, lambda words: words[0][0] != "k")
    assert [miss.text for miss in accepted] == ["mat", "scat"]


def test_a_longer_phrase_must_not_be_heard_within_a_word():
    phrase = ("s", "ɛ", "v", "ə", "n")
    assert near_miss.says([(*phrase, "z")], phrase) and near_miss.says([("s", "ɛ"), ("v", "ə", "n")], phrase)
    assert not near_miss.says([phrase[:-1]], phrase)


def test_of_a_short_phrase_whole_words_count():
    go = ("ɡ", "oʊ")
    assert not near_miss.says([("ɡ", "oʊ", "t")], go)
    assert near_miss.says([("l", "ɛ", "t"), go], go) and near_miss.says([("ɡ",), ("oʊ",), ("t",)], go)


def test_a_phrase_of_words_varies_in_one_word_and_in_all():
    phrase = [("seven", VOCABULARY["seven"]), ("cat", VOCABULARY["cat"])]
    texts = [miss.text for miss in near_miss.find(phrase, {**VOCABULARY, "heaven": ("h", "ɛ", "v", "ə", "n")}, 50)]
    assert texts[:2] == ["heaven cat", "seven cut"]
    assert "heaven cut" in texts and "heaven cats" in texts
    assert not any(text in texts for text in ("seven cat", "seven kat", "seven cats", "cat"))
    assert "mat" not in texts, "further away than half the phonemes"


def test_without_candidates_there_are_none():
    assert near_miss.find([("cat", VOCABULARY["cat"])], {}, 5) == []


def test_of_espeaks_words_the_known_neighbours_of_jarvis_come_first():
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")
    from kws_tf.synthesis.espeak_engine import pronounce

    words = ["travis", "marvin", "harvest", "table", "jarvis's", "garvis", "orange", "service"]
    vocabulary = dict(zip(words, pronounce(words, "en"), strict=True))
    found = [miss.text for miss in near_miss.find([("jarvis", pronounce(["jarvis"], "en")[0])], vocabulary, 9)]
    assert found[0] == "garvis" and set(found) >= {"service", "harvest"} and not set(found) & {"jarvis's", "table", "orange"}
