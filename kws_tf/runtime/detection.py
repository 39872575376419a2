"""What a manifest says about detection: keywords, settings, the time between scores, the tensor of the logits."""

import dataclasses

from kws_tf.detector_settings import DetectorSettings, default_keywords
from kws_tf.errors import ConfigError, ModelFileError
from kws_tf.runtime.detector import keyword_classes

# Of a model without calibrated presets.
UNCALIBRATED_PROBABILITY = 0.8


def score_samples(manifest):
    """Samples of audio between two scores of a streaming file.

    Raises:
        ModelFileError: the manifest is not that of a streaming model.
    """
    if manifest.streaming is None:
        raise ModelFileError(f"{manifest.model_file}: a {manifest.kind} model; continuous audio needs a streaming one. "
                             "Convert the run again with: python -m kws_tf.convert --streaming internal")
    return manifest.streaming.stride_frames * manifest.features.hop_samples


def logits_spec(manifest):
    """TensorSpec of the output that holds the logits: the one that is no state."""
    states = {state.output for state in manifest.streaming.states} if manifest.streaming else set()
    return next(spec for spec in manifest.outputs if spec.name not in states)


def uncalibrated_settings(score_seconds):
    """The DetectorSettings of a model without presets, whose scores are so many seconds apart."""
    return DetectorSettings.of_probability(UNCALIBRATED_PROBABILITY, score_seconds)


def chosen_keywords(manifest, keywords=()):
    """The labels that make events: those given, else those of the manifest, else all labels but those such as _unknown_.

    Raises:
        ConfigError: a keyword that is no label, one twice, or none at all.
    """
    keywords = tuple(keywords) or (manifest.detector.keywords if manifest.detector else default_keywords(manifest.labels))
    keyword_classes(manifest.labels, keywords)
    return keywords


def configure(manifest, preset="", keywords=(), **changes):
    """The keywords and settings to run a detector with.

    Args:
        manifest: of a streaming model. Without calibrated presets the settings are those of uncalibrated_settings.
        preset: name of a preset; "" for the default one.
        keywords: labels, see chosen_keywords.
        changes: fields of DetectorSettings to set; None leaves a field as it is. A new threshold without a release keeps their ratio.

    Returns:
        tuple of keywords, DetectorSettings, name of the preset ("" if there are none, and a * behind it after changes).

    Raises:
        ConfigError: no such preset, a value out of range, or see chosen_keywords.
        ModelFileError: not a streaming model.
    """
    period = score_samples(manifest) / manifest.sample_rate
    presets = manifest.detector
    if presets is None and preset:
        raise ConfigError(f"--preset={preset}: {manifest.model_file} has no presets yet; make them with python -m kws_tf.calibrate.")
    chosen = presets.preset(preset) if presets else None
    settings = chosen.settings if chosen else uncalibrated_settings(period)
    keywords = chosen_keywords(manifest, keywords)
    changes = {name: value for name, value in changes.items() if value is not None}
    if "threshold" in changes and "release" not in changes:
        settings = settings.at(changes["threshold"])
    name = chosen.name if chosen else ""
    return keywords, dataclasses.replace(settings, **changes), name + "*" if changes and name else name
