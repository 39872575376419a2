"""The picture of docs/models.md: accuracy against multiply-accumulates."""

import dataclasses
import statistics
import struct

from kws_tf import atomic_file

# Of the drawing: another one makes pictures stale.
VERSION = 4
RANGE_MACS = (5e4, 2e8)
KEY = "kws_tf records"
PYTORCH = "PyTorch"
COLOURS = {"BC-ResNet": "tab:blue", "SparkNet": "tab:orange", "DS-CNN": "tab:green", PYTORCH: "tab:red"}


@dataclasses.dataclass(frozen=True)
class Point:
    """Runs that differ in their seed alone.

    Args:
        dataset: of the runs. name: of the network, and what it does differently.
        macs: of the network for a window.
        float32, integer: accuracy in % with the ends of its 95 % interval, means over the seeds; integer is None without such files.
    """

    dataset: str
    name: str
    macs: int
    float32: tuple
    integer: tuple | None

    @classmethod
    def of(cls, records, name, macs):
        """The point of some records."""
        float32, integer = (cls._mean([record["files"].get(kind) for record in records]) for kind in ("float32", "integer"))
        return cls(records[0]["dataset"], name, macs, float32, integer)

    @property
    def ends(self):
        """Lowest and highest end of its intervals."""
        _, lows, highs = zip(self.float32, self.integer or self.float32, strict=True)
        return min(lows), max(highs)

    @staticmethod
    def _mean(column):
        if None in column:
            return None
        values = [(figures["accuracy"], *figures["accuracy_interval"]) for figures in column]
        return tuple(100 * statistics.fmean(each) for each in zip(*values, strict=True))


def family(name):
    """BC-ResNet, SparkNet, DS-CNN or PyTorch, whatever that trained."""
    return PYTORCH if name.endswith(f" in {PYTORCH}") else next((known for known in COLOURS if name.startswith(known)), name)


def draw(points, published, path, digest):
    """One panel with published figures and one per data set of the records.

    Args:
        points: Points. published: (name, MACs, accuracy in %) of Speech Commands version 2.
        path: .png to replace. digest: text for its metadata.
    """
    from matplotlib.figure import Figure

    datasets = list(dict.fromkeys(point.dataset for point in points))
    figure = Figure(figsize=(5.2 * (1 + len(datasets)), 4.8), layout="constrained")
    axes, *others = figure.subplots(1, 1 + len(datasets), squeeze=False)[0]
    for kind in dict.fromkeys(family(name) for name, _, _ in published):
        own = [entry for entry in published if family(entry[0]) == kind]
        axes.plot([macs for _, macs, _ in own], [accuracy for _, _, accuracy in own], "o-", color=COLOURS[kind], label=kind)
        for name, macs, accuracy in own:
            _label(axes, name, macs, accuracy, *(((-6, 4), "right") if kind == "SparkNet" else ((5, -11), "left")))
    _finish(axes, "Published, Speech Commands version 2")
    for axes, dataset in zip(others, datasets, strict=True):
        own = [point for point in points if point.dataset == dataset]
        for kind in dict.fromkeys(family(point.name) for point in own):
            for shift, values, filled in ((0.97, "float32", False), (1.03, "integer", True)):
                chosen = [point for point in own if family(point.name) == kind and getattr(point, values)]
                if not chosen:
                    continue
                middle, low, high = zip(*(getattr(point, values) for point in chosen), strict=True)
                errors = [[m - lo for m, lo in zip(middle, low, strict=True)], [h - m for m, h in zip(middle, high, strict=True)]]
                axes.errorbar([shift * point.macs for point in chosen], middle, errors, fmt="D" if kind == PYTORCH else "o",
                              color=COLOURS.get(kind, "0.4"), markerfacecolor=None if filled else "white", capsize=2, elinewidth=0.8,
                              label=f"{'BC-ResNet in PyTorch' if kind == PYTORCH else kind}, {'integer, PCM in' if filled else 'float32'}")
        for point in own:
            low, high = point.ends
            # Where neighbours have none: SparkNet's below the whiskers, BC-ResNet's above, those of variants beside the point.
            _label(axes, point.name, point.macs, *(
                (low, (0, -11), "center") if family(point.name) == "SparkNet" else
                (point.float32[0], (8, 3), "left") if " " in point.name else (high, (0, 4), "center")))
        axes.margins(y=0.1)
        _finish(axes, f"Measured, {dataset}")
    entries = {label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=5, fontsize=8)
    with atomic_file.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png", metadata={KEY: digest})


def _label(axes, name, macs, y, offset, end):
    """Writes the width of a network, in its colour, some points beside a place; the legend is enough for networks of one width."""
    kind, text = family(name), name.rpartition("-")[2]
    if kind not in (PYTORCH, "DS-CNN"):
        axes.annotate(text, (macs, y), textcoords="offset points", xytext=offset, horizontalalignment=end, fontsize=8,
                      color=COLOURS.get(kind, "0.4"))


def _finish(axes, title):
    axes.set(xscale="log", xlim=RANGE_MACS, title=title, xlabel="multiply-accumulates per window (network alone)", ylabel="accuracy [%]")
    axes.grid(alpha=0.3, which="both")


def stored_digest(path):
    """The digest in the metadata of a picture; "" if there is none. Reads the PNG by itself: no picture library is needed."""
    with open(path, "rb") as file:
        content = file.read()
    position = 8
    while position + 8 <= len(content):
        size, kind = struct.unpack(">I4s", content[position:position + 8])
        if kind == b"tEXt":
            key, _, value = content[position + 8:position + 8 + size].partition(b"\0")
            if key.decode("latin-1") == KEY:
                return value.decode("latin-1")
        position += 12 + size
    return ""
