import dataclasses

import pytest

from kws_tf import config
from kws_tf.errors import ConfigError
from kws_tf.synthesis.settings import SynthesisConfig, label_of


@pytest.mark.parametrize(("phrase", "label"), [("Hey, Jarvis!", "hey_jarvis"), ("don't stop", "dont_stop"), ("Grüß dich", "grüß_dich"),
                                               ("yes", "yes"), ("...", ""),
                                               ("\u0915\u0940", "\u0915\u0940"), ("\u0915\u093f", "\u0915\u093f"),
                                               ("cafe\u0301 au lait", "caf\u00e9_au_lait")])
def test_labels_are_names_of_folders(phrase, label):
    assert label_of(phrase) == label


# Hindi, Thai, Hebrew, Arabic with a digit, Chinese, and French with combining marks.
@pytest.mark.parametrize("phrase", [
    "hey, jarvis!", "'n' roll", "route 66", "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u05dc\u05b0\u05da\u05b8",
    "\u0645\u0631\u062d\u0628\u0627 \u0661", "\u4f60\u597d", "e\u0301t\u00e9",
])
def test_words_of_every_script_are_words(phrase):
    assert SynthesisConfig(phrases=(phrase,)).labels


def test_settings_travel_as_json():
    settings = SynthesisConfig(phrases=("hey jarvis", "computer"), seed=3)
    assert config.from_dict(SynthesisConfig, config.to_dict(settings)) == settings
    assert settings.labels == ("hey_jarvis", "computer") and settings.clip_samples == 24000


@pytest.mark.parametrize(("change", "words"), [
    ({"phrases": ()}, "received none"), ({"phrases": ("a b", "A-b")}, "must be different"), ({"phrases": ("!",)}, "have letters"),
    ({"positives": (1, 2)}, "positives must be three positive numbers"), ({"silences": (1, 0, 1)}, "silences must be"),
    ({"kinds": (1.0,)}, "kinds must be 6 shares"), ({"kinds": (0.5, 0, 0, 0, 0, 0.6)}, "sum 1"),
    ({"other_words": ("stop", "go")}, "received stop"), ({"snr_db": (3.0, 1.0)}, "snr_db must be two numbers"),
    ({"formant_scale": (0.1, 1.0)}, "0.5 to 2"), ({"peak_db": (-3.0, 1.0)}, "would clip"), ({"unseen_share": 1.0}, "unseen_share"),
    ({"clip_seconds": 0.0}, "--clip_duration"), ({"sample_rate": 4000}, "sample_rate"), ({"noisy_splits": ("test",)}, "noisy_splits"),
    ({"near_misses": 0}, "near_misses must be at least 1"),
    ({"phrases": ("bonjour maison ?",)}, r"'\?' in 'bonjour maison \?' stands alone.* write 'maison\?', or leave it away"),
    ({"phrases": ("computer", "\u00a1 hola !")}, "'\u00a1' in .* stands alone.* write '\u00a1hola'"),
])
def test_impossible_settings_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(SynthesisConfig(phrases=("stop",)), **change)


@pytest.mark.parametrize("phrase", ["rock & roll", "50 %", "1 + 1", "@ home", "24/7", "C++", "it's me", "hey, jarvis!", "R2-D2"])
def test_marks_that_are_said_or_belong_to_a_word_stay(phrase):
    assert SynthesisConfig(phrases=(phrase,)).phrases == (phrase,)
