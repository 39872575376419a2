"""The confusion matrix as a picture."""

import numpy as np
from matplotlib.figure import Figure

from kws_tf import atomic_file

INCHES_PER_CLASS = 0.75


def draw_confusion(report, path):
    """Draws which class was taken for which: counts, and the share of each true class as colour and percentage.

    Args:
        report: of evaluation.evaluate_model.
        path: PNG file to make or replace.
    """
    names = report["labels"]
    counts = np.array(report["confusion"])
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    side = 3.5 + INCHES_PER_CLASS * len(names)
    figure = Figure(figsize=(side, side - 1), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts > 0):
        axes.text(column, row, f"{counts[row, column]}\n{100 * shares[row, column]:.1f} %", ha="center", va="center", fontsize=8,
                  color="white" if shares[row, column] > 0.5 else "black")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), [f"{name} ({total})" for name, total in zip(names, totals[:, 0], strict=True)])
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class (clips)")
    low, high = report["accuracy_interval"]
    axes.set_title(f"{report['model']['profile']} file on {report['split']}: {100 * report['accuracy']:.1f} % of {report['clips']} clips\n"
                   f"95 % interval {100 * low:.1f} to {100 * high:.1f} %", fontsize=11)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    with atomic_file.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
