"""The confusion matrix as a picture."""

import numpy as np

from kws_tf.atomic_file import replacing
from kws_tf.counted import counted

CELL_INCHES = 0.62
LARGEST_INCHES = 24


def draw_confusion(report, path):
    """Draws counts and row percentages of every (true, predicted) pair; the colour is the share of the true class.

    Args:
        report: dict of evaluate_model or classification.report: labels, confusion, clips, accuracy, accuracy_interval.
        path: PNG file to write.
    """
    # On the first use, not on import: most programs that score draw nothing. The Figure class needs no display and no pyplot state.
    from matplotlib.figure import Figure

    labels, counts = report["labels"], np.asarray(report["confusion"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(LARGEST_INCHES, max(4.0, CELL_INCHES * len(labels)))
    figure = Figure(figsize=(side + 2.2, side + 1.4), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    text_size = 8.5 if len(labels) <= 20 else 6
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axes.text(column, row, f"{count}\n{_percent(shares[row, column])}", ha="center", va="center", size=text_size,
                      color="white" if shares[row, column] > 0.55 else "black")
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(labels)), [f"{label} ({total})" for label, total in zip(labels, counts.sum(axis=1), strict=True)],
                    parse_math=False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class (clips)")
    low, high = report["accuracy_interval"]
    where = f"{report['split']} split, {report['model']['profile']} model" if "model" in report else "confusion"
    axes.set_title(f"{where}: {100 * report['accuracy']:.2f} % of {counted(report['clips'], 'clip')} right\n"
                   f"95 % interval {100 * low:.2f} to {100 * high:.2f} %", size=11)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    bar.ax.set_yticks(np.linspace(0, 1, 6), [f"{share:.0%}" for share in np.linspace(0, 1, 6)])
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def _percent(share):
    """Whole percent, one decimal below 10, and never 0 % or 100 % for what is not."""
    if 0 < share < 0.1:
        return f"{max(100 * share, 0.1):.1f}%"
    return f"{min(100 * share, 99.9):.1f}%" if 0.995 <= share < 1 else f"{share:.0%}"
