"""Clips that are nearly the same: copies at another level, place or noise, which no hash finds."""

import numpy as np

from kws_tf.curation.findings import Finding

SIMILARITY = 0.985
_BLOCK = 2048
_COMPONENTS = 48


def similar_pairs(features, threshold=SIMILARITY):
    """Pairs of clips whose light features have a cosine of at least `threshold`.

    Candidates come from the first principal components, whose cosines are close to those of the whole; each is checked with all features.

    Args:
        features: float32 [clips, n].

    Returns:
        List of (i, j, cosine) with i < j, most similar first.
    """
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)
    small = unit
    if unit.shape[1] > _COMPONENTS:
        _, vectors = np.linalg.eigh(unit.T @ unit)
        small = unit @ vectors[:, -_COMPONENTS:]
    # What the left out components could add to the product of two clips.
    rest = np.sqrt(np.maximum(1 - np.sum(small**2, axis=1), 0))
    found = []
    for start in range(0, len(unit), _BLOCK):
        block = small[start:start + _BLOCK]
        bound = block @ small.T + np.outer(rest[start:start + _BLOCK], rest)
        rows, columns = np.nonzero(bound >= threshold)
        rows += start
        keep = rows < columns
        rows, columns = rows[keep], columns[keep]
        cosine = np.sum(unit[rows] * unit[columns], axis=1)
        found += [(int(i), int(j), float(c)) for i, j, c in zip(rows, columns, cosine, strict=True) if c >= threshold]
    return sorted(found, key=lambda pair: -pair[2])


def near_duplicates(facts, threshold=SIMILARITY):
    """Findings about pairs that are nearly the same and not equal; an error if they are in two splits.

    Args:
        facts: list of ClipFacts that can be read.
    """
    heard = [fact for fact in facts if not fact.silent]
    if len(heard) < 2:
        return []
    found = []
    for i, j, cosine in similar_pairs(np.stack([fact.features for fact in heard]), threshold):
        one, other = heard[i], heard[j]
        if one.sound == other.sound:
            continue
        leak = one.split != other.split
        found.append(Finding("near-duplicate", "error" if leak else "warning",
                             f"{one.path} and {other.path} are nearly the same (cosine {cosine:.3f}){', in two splits' if leak else ''}",
                             (one.path, other.path), "Listen to both; keep one, or both in one split."))
    return found
