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
])
def test_impossible_settings_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(SynthesisConfig(phrases=("stop",)), **change)
