"""What a microcontroller needs to know of an exported file, beside its bytes."""

import dataclasses

from kws_tf.detector_settings import DetectorPreset, DetectorPresets
from kws_tf.errors import ConfigError, ConversionError
from kws_tf.manifest import Manifest
from kws_tf.runtime.detection import chosen_keywords, score_samples, uncalibrated_settings
from kws_tf.tflite.cost import measure_arena
from kws_tf.tflite.lint import require_clean
from kws_tf.tflite.profiles import profile_of

ARENA_RATIO, ARENA_ALIGNMENT = 1.25, 16
MOST_CLASSES = 255
CLIP_HOP_SECONDS = 0.25
UNCALIBRATED = "uncalibrated"


@dataclasses.dataclass(frozen=True)
class Device:
    """The steps, the memory and the detector of one file.

    Args:
        manifest: Manifest, its arena measured.
        hop_samples: samples that one inference takes. score_samples: samples between two scores. hop_scores: scores per inference.
        presets: DetectorPresets.
    """

    manifest: Manifest
    hop_samples: int
    score_samples: int
    hop_scores: int
    presets: DetectorPresets

    @property
    def arena_bytes(self):
        """What to declare: the measured figure with its margin, a multiple of the alignment."""
        return -(-int(self.manifest.arena.n_bytes * ARENA_RATIO) // ARENA_ALIGNMENT) * ARENA_ALIGNMENT


def describe(manifest, content, keywords=(), clip_hop_seconds=CLIP_HOP_SECONDS):
    """The Device of an exported file.

    Args:
        manifest: Manifest. content: bytes of the file, checked against it.
        keywords: labels that make events; none for those of the manifest, or all but those such as _unknown_.
        clip_hop_seconds: how often a clip file scores its last clip.

    Raises:
        ConversionError: the file does not keep the rules of profile tflm, or its arena cannot be measured.
        ConfigError: a keyword that is no label, or a hop that is no part of the clip.
    """
    section = manifest.streaming
    if manifest.input_kind != "pcm" or section and section.state != "internal":
        raise ConversionError(f"{manifest.model_file}: takes {manifest.input_kind} and has {section.state if section else 'no'} state; a "
                              "microcontroller needs PCM in and, if it streams, internal state. Convert the run with: "
                              "python -m kws_tf.convert --profile tflm --streaming internal")
    require_clean(content, profile_of("tflm"), manifest.model_file)
    if len(manifest.labels) > MOST_CLASSES:
        raise ConversionError(f"{manifest.model_file}: {len(manifest.labels)} labels; the firmware counts up to {MOST_CLASSES}.")
    if manifest.arena is None:
        arena, reason = measure_arena(content)
        if arena is None:
            raise ConversionError(f"{manifest.model_file}: the manifest has no arena, and it cannot be measured: {reason}.")
        manifest = dataclasses.replace(manifest, arena=arena)
    if section:
        n_samples = score_samples(manifest)
        return Device(manifest, section.hop_samples, n_samples, section.hop_scores, detector_presets(manifest, keywords, n_samples))
    hop_samples = round(clip_hop_seconds * manifest.sample_rate)
    if not 0 < hop_samples <= manifest.clip_samples:
        clip_seconds = manifest.clip_samples / manifest.sample_rate
        raise ConfigError(f"--clip_hop_seconds must be above 0 and at most the {clip_seconds:g} s of a clip; received "
                          f"{clip_hop_seconds:g}.")
    return Device(manifest, hop_samples, hop_samples, 1, detector_presets(manifest, keywords, hop_samples))


def detector_presets(manifest, keywords, n_samples):
    """The presets of the manifest, or one that nothing was measured for; n_samples of audio lie between two scores."""
    keywords = chosen_keywords(manifest, keywords)
    if manifest.detector:
        return dataclasses.replace(manifest.detector, keywords=keywords)
    settings = uncalibrated_settings(n_samples / manifest.sample_rate)
    return DetectorPresets(keywords, UNCALIBRATED, (DetectorPreset(UNCALIBRATED, settings),))
