"""The picture of docs/wakeword.md: words found against false accepts, a curve per training."""

import textwrap

from kws_tf import atomic_file
from kws_tf.counted import counted
from tools.model_picture import KEY

# Of the drawing: another one makes pictures stale.
VERSION = 2
LONGEST_LABEL = 60


def draw(groups, path, digest):
    """One panel for each set of recordings without the words.

    Args:
        groups: lists of records of streams; those of a list were measured on the same recordings.
        path: .png to replace. digest: text for its metadata.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6 * len(groups), 5), layout="constrained")
    for axes, records in zip(figure.subplots(1, len(groups), squeeze=False, sharey=True)[0], groups, strict=True):
        longest = max(record["curve"][-1][0] for record in records)
        for record in records:
            allowed, hits = zip(*record["curve"], strict=True)
            shares = [100 * count / record["words"] for count in (*hits, hits[-1])]
            axes.step([*allowed, longest], shares, where="post", color=f"C{record['place']}",
                      label=textwrap.shorten(record["title"].partition(":")[0], LONGEST_LABEL, placeholder=" …"))
        axes.set(title=f"{60 * records[0]['hours']:.1f} minutes without the words", xlabel="false accepts in all of them, at most",
                 ylabel=f"of {counted(records[0]['words'], 'word')} found [%]", ylim=(0, 100), xlim=(0, longest))
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right", fontsize=7, title="row of the table")
    with atomic_file.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png", metadata={KEY: digest})
