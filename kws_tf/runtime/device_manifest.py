"""esphome.json: the manifest, version 2, that ESPHome's micro_wake_word and pymicro-wakeword read beside a model file."""

import json
import math

from kws_tf.errors import ModelFileError
from kws_tf.runtime.detection import configure

DEVICE_MANIFEST_FILE = "esphome.json"
FEATURE_STEP_MS = 10
# The arena is measured on a 64-bit host; a device aligns otherwise, and its allocation fails when it is short.
ARENA_FACTOR, ARENA_ALIGNMENT = 1.8, 16
MINIMUM_ESPHOME_VERSION = "2024.7.0"
OUTPUT_STEPS = 256


def arena_bytes(measured):
    """Working memory to declare: ARENA_FACTOR times what was measured, rounded up."""
    return math.ceil(ARENA_FACTOR * measured / ARENA_ALIGNMENT) * ARENA_ALIGNMENT


def probability_cutoff(threshold):
    """The cutoff of a threshold in score bytes.

    An event needs a mean byte of at least `threshold` here and a mean above the cutoff there; half a step below it, both are the same
    in pymicro-wakeword, and within a step in the integers of the devices.
    """
    return round((threshold - 0.5) / OUTPUT_STEPS, 4)


def to_json(manifest, preset=""):
    """The text of esphome.json.

    Args:
        manifest: Manifest of a file with one probability, with its measured arena. The cutoff and the sliding window are those of its
            calibrated detector, or the defaults of kws_tf.runtime.detection.configure.
        preset: name of a preset of the detector; "" for the default one.

    Returns:
        str, JSON.

    Raises:
        ModelFileError: the file gives no probability, or its arena was not measured.
        ConfigError: no such preset.
    """
    wake_word = manifest.wake_word
    if wake_word is None:
        raise ModelFileError(f"{manifest.model_file}: gives no probability of a wake word; convert the run with --profile esphome.")
    if manifest.arena is None:
        raise ModelFileError(f"{manifest.model_file}: its arena was not measured, and {DEVICE_MANIFEST_FILE} must say it. Convert where "
                             "tflite-micro is installed: x86-64 Linux, pip install 'kws_tf[esphome]'.")
    settings = configure(manifest, preset)[1]
    found = {"type": "micro", "wake_word": wake_word.phrase, "author": wake_word.author, "website": wake_word.website,
             "model": manifest.model_file, "trained_languages": list(wake_word.languages), "version": 2,
             "micro": {"probability_cutoff": probability_cutoff(settings.threshold), "sliding_window_size": settings.window_scores,
                       "feature_step_size": FEATURE_STEP_MS, "tensor_arena_size": arena_bytes(manifest.arena.n_bytes),
                       "minimum_esphome_version": MINIMUM_ESPHOME_VERSION}}
    if not wake_word.website:
        del found["website"]
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"
