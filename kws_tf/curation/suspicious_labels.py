"""Labels that a small model, which has not seen the clip, does not believe."""

import typing

import numpy as np

from kws_tf.curation.findings import Finding

FOLDS = 5
_HIDDEN, _RIDGE = 512, 3.0
_MARGIN = 0.5


class LabelCheck(typing.NamedTuple):
    """What cross-validation said.

    Args:
        accuracy: of the small model on clips it had not seen; None if there was too little to learn from.
        findings: about clips that another class fits much better, most doubtful first.
    """

    accuracy: float | None
    findings: list


def suspicious_labels(facts, seed=0):
    """Ridge regression on random features of the light features, in five folds that keep speakers together.

    h = max(0, x W + b) with random W and b, one-hot targets Y, weights (h'h + r I)^-1 h'Y. A clip is doubtful if the score of another
    class is more than 0.5 above that of its own, where scores of a sure answer are near 1 and 0.

    Args:
        facts: list of ClipFacts that can be read. seed: of W, b and the folds.

    Returns:
        LabelCheck.
    """
    heard = [fact for fact in facts if not fact.silent]
    labels = sorted({fact.label for fact in heard})
    number = np.array([labels.index(fact.label) for fact in heard])
    if len(labels) < 2 or np.bincount(number).min() < FOLDS:
        return LabelCheck(None, [])
    rng = np.random.default_rng(seed)
    inputs = np.stack([fact.features for fact in heard]).astype(np.float64)
    inputs = (inputs - inputs.mean(axis=0)) / (inputs.std(axis=0) + 1e-6)
    hidden = np.maximum(inputs @ rng.normal(size=(inputs.shape[1], _HIDDEN)) / np.sqrt(inputs.shape[1]) + rng.normal(size=_HIDDEN), 0)
    hidden = np.concatenate([hidden, np.ones((len(hidden), 1))], axis=1)
    # A class with many clips must not win for that alone.
    weight = 1 / np.bincount(number)[number]
    weight *= len(number) / weight.sum()
    targets = np.eye(len(labels))[number]
    groups, scores = _folds(heard, rng), np.zeros_like(targets)
    for fold in range(FOLDS):
        seen, unseen = groups != fold, groups == fold
        weighted = hidden[seen] * weight[seen, None]
        gram = weighted.T @ hidden[seen] + _RIDGE * np.eye(hidden.shape[1])
        scores[unseen] = hidden[unseen] @ np.linalg.solve(gram, weighted.T @ targets[seen])
    own = scores[np.arange(len(number)), number]
    best = scores.argmax(axis=1)
    margin = scores.max(axis=1) - own
    doubtful = [index for index in np.argsort(-margin) if margin[index] > _MARGIN]
    findings = []
    for index in doubtful:
        path, other = heard[index].path, labels[best[index]]
        text = f"{path}: sounds like {other} (score {scores[index].max():.2f}, of its own class {own[index]:.2f})"
        findings.append(Finding("suspicious label", "warning", text, (path,), "Listen to it; move it if the label is wrong."))
    return LabelCheck(float(np.mean(best == number)), findings)


def _folds(facts, rng):
    """A fold for every clip; clips of one speaker, and equal sounds, are in one fold."""
    keys = [fact.speaker or fact.sound for fact in facts]
    order = sorted(set(keys))
    fold_of = dict(zip(order, rng.permutation(len(order)) % FOLDS, strict=True))
    return np.array([fold_of[key] for key in keys])
