"""Exports a trained network as a folder: model.tflite, manifest.json, labels.txt, report.md."""

import dataclasses
import importlib.metadata
import math
import pathlib

from absl import logging

from kws_tf import manifest as manifests
from kws_tf.config import to_dict
from kws_tf.errors import ConversionError
from kws_tf.micro_front_end import LARGEST_FEATURE
from kws_tf.runtime import device_manifest, model_file
from kws_tf.runtime.device_manifest import DEVICE_MANIFEST_FILE
from kws_tf.tflite import export_folder, flatbuffer, operators
from kws_tf.tflite.calibration import calibration_features
from kws_tf.tflite.convert import convert_classifier
from kws_tf.tflite.cost import measure, measure_arena
from kws_tf.tflite.layer_errors import layer_errors
from kws_tf.tflite.lint import require_clean
from kws_tf.tflite.merge import merge
from kws_tf.tflite.profiles import profile_of
from kws_tf.tflite.report import REPORT_FILE, render, with_accuracy
from kws_tf.tflite.vela import COMPILED_FILE, VelaSettings, compile_model

MODEL_FILE = "model.tflite"
LABELS_FILE = "labels.txt"


def export(model, run_config, classes, calibration_pcm, output_dir, *, profile="features", metrics=None, data_licence="",
           layer_report=False, vela=None):
    """Converts a trained network for clips and writes its export folder.

    Args:
        model: built keras.Model, features [batch, time, frequency, 1] -> logits [batch, classes].
        run_config: RunConfig of the training run.
        classes: names in the order of the logits.
        calibration_pcm: int16 [clips, clip_samples] of training clips, see choose_clips; None is enough for float32.
        output_dir: the folder; absent, empty, or an earlier export.
        profile: a name of profiles.PROFILES.
        metrics: figures to store in the manifest, name -> JSON value.
        data_licence: licence note of the training data.
        layer_report: whether report.md tells the error of every layer, which takes about as long as the conversion.
        vela: VelaSettings of a profile that is compiled for Ethos-U; None for its defaults.

    Returns:
        Path of the model file.

    Raises:
        ConversionError: the conversion fails, the logits do not fit the classes, or the folder is not an export of this project.
            Nothing is written then.

    Example:
        >>> export(backbone, config, classes, pcm[choose_clips(labels, 200, seed=1)], "runs/pi/export/pi", profile="pi")
    """
    profile = profile_of(profile)
    export_folder.check(output_dir, MODEL_FILE)
    features = run_config.features
    calibration = None if profile.dtype == "float32" else calibration_features(features, calibration_pcm, profile.input_kind)
    content = convert_clip(model, run_config, classes, calibration, profile)
    manifest = describe(content, run_config, classes, profile=profile, parameters=trained_weights(model), metrics=metrics,
                        data_licence=data_licence)
    layers = layer_errors(model, calibration, content) if layer_report and calibration is not None else ()
    return finish(output_dir, content, manifest, layers, vela)


def convert_clip(model, run_config, classes, calibration, profile):
    """The bytes of the file that scores one clip.

    Args:
        model, run_config, classes: see export. profile: Profile.
        calibration: float32 [clips, time, frequency, 1] of calibration.calibration_features; None is enough for float32.

    Returns:
        bytes.

    Raises:
        ConversionError: see export.
    """
    features, n_samples = run_config.features, run_config.clip_samples
    shape = (features.n_frames(n_samples), features.n_features, 1)
    require_classes(model, shape, classes)
    classifier = convert_classifier(model, calibration, profile.dtype, input_shape=shape, input_range=silence_range(features))
    return classifier if profile.input_kind == "features" else flatbuffer.write(merge(features, n_samples, classifier))


def require_classes(model, input_shape, classes):
    """Refuses a network with more or fewer outputs than classes.

    Raises:
        ConversionError: it has.
    """
    n_outputs = model.compute_output_shape((1, *input_shape))[-1]
    if n_outputs != len(classes):
        raise ConversionError(f"{model.name}: the network has {n_outputs} outputs, but there are {len(classes)} classes.")


