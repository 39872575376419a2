import pytest

from kws_tf.detector_settings import DetectorPreset, DetectorPresets, DetectorSettings, default_keywords, release_for
from kws_tf.errors import ConfigError


def test_default_keywords_leave_background_out():
    assert default_keywords(("_unknown_", "jarvis", "_silence_", "open_door_", "computer")) == ("jarvis", "open_door_", "computer")


def test_settings_from_seconds_and_probabilities():
    settings = DetectorSettings.of_probability(0.8, 0.02, window_seconds=0.1, refractory_seconds=1.5, warmup_seconds=0.5, release_ratio=0.5)
    assert settings == DetectorSettings(204, 102, 5, 75, 25)
    assert DetectorSettings.of_probability(0.0, 0.3).threshold == 1 and DetectorSettings.of_probability(1.0, 0.3).window_scores == 1


def test_another_threshold_keeps_the_ratio_of_the_release():
    for threshold in range(1, 256):
        settings = DetectorSettings(threshold, release_for(threshold))
        assert settings.at(threshold) == settings, "no rounding at the own threshold"
    assert DetectorSettings(200, 100, 3, 4, 5).at(51) == DetectorSettings(51, 25, 3, 4, 5)
    assert DetectorSettings(200, 100).at(1).release == 1


def test_release_is_never_zero():
    assert [release_for(threshold) for threshold in (1, 2, 4, 200)] == [1, 1, 3, 150]


@pytest.mark.parametrize("changes, message", [
    ({"threshold": 0}, "threshold must be a whole number from 1 to 255; received 0"),
    ({"threshold": 256}, "threshold must be a whole number from 1 to 255"),
    ({"threshold": 80, "release": 81}, "release must be a whole number from 1 to 80"),
    ({"window_scores": 0}, "window_scores must be a whole number from 1"),
    ({"refractory_scores": -1}, "refractory_scores must be a whole number from 0"),
    ({"warmup_scores": 1.0}, "warmup_scores must be a whole number"),
    ({"window_scores": True}, "received True"),
])
def test_settings_out_of_range(changes, message):
    with pytest.raises(ConfigError, match=message):
        DetectorSettings(**changes)


def test_presets_are_found_by_name():
    strict, loose = DetectorPreset("strict", DetectorSettings(240, 180)), DetectorPreset("loose", DetectorSettings(120, 90))
    presets = DetectorPresets(("jarvis",), "loose", (strict, loose))
    assert presets.preset() is loose and presets.preset("strict") is strict
    with pytest.raises(ConfigError, match="--preset=medium: this model has strict, loose"):
        presets.preset("medium")


@pytest.mark.parametrize("keywords, default, names", [
    ((), "a", ("a",)), (("x", "x"), "a", ("a",)), (("x",), "a", ()), (("x",), "a", ("b",)), (("x",), "a", ("a", "a")),
])
def test_presets_that_cannot_be(keywords, default, names):
    with pytest.raises(ConfigError, match="detector: "):
        DetectorPresets(keywords, default, tuple(DetectorPreset(name, DetectorSettings()) for name in names))
