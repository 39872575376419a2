import types

import numpy as np
import pytest
import soundfile

from kws_tf.detector_settings import DetectorSettings
from kws_tf.errors import AudioError, ConfigError, DatasetError
from kws_tf.evaluation import annotations, calibration
from kws_tf.evaluation.annotations import AnnotatedRecording, Word
from kws_tf.evaluation.sweep import Sweep
from tests.spoken_stream import speak

RATE = 16000


def found(points):
    """[(settings, point)] from rows of window, threshold, false accepts, hits of 20."""
    return [(DetectorSettings(threshold, max(1, int(0.75 * threshold)), window),
             {"threshold": threshold, "false_accepts": false, "hits": hits, "misses": 20 - hits})
            for window, threshold, false, hits in points]


def sweep_of(hours):
    """A Sweep of so many hours that finds one false accept and 10 of 20 words with anything else."""
    sweep = Sweep(("a", "b"), ("b",))
    sweep.hours, sweep.n_words = hours, 20
    sweep.point = lambda settings: {"threshold": settings.threshold, "false_accepts": 1, "hits": 10, "misses": 10}
    return sweep


def test_fewest_misses_within_the_allowed_false_accepts():
    points = found([(5, 100, 80, 20), (5, 150, 9, 19), (9, 140, 10, 19), (5, 160, 9, 19), (9, 160, 9, 19), (5, 200, 4, 16), (5, 250, 0, 3)])
    sensitive, balanced, strict = calibration.choose(points, sweep_of(20.0), 0.5, 0.75)
    assert [preset.name for preset in (sensitive, balanced, strict)] == ["sensitive", "balanced", "strict"]
    # 2, 0.5 and 0.125 per hour in 20 hours: at most 40, 10 and 2. Of equal ones the fewer false accepts, the higher threshold, the
    # shorter window.
    assert (sensitive.settings.threshold, sensitive.measured["false_accepts"]) == (160, 9)
    assert balanced.settings == sensitive.settings and "cannot tell it from sensitive" in balanced.measured["note"]
    assert (strict.settings.threshold, strict.measured["misses"], strict.measured["target_per_hour"]) == (250, 17, 0.125)


def test_what_the_hours_support():
    sensitive, balanced, strict = calibration.choose(found([(5, 150, 2, 18), (5, 200, 0, 16)]), sweep_of(20.0), 0.5, 0.75)
    assert sensitive.measured["supported"] and sensitive.measured["upper_bound_per_hour"] == pytest.approx(6.296 / 20, abs=1e-3)
    assert balanced.measured["supported"] and balanced.settings == sensitive.settings
    assert not strict.measured["supported"]
    assert strict.measured["note"].endswith("best effort: 20.00 hours with 1 false accept show fewer than 0.237 per hour, not 0.125; "
                                            "that needs 38 hours with no more")


def test_six_hours_are_needed_for_half_an_accept():
    points = found([(5, 200, 0, 16)])
    for hours, supported in ((5.9, False), (6.0, True)):
        balanced = calibration.choose(points, sweep_of(hours), 0.5, 0.75)[1].measured
        assert balanced["supported"] == supported and ("best effort" in balanced["note"]) != supported


def test_strict_goes_half_way_where_the_hours_are_too_few():
    _, balanced, strict = calibration.choose(found([(5, 100, 0, 20)]), sweep_of(1.0), 0.5, 0.75)
    assert strict.settings == DetectorSettings(178, 133, 5) and balanced.settings.threshold == 100
    assert strict.measured["hits"] == 10 and "raised half-way to 1; best effort: 1.00 hours with 1 false accept" in strict.measured["note"]
    _, balanced, strict = calibration.choose(found([(5, 255, 0, 20)]), sweep_of(1.0), 0.5, 0.75)
    assert strict.settings == balanced.settings and "whose threshold is 1 already; best effort" in strict.measured["note"]


def test_no_setting_is_good_enough():
    balanced = calibration.choose(found([(5, 100, 30, 20), (5, 255, 7, 1)]), sweep_of(1.0), 0.5, 0.75)[1]
    assert balanced.settings.threshold == 255 and balanced.measured["note"].startswith("no setting has 0 false accepts or fewer; this has")