def trained_weights(model):
    """How many values of a network were trained."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def finish(output_dir, content, manifest, layers=(), vela=None):
    """The last steps of every export: lint, measurement of the cost, report, and then the folder.

    Args:
        output_dir: see export. content: bytes of the model file. manifest: its Manifest, without cost.
        layers: list of LayerError for the report. vela: see export.

    Returns:
        Path of the model file.

    Raises:
        ConversionError: the file breaks a rule of its profile, or the folder cannot be written.
    """
    profile, files = profile_of(manifest.profile), {}
    require_clean(content, profile, manifest.model_file)
    if profile.accelerated:
        files[COMPILED_FILE], estimate = compile_model(content, vela or VelaSettings())
        manifest = dataclasses.replace(manifest, ethos=estimate)
    arena, arena_note = measure_arena(content)
    if arena is None:
        logging.warning("the arena of %s is not measured: %s.", manifest.model_file, arena_note)
    manifest = dataclasses.replace(manifest, arena=arena, cost=measure(content))
    files[REPORT_FILE] = render(manifest, arena_note=arena_note, layers=layers).encode("utf-8")
    if manifest.wake_word is not None:
        files[DEVICE_MANIFEST_FILE] = device_manifest.to_json(manifest).encode("utf-8")
    # What another profile wrote there belongs to another model.
    write(output_dir, content, manifest, files, gone={COMPILED_FILE, DEVICE_MANIFEST_FILE} - files.keys())
    path = pathlib.Path(output_dir) / manifest.model_file
    firmware = path.parent / export_folder.FIRMWARE_FOLDER
    if firmware.exists():
        logging.warning("%s is of the model that was here before: make it again by kws_tf.firmware.", firmware)
    logging.info("%s: %d bytes, %d operators, %.2f million MACs, %d parameters%s.", path, len(content), manifest.cost.nodes,
                 manifest.macs / 1e6, manifest.parameters, f", arena {arena.n_bytes} bytes" if arena else "")
    return path


def silence_range(features):
    """The features of digital silence, (lowest, highest): an int8 input must reach them even if no calibration clip does.

    Those of kind "micro" have the range that devices give them.

    Every mel band is then at the floor; the orthonormal cosine transform of that is sqrt(n_mels) * ln(floor) in coefficient 0.
    """
    if features.kind == "micro":
        return 0.0, LARGEST_FEATURE
    value = math.log(features.log_floor) * (math.sqrt(features.n_mels) if features.kind == "mfcc" else 1)
    return min(value, 0.0), max(value, 0.0)


def describe(content, run_config, classes, *, profile, parameters, metrics=None, data_licence="", **more):
    """The manifest of a model, with everything that the file itself can tell read from the file.

    Args:
        content: bytes of the model file.
        run_config, classes, metrics, data_licence: see export. profile: Profile.
        parameters: trained weights.
        more: other fields of Manifest, such as cost; streaming makes it the manifest of a streaming model.

    Returns:
        Manifest.
    """
    graph = flatbuffer.read(content)
    counts = operators.count(content)
    return manifests.Manifest(
        model_file=MODEL_FILE, model_id=manifests.model_id(content), model_bytes=len(content),
        kind="streaming" if more.get("streaming") else "clip", profile=profile.name,
        labels=tuple(classes), sample_rate=run_config.features.sample_rate, clip_samples=run_config.clip_samples,
        crop=run_config.data.eval_crop, features=run_config.features, input_kind=profile.input_kind,
        inputs=tuple(tensor.spec for tensor in graph.inputs), outputs=tuple(tensor.spec for tensor in graph.outputs),
        operators=counts, macs=sum(operator.macs for operator in counts), parameters=parameters,
        kws_tf_version=importlib.metadata.version("kws_tf"), data_licence=data_licence, metrics=dict(metrics or {}),
        run=to_dict(run_config), **more)


def write(folder, content, manifest, more_files=None, gone=()):
    """Writes model, manifest and labels as one folder, atomically.

    Args:
        folder: see export_folder.write.
        content: bytes of the model file. manifest: its Manifest.
        more_files: name -> bytes of further files, such as a report. gone: see export_folder.write.
    """
    files = {manifest.model_file: content,
             manifests.MANIFEST_FILE: manifests.to_json(manifest).encode("utf-8"),
             LABELS_FILE: "".join(f"{label}\n" for label in manifest.labels).encode("utf-8"),
             **(more_files or {})}
    export_folder.write(folder, files, manifest.model_file, gone)


def add_evaluation(folder, evaluation):
    """Puts the figures of an evaluation into the manifest and the report of an export.

    Args:
        folder: the export folder. evaluation: report of kws_tf.evaluation.evaluate_model with a comparison.
    """
    manifest, content = model_file.read(folder)
    figures = {name: evaluation[name] for name in ("accuracy", "accuracy_interval", "balanced_accuracy", "clips")}
    figures["float32_accuracy"] = evaluation["other"]["accuracy"]
    manifest = dataclasses.replace(manifest, metrics={**manifest.metrics, evaluation["split"]: figures})
    report = (pathlib.Path(folder) / REPORT_FILE).read_text(encoding="utf-8")
    write(folder, content, manifest, {REPORT_FILE: with_accuracy(report, evaluation).encode("utf-8")})
