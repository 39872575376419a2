import importlib.util
import sys

import pytest

from kws_tf.errors import ConfigError, KwsError
from kws_tf.synthesis import word_list


def test_a_file_is_cleaned_and_kept_in_order(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("The\n\nfox \n3rd\nfox\ndon't\nx\na\nco-op\nétude\n")
    assert word_list.load("en", 10, str(path)) == ("the", "fox", "don't", "a", "étude")
    assert word_list.load("en", 2, str(path)) == ("the", "fox")


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), (b"\xff\xfe\x00x", "not UTF-8"), (b"one\n1 2\n", "found 1")])
def test_a_useless_file_is_refused(tmp_path, content, words):
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"--word_list=.*{words}"):
        word_list.load("en", 10, str(path))


@pytest.mark.skipif(not importlib.util.find_spec("wordfreq"), reason="wordfreq is not installed: pip install 'kws_tf[synth]'")
def test_words_of_a_language_by_frequency():
    english, german = word_list.load("en-gb", 3000), word_list.load("de", 3000)
    assert len(english) == len(german) == 3000 == len(set(english))
    assert english.index("the") < english.index("house") and "und" in german[:20]
    with pytest.raises(ConfigError, match=r"--language=xx: wordfreq has no words of it, only of ar, .*--word_list"):
        word_list.load("xx", 10)


def test_without_the_package_the_message_names_both_ways(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(KwsError, match=r"kws_tf\[synth\].*--word_list"):
        word_list.load("en", 10)


def test_vowel_signs_and_joiners_are_part_of_words(tmp_path):
    path = tmp_path / "words.txt"
    words = ("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645")
    path.write_text("\n".join([*words, "\u0968\u0969", "\u200c", "\u0915\u0967"]), encoding="utf-8")
    assert word_list.load("hi", 10, str(path)) == words
