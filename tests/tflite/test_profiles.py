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


def test_an_unknown_profile():
    with pytest.raises(ConversionError, match="profile must be one of pi, tflm, features, float32; received 'esp'. Set --profile"):
        profile_of("esp")
