"""Exports a trained network as a streaming file, with its manifest and labels."""

import math

import numpy as np
from absl import logging

from kws_tf.detector_settings import default_keywords
from kws_tf.errors import ConversionError
from kws_tf.manifest import WakeWord
from kws_tf.tflite import export_folder, flatbuffer
from kws_tf.tflite.calibration import calibration_features
from kws_tf.tflite.export import MODEL_FILE, describe, finish, require_classes, silence_range, trained_weights
from kws_tf.tflite.profiles import profile_of
from kws_tf.tflite.streaming import join_clips, prepare, streaming_graph

CLIPS_PER_RECORDING = 4
BACKGROUND = "_unknown_"


def export_streaming(model, run_config, classes, calibration_pcm, output_dir, *, profile="pi", state="external", hop_frames=1, metrics=None,
                     data_licence="", wake_word=None, vela=None, compact=False):
    """Converts a trained network for audio that comes hop by hop, and writes its export folder.

    Args:
        model, run_config, classes, calibration_pcm, output_dir, profile, metrics, data_licence: see export.export.
        state: "internal" (the file remembers) or "external" (the caller passes every state on).
        hop_frames: frames that one inference takes.
        vela: see export.export. compact: see streaming.prepare.
        wake_word: WakeWord, for a profile that gives the probability of one keyword; None for the only keyword among the classes.

    Returns:
        Path of the model file.

    Raises:
        ConversionError: see export.export; the network cannot stream, or the profile keeps its state elsewhere. Nothing is written then.

    Example:
        >>> export_streaming(backbone, config, classes, pcm, "runs/pi/export/tflm_stream", profile="tflm", state="internal", hop_frames=2)
    """
    profile = profile_of(profile)
    if state not in profile.states:
        raise ConversionError(f"profile {profile.name} takes {' or '.join(profile.states)} state; received {state!r}. Set --streaming.")
    export_folder.check(output_dir, MODEL_FILE)
    features, more = run_config.features, {}
    keyword = None
    if profile.probability:
        if features.kind != "micro":
            raise ConversionError(f"profile {profile.name}: the network was trained on {features.kind}, and the devices compute features "
                                  "of their own. Train with --features=micro.")
        more["wake_word"] = wake_word = wake_word or only_keyword(classes)
        keyword = keyword_index(classes, wake_word.keyword)
    network = prepare_run(model, run_config, classes, calibration_pcm, profile, keyword, compact)
    graph, section = streaming_graph(network, features, hop_frames, state, profile.input_kind)
    content = flatbuffer.write(graph)
    labels = classes if keyword is None else (BACKGROUND, wake_word.keyword)
    manifest = describe(content, run_config, labels, profile=profile, parameters=trained_weights(model), metrics=metrics,
                        data_licence=data_licence, streaming=section, **more)
    path = finish(output_dir, content, manifest, vela=vela)
    logging.info("streaming: %d frames (%g ms) per step, %s state in %d tensors of %d bytes, scores %d frames (%g ms) late.", hop_frames,
                 hop_frames * features.hop_ms, state, len(section.states), state_bytes(section), section.delay_frames, section.delay_ms)
    return path


def only_keyword(classes):
    """The WakeWord of the only class that is a word.

    Raises:
        ConversionError: there are several, or none.
    """
    words = default_keywords(classes)
    if len(words) != 1:
        raise ConversionError(f"esphome: a model listens for one phrase; the classes have {len(words)} words: {', '.join(words)}. "
                              "Choose one with --keyword; the others then count as background.")
    return WakeWord(words[0], words[0].replace("_", " "))


def keyword_index(classes, keyword):
    """Index of a keyword among the classes.

    Raises:
        ConversionError: it is no class.
    """
    if keyword not in classes:
        raise ConversionError(f"esphome: --keyword={keyword} must be one of the classes {', '.join(classes)}.")
    return list(classes).index(keyword)


def prepare_run(model, run_config, classes, calibration_pcm, profile, keyword=None, compact=False):
    """The streaming network of a training run, calibrated with its clips joined to recordings.

    Args:
        model, run_config, classes, calibration_pcm: see export.export. profile: Profile. keyword, compact: see streaming.prepare.

    Returns:
        streaming.StreamingNetwork.
    """
    features = run_config.features
    window = features.n_frames(run_config.clip_samples)
    require_classes(model, (window, features.n_features, 1), classes)
    calibration = None
    if profile.dtype != "float32":
        clips = np.asarray([] if calibration_pcm is None else calibration_pcm)
        if clips.ndim == 2 and len(clips):
            clips = join_clips(clips, CLIPS_PER_RECORDING, np.random.default_rng(run_config.train.seed))
        calibration = calibration_features(features, clips, profile.input_kind)
    return prepare(model, window, calibration, input_range=silence_range(features), keyword=keyword, compact=compact)


def state_bytes(section):
    """Bytes of all states of a step, from its manifest.Streaming."""
    return sum(math.prod(state.shape) * np.dtype(state.dtype).itemsize for state in section.states)
