"""Words of a language by falling frequency, for negatives: from the package wordfreq, or from a file.

wordfreq (Apache-2.0, its word lists CC BY-SA 4.0) holds 40 languages and works offline. Only the choice of words is taken from it.
"""

import pathlib

from kws_tf.errors import ConfigError, KwsError
from kws_tf.synthesis.settings import is_letter

# The apostrophe, and the invisible joiners of Persian and Hindi.
_WITHIN_WORDS = str.maketrans("", "", "'\u200c\u200d")
# Single letters are no words, except these.
_SHORT_WORDS = {"a", "i", "o", "e", "y", "à", "é", "я", "и", "в", "с", "у", "о", "а"}


def load(language, n_words, path=""):
    """Words of letters, with apostrophes, the most frequent first, each once.

    Args:
        language: code, "en" or "en-us"; its first part names the list.
        n_words: at most so many.
        path: text file with one word per line, most frequent first; "" for the list of wordfreq.

    Returns:
        Tuple of str, at least two.

    Raises:
        ConfigError: the file cannot be read, holds fewer than two words, or wordfreq has no such language.
        KwsError: wordfreq is not installed.
    """
    if path:
        try:
            listed = pathlib.Path(path).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--word_list={path}: cannot be read: {getattr(error, 'strerror', 'not UTF-8 text')}.") from error
    else:
        listed = _frequent(language, n_words)
    words = tuple(dict.fromkeys(word for word in (line.strip().lower() for line in listed) if _is_word(word)))[:n_words]
    if len(words) < 2:
        raise ConfigError(f"--word_list={path or 'wordfreq'}: expected at least two words of letters, one per line; found {len(words)}.")
    return words


def _frequent(language, n_words):
    try:
        import wordfreq
    except ImportError as error:
        raise KwsError("Negatives need a list of words: pip install 'kws_tf[synth]' (wordfreq), or name a file, --word_list.") from error
    code = language.split("-")[0]
    known = wordfreq.available_languages()
    if code not in known:
        raise ConfigError(f"--language={language}: wordfreq has no words of it, only of {', '.join(sorted(known))}. "
                          "Name a file with one word per line: --word_list.")
    # Numbers and the like are dropped afterwards, so ask for more.
    return wordfreq.top_n_list(code, n_words + n_words // 4 + 100)


def _is_word(word):
    letters = word.translate(_WITHIN_WORDS)
    return bool(letters) and all(is_letter(letter) and not letter.isnumeric() for letter in letters) and (
        len(word) > 1 or word in _SHORT_WORDS)
