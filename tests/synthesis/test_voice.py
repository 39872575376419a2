"""The voice list of espeak-ng and look-up by name."""

import pytest

from kws_tf.errors import ConfigError
from kws_tf.synthesis import voice
from kws_tf.synthesis.voice import Voice

BRITISH = Voice("gmw/en", "English (Great Britain)", ("en", "en-gb"), (2, 2), "male", 0)
AMERICAN = Voice("gmw/en-US", "English (America)", ("en-us", "en"), (2, 3), "male", 0)
SECOND_FEMALE = Voice("f2", "female2", (), (), "female", 0)


@pytest.mark.parametrize(("name", "expected"), [
    ("gmw/en-US", AMERICAN), ("English (America)", AMERICAN), ("en-us", AMERICAN), ("EN-US", AMERICAN),
    ("en", BRITISH), ("en-gb", BRITISH)])
def test_a_voice_is_found_by_file_name_and_language(name, expected):
    assert voice.find((AMERICAN, BRITISH), name) is expected


def test_a_variant_is_found_by_file_and_name():
    assert voice.find((SECOND_FEMALE,), "f2") is voice.find((SECOND_FEMALE,), "female2") is SECOND_FEMALE


def test_an_unknown_name_is_refused_with_similar_ones():
    with pytest.raises(ConfigError, match="no voice 'en-ux'; did you mean 'en-us'"):
        voice.find((AMERICAN, BRITISH), "en-ux")
    with pytest.raises(ConfigError, match=r"no variant 'zzz'\.$"):
        voice.find((SECOND_FEMALE,), "zzz", "variant")


def test_a_language_without_its_dictionary_is_noticed(tmp_path):
    (tmp_path / "lang" / "gmw").mkdir(parents=True)
    (tmp_path / "lang" / "gmw" / "en-US").write_text("name English (America)\nlanguage en-us 2\nlanguage en 3\n")
    assert not AMERICAN.has_dictionary(tmp_path)
    (tmp_path / "en_dict").touch()
    assert AMERICAN.has_dictionary(tmp_path)
    (tmp_path / "lang" / "gmw" / "en-US").write_text("language en-us 2\ndictionary other\n")
    assert not AMERICAN.has_dictionary(tmp_path)


def test_the_installed_library_lists_accents_and_speakers():
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'kws_tf[synth]'")
    from kws_tf.synthesis.espeak import Espeak

    espeak = Espeak()
    assert len(espeak.voices) > 100 and len(espeak.variants) > 90
    assert voice.find(espeak.voices, "en-us").identifier == "gmw/en-US"
    assert voice.find(espeak.voices, "en-us").languages == ("en-us", "en")
    assert voice.find(espeak.variants, "f2") == SECOND_FEMALE
    assert voice.find(espeak.variants, "m8").age == 50
    assert {known.gender for known in espeak.variants} == {"male", "female"}
    assert all(known.has_dictionary(espeak.data_path) for known in espeak.voices)
