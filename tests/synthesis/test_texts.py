"""What is said: kinds, counts, words held back, and nothing that says a phrase."""

import collections

import numpy as np
import pytest

from kws_tf.errors import ConfigError
from kws_tf.synthesis import near_miss, texts
from kws_tf.synthesis.settings import KINDS, SynthesisConfig
from kws_tf.synthesis.texts import Piece, Texts

pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")

from kws_tf.synthesis.espeak_engine import pronounce  # noqa: E402

WORDS = tuple("hay they hey marvin service harvest table water green door jarvis's travis hello computers commuter window "
              "seven music paper three dog garden orange".split())
SETTINGS = SynthesisConfig(phrases=("hey jarvis", "computer"), other_words=WORDS, unseen_share=0.25)
SHARES = (0.25, 0.15, 0.15, 0.15, 0.1, 0.2)


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(5)
    texts = Texts(SETTINGS, rng)
    return texts, {split: list(texts.negatives(split, SHARES, 400, rng)) for split in ("training", "testing")}


def test_kinds_come_in_the_stated_numbers(drawn):
    for clips in drawn[1].values():
        assert collections.Counter(kind for kind, _ in clips) == dict(zip(KINDS, (100, 60, 60, 60, 40, 80), strict=True))


def test_nothing_says_a_phrase(drawn):
    phrases = [near_miss.bare(sound) for sound in pronounce(["hey jarvis", "computer"], "en")]
    whole = sorted({pieces[0].text for clips in drawn[1].values() for _, pieces in clips if pieces[0][1:] == (0.0, 1.0)})
    for text, sound in zip(whole, pronounce(whole, "en"), strict=True):
        assert not any(near_miss.says((near_miss.bare(sound),), phrase) for phrase in phrases), text
    texts = {piece.text for clips in drawn[1].values() for _, pieces in clips for piece in pieces}
    assert "they jarvis" in texts and "hey service" in texts and "commuter" in texts
    assert not texts & {"hay jarvis", "hey jarvis's", "computers"}, "these sound like a phrase or hold one"


def test_cut_kinds_keep_less_than_the_phrase(drawn):
    by_kind = collections.defaultdict(list)
    for kind, pieces in drawn[1]["training"]:
        by_kind[kind].append(pieces)
    assert all(len(pieces) == 1 for kind in ("near_miss", "word", "sentence", "partial") for pieces in by_kind[kind])
    for (piece,) in by_kind["partial"]:
        assert piece.text in ("hey", "jarvis") or (0.3 <= piece.end - piece.start <= 0.65 and 0.0 in (piece.start, 1 - piece.end))
    assert {piece.text for (piece,) in by_kind["partial"]} >= {"hey", "jarvis", "hey jarvis", "computer"}
    for pieces in by_kind["repeated"]:
        assert len(set(pieces)) == 1 and (len(pieces) in (2, 3) and pieces[0].end <= 0.45 or len(pieces[0].text.split()) in (2, 3))
    halves = [pieces for pieces in by_kind["spliced"] if len(pieces) == 2]
    assert halves and all([piece[1:] for piece in pieces] == [(0.0, 0.5), (0.5, 1.0)] for pieces in halves)
    assert any(pieces[0].text == "computer" for pieces in halves) and any(pieces[1].text == "computer" for pieces in halves)
    n_words = [len(piece.text.split()) for (piece,) in by_kind["sentence"]]
    assert set(n_words) >= {2, 3, 4, 5, 6} and max(n_words) == 6 and n_words.count(1) <= 4, "one word stays where it says a phrase"


@pytest.mark.parametrize("phrase", ["bye bye", "hello hello"])
def test_a_phrase_that_repeats_itself_is_never_said_by_a_repetition(phrase):
    rng = np.random.default_rng(5)
    clips = list(Texts(SynthesisConfig(phrases=(phrase,), other_words=WORDS), rng).negatives("training", SHARES, 400, rng))
    said = [pieces for kind, pieces in clips if kind == "repeated"]
    assert len(said) == 60
    assert all(len(pieces) == 1 and (pieces[0].text != phrase or pieces[0].end - pieces[0].start <= 0.65) for pieces in said)
    assert {pieces[0].text for pieces in said} == {phrase, phrase.split()[0]}


def test_testing_has_words_that_training_lacks(drawn):
    words = {split: {pieces[0].text for kind, pieces in clips if kind == "word"} for split, clips in drawn[1].items()}
    usable = set(WORDS) - {"computers"}
    assert words["testing"] <= usable and words["training"] < usable
    assert len(words["testing"] - words["training"]) >= 3


def test_words_take_turns(drawn):
    counts = collections.Counter(pieces[0].text for kind, pieces in drawn[1]["training"] if kind == "word")
    assert max(counts.values()) - min(counts.values()) <= 1


def test_one_phrase_within_another_is_refused():
    with pytest.raises(ConfigError, match="who says 'hey jarvis' also says 'jarvis'"):
        Texts(SynthesisConfig(phrases=("jarvis", "hey jarvis"), other_words=WORDS), np.random.default_rng(1))


def test_piece_is_whole_by_default():
    assert Piece("hey") == ("hey", 0.0, 1.0)


def test_a_part_of_a_phrase_that_no_voice_says_is_refused(monkeypatch):
    monkeypatch.setattr(texts, "pronounce", lambda words, language: [[] if word == "→" else list(word) for word in words])
    monkeypatch.setattr(texts.near_miss, "bare", tuple)
    with pytest.raises(ConfigError, match="says nothing for '→'. Write in --phrase what is said"):
        Texts(SynthesisConfig(phrases=("left → right",), other_words=WORDS), np.random.default_rng(1))


def test_a_mark_that_is_said_is_a_word_of_the_phrase():
    found = Texts(SynthesisConfig(phrases=("rock & roll",), other_words=("house", "table")), np.random.default_rng(1))
    assert any(miss.text == "house & roll" for miss in found.near_misses["rock & roll"])
