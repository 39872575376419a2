"""Accuracy of an exported file on a split of a folder dataset."""

import dataclasses
import pathlib

import numpy as np

from kws_tf import dataset
from kws_tf.errors import DatasetError
from kws_tf.evaluation import classification
from kws_tf.evaluation.comparison import compare
from kws_tf.evaluation.scoring import score
from kws_tf.runtime import model_file
from kws_tf.runtime.model import softmax

SHOWN_WORST = 20


def evaluate_model(model_path, data, split="testing", *, compare_with=None, workers=None, progress=True, **options):
    """Scores every clip of a split with the very file that ships.

    Clip length, crop and sample rate are those of the model's manifest.

    Args:
        model_path: a .tflite file or its export folder.
        data: DataConfig; where the clips are, their cache and decoder.
        split: "training", "validation" or "testing".
        compare_with: a second model, scored on the same clips; adds "comparison".
        workers: threads; None takes one per processor.
        progress: whether to show bars.
        options: interpreter and kernels, see runtime.load_model.

    Returns:
        dict of JSON values: model (see model_identity), data_root, split, bad_files_left_out, classes_without_clips, the
        figures of classification.report, worst (see worst_clips) and, with compare_with, other and comparison (see comparison.compare).

    Raises:
        ModelFileError: a model file cannot be used.
        DatasetError: the split is absent, has a class that the model does not know, or files that cannot be used.

    Example:
        >>> evaluate_model("runs/pi/export/features", DataConfig(data_root="clips"), "testing")["accuracy"]
        0.9624
    """
    manifest, _ = model_file.read(model_path)
    other_manifest = _check_comparable(manifest, model_path, compare_with)
    found = _load(data, split, manifest, progress)
    clips = found.splits[split]

    def read(fitted_for):
        return lambda indices: clips.fit(indices, fitted_for.clip_samples, fitted_for.crop, None)

    logits = score(model_path, read(manifest), clips.n_clips, workers=workers, progress=progress, title=split, **options)
    report = {
        "model": model_identity(model_path, manifest),
        "data_root": str(data.data_root),
        "split": split,
        "bad_files_left_out": found.n_bad_files,
        "classes_without_clips": list(found.missing_classes.get(split, ())),
        **classification.report(clips.labels, logits, manifest.labels),
        "worst": worst_clips(clips.paths, clips.labels, logits, manifest.labels),
    }
    if compare_with is not None:
        others = score(compare_with, read(other_manifest), clips.n_clips, workers=workers, progress=progress, title="other model",
                       **options)
        report["other"] = {**model_identity(compare_with, other_manifest), **classification.report(clips.labels, others, manifest.labels)}
        report["comparison"] = compare(clips.labels, logits, others)
    return report


def worst_clips(paths, labels, logits, names, n_shown=SHOWN_WORST):
    """The clips that are wrong with the highest score: often mislabelled or damaged ones, so they are worth hearing.

    Args:
        paths: of the clips. labels: int [clips]. logits: float [clips, classes]. names: of the classes.
        n_shown: at most so many.

    Returns:
        list of dicts: file, label, predicted, score (probability of the predicted class), highest first.
    """
    scores = softmax(logits)
    best, highest = scores.argmax(axis=1), scores.max(axis=1)
    wrong = np.flatnonzero(best != labels)
    order = wrong[np.argsort(-highest[wrong], kind="stable")][:n_shown]
    return [{"file": paths[i], "label": names[labels[i]], "predicted": names[best[i]], "score": round(float(highest[i]), 4)} for i in order]


def _load(data, split, manifest, progress):
    """The ClipDataset of one split with the classes of the model, in its order."""
    as_trained = dataclasses.replace(data, clip_duration=manifest.clip_samples / manifest.sample_rate, eval_crop=manifest.crop)
    return dataset.load(as_trained, manifest.sample_rate, splits=(split,), classes=manifest.labels, progress=progress)


def _check_comparable(manifest, path, other_path):
    if other_path is None:
        return None
    other, _ = model_file.read(other_path)
    if (other.labels, other.sample_rate) != (manifest.labels, manifest.sample_rate):
        raise DatasetError(f"{other_path} cannot be compared with {path}: labels {', '.join(other.labels)} at {other.sample_rate} Hz "
                           f"against {', '.join(manifest.labels)} at {manifest.sample_rate} Hz.")
    return other


def model_identity(path, manifest):
    """Which file was scored: dict of file, model_id, profile."""
    folder, _ = model_file.find(path)
    return {"file": str(pathlib.Path(folder) / manifest.model_file), "model_id": manifest.model_id, "profile": manifest.profile}
