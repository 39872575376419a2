import pytest

from kws_tf import convert
from kws_tf.errors import ConversionError
from kws_tf.tflite.profiles import PROFILES, profile_of


def test_the_programs_offer_every_profile():
    assert tuple(PROFILES) == convert.PROFILES
    for name, profile in PROFILES.items():
        assert profile_of(name) is profile and profile.name == name and profile.purpose
        assert f"\n    {name} " in convert.__doc__


def test_pi_and_tflm_make_the_same_graph():
    pi, tflm = PROFILES["pi"], PROFILES["tflm"]
    assert (pi.input_kind, pi.dtype) == (tflm.input_kind, tflm.dtype) == ("pcm", "int8")
    assert set(tflm.states) < set(pi.states) and tflm.largest_bytes < pi.largest_bytes


def test_esphome_has_an_operator_list_of_its_own():
    from kws_tf.tflite.operator_support import VERSIONS

    profile = PROFILES["esphome"]
    assert len(profile.operators) == 20 and set(profile.operators) < set(VERSIONS)
    assert (profile.largest_variables, profile.states, profile.probability) == (20, ("internal",), True)
    assert not any(other.operators or other.probability for name, other in PROFILES.items() if name != "esphome")


def test_an_unknown_profile():
    with pytest.raises(ConversionError, match="one of pi, tflm, features, float32, esphome, ethos-u; received 'esp'. Set --profile"):
        profile_of("esp")