@pytest.fixture
def material(tmp_path):
    """Clips of two keywords of different length, an ambient recording with a short false "jarvis", and annotated recordings."""
    for name, k, lengths in (("jarvis", 1, (20, 30, 40)), ("computer", 2, (25, 35)), ("_unknown_", 1, (50,))):
        (tmp_path / "clips" / name).mkdir(parents=True)
        for n in lengths:
            soundfile.write(tmp_path / "clips" / name / f"{n}.wav", speak(100, [(k, 50, 50 + n)]), RATE)
    soundfile.write(tmp_path / "ambient.wav", speak(2000, [(1, 500, 508), (2, 900, 903)]), RATE)
    soundfile.write(tmp_path / "w.wav", speak(600, [(1, 300, 320), (1, 550, 556)]), RATE)
    words = Word(3.0, 3.2, "jarvis"), Word(5, 5.1, "x")
    annotations.write(tmp_path / "w.json", [AnnotatedRecording(tmp_path / "w.wav", words, 6.0, RATE)])
    return tmp_path


def test_a_window_is_found_that_hears_words_and_no_accident(spoken_model, material):
    presets = calibration.calibrate(spoken_model, material / "ambient.wav", material / "clips", 0.5, windows_seconds=(0.05, 0.2),
                                    workers=1, progress=False)
    assert presets.keywords == ("jarvis", "computer") and presets.default == "balanced"
    balanced = presets.preset()
    assert balanced.measured["misses"] == 0 and balanced.measured["words"] == 5 and balanced.measured["false_accepts"] == 0
    # An accident of 8 scores reaches 8/20 over 200 ms, and a word of 20 scores all of it; over 50 ms both reach 1.
    assert balanced.settings.window_scores == 20 and balanced.settings.threshold > 0.4 * 255 and balanced.settings.refractory_scores == 100
    assert not balanced.measured["supported"] and balanced.measured["hours"] == pytest.approx(20 / 3600)


def test_every_threshold_is_measured_with_the_release_that_is_stored():
    measured = []
    sweep = types.SimpleNamespace(point=lambda settings: measured.append(settings) or {"threshold": settings.threshold})
    pairs = calibration.settings_and_points(sweep, DetectorSettings(255, 191, 7), 0.75)
    assert [settings for settings, _ in pairs] == measured and len(measured) == 255
    assert measured[199] == DetectorSettings(200, 150, 7) and measured[0] == DetectorSettings(1, 1, 7)


def test_annotated_recordings_and_some_keywords(spoken_model, material):
    presets = calibration.calibrate(spoken_model, material / "ambient.wav", material / "w.json", 0.5, keywords=("jarvis",),
                                    windows_seconds=(0.1,), workers=1, progress=False)
    assert presets.keywords == ("jarvis",) and presets.preset().measured["words"] == 1 and presets.preset().measured["misses"] == 0
    # Beside the word something is heard for 6 scores, and in the ambient recording for 8; both recordings count.
    assert presets.preset().settings.threshold > 0.8 * 255 and presets.preset().measured["hours"] == pytest.approx(26 / 3600)


def test_clips_lie_in_faint_noise_behind_a_lead(spoken_model, material):
    from kws_tf import manifest as manifests
    spoken = calibration.read_positives(material / "clips", ("jarvis",), manifests.read(spoken_model))
    assert len(spoken.signals) == 3 and spoken.words[0] == [Word(1.0, 2.0, "jarvis")]
    pcm = spoken.signals[0][1]
    assert len(pcm) == 3 * RATE and 2 < np.std(pcm[:RATE]) < 6 and np.array_equal(pcm[RATE:2 * RATE], speak(100, [(1, 50, 70)]))


def test_refusals(spoken_model, material):
    def calibrate(positives, target=0.5, **more):
        calibration.calibrate(spoken_model, material / "ambient.wav", positives, target, workers=1, progress=False, **more)

    with pytest.raises(ConfigError, match="--target_fa_per_hour must be positive; received 0"):
        calibrate(material / "clips", 0)
    soundfile.write(material / "w.wav", speak(100, []), RATE)
    with pytest.raises(DatasetError, match="w.wav: the last word ends at 3.20 s, the recording at 1.00 s"):
        calibrate(material / "w.json")
    (material / "clips" / "computer").rename(material / "clips" / "komputer")
    with pytest.raises(DatasetError, match="no folder for computer; expected <keyword>/\\*\\* for jarvis, computer"):
        calibrate(material / "clips")
    (material / "clips" / "jarvis" / "bad.wav").write_text("x")
    (material / "clips" / "jarvis" / "worse.wav").write_text("")
    with pytest.raises(AudioError, match="2 clips cannot be used.\n  .*bad.wav.*\n  .*worse.wav"):
        calibrate(material / "clips", keywords=("jarvis",))
