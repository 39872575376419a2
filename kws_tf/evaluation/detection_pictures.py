"""Pictures of the detector's figures: DET curve, threshold sweep, misses by condition, latency. Each returns PNG bytes."""

import io

import numpy as np

from kws_tf.counted import counted

BLUE, ORANGE, GREY = "#1f5fa8", "#d9822b", "#9aa5b1"
DPI = 120
WIDE = (7.6, 4.2)


def _figure(size=WIDE, columns=1):
    # On the first use, not on import: most programs that score draw nothing. The Figure class needs no display and no pyplot state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for own in axes:
        own.grid(color="#e3e7ec", linewidth=0.8)
        own.set_axisbelow(True)
        own.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, format="png")
    return buffer.getvalue()


def draw_det(report):
    """The lowest miss rate of any threshold against false accepts per hour; the chosen threshold is marked.

    Zero false accepts cannot be shown on a logarithmic axis: they are drawn at a third of one event in all hours, where the axis says 0.

    Args:
        report: dict of evaluate_stream with sweep and annotated words.

    Returns:
        PNG bytes.
    """
    points, hours = report["sweep"], report["sweep_hours"]
    zero = 1 / hours / 3
    rates = np.array([point["per_hour"] or zero for point in points])
    order = np.argsort(rates, kind="stable")
    misses = 100 * np.minimum.accumulate(np.array([point["miss_rate"] for point in points])[order])
    figure, (axes,) = _figure()
    axes.plot(rates[order], misses, color=BLUE, linewidth=2, drawstyle="steps-post", label="best threshold for each rate")
    threshold = report["detector"]["settings"]["threshold"]
    chosen = points[threshold - 1]
    axes.plot([chosen["per_hour"] or zero], [100 * chosen["miss_rate"]], "o", color=ORANGE, markersize=9,
              label=f"{report['detector']['preset'] or 'chosen'}: threshold {threshold / 255:.3f}")
    axes.axvspan(zero / 2, zero * 1.6, color="#f1f3f6", zorder=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlim(zero / 2, max(rates.max() * 1.5, 3 / hours))
    axes.set_ylim(-3, 103)
    axes.annotate("no false accept", (zero * 0.9, 0.98), xycoords=("data", "axes fraction"), rotation=90, va="top", ha="center", size=8,
                  color="#5b6673")
    axes.set_xlabel(f"false accepts per hour ({hours:.2f} hours of audio)")
    axes.set_ylabel(f"missed words, % of {report['annotated']['words']}")
    axes.set_title("Detection error trade-off: misses against false accepts")
    axes.legend(frameon=False)
    return _png(figure)


def draw_thresholds(report):
    """False accepts per hour and misses for every threshold.

    Args:
        report: dict of evaluate_stream with a sweep; words may be missing.

    Returns:
        PNG bytes.
    """
    points = report["sweep"]
    threshold = np.array([point["threshold"] for point in points]) / 255
    figure, (axes,) = _figure()
    axes.step(threshold, [point["per_hour"] for point in points], where="post", color=ORANGE, linewidth=2)
    axes.set_yscale("symlog", linthresh=1 / report["sweep_hours"])
    axes.set_ylim(0, None)
    axes.set_yticks([0, *(10.0 ** power for power in range(5) if 10.0 ** power <= max(10, 2 * points[0]["per_hour"]))])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlim(0, 1)
    axes.set_xlabel("threshold (mean score, 0 to 1)")
    axes.set_ylabel("false accepts per hour", color=ORANGE)
    title = "False accepts by threshold"
    if points[0]["miss_rate"] is not None:
        other = axes.twinx()
        other.plot(threshold, [100 * point["miss_rate"] for point in points], color=BLUE, linewidth=2)
        other.set_ylim(-3, 103)
        other.set_ylabel("missed words, %", color=BLUE)
        other.spines["top"].set_visible(False)
        title = "What the threshold does: false accepts and misses"
    chosen = report["detector"]["settings"]["threshold"] / 255
    axes.axvline(chosen, color=GREY, linestyle="--", linewidth=1.5)
    # On the side where there is room; the right axis has its figures at the other.
    axes.annotate(" chosen ", (chosen, 0.97), xycoords=("data", "axes fraction"), size=9, color="#5b6673", va="top",
                  ha="right" if chosen > 0.5 else "left")
    axes.set_title(title)
    return _png(figure)


def draw_conditions(report):
    """Miss rate with its 95 % interval by signal-to-noise ratio and by level.

    Args:
        report: dict of evaluate_stream with annotated words.

    Returns:
        PNG bytes, or None if the annotations tell neither.
    """
    panels = [(report["annotated"][name], title, unit) for name, title, unit in (
        ("by_snr", "Misses by signal-to-noise ratio", "signal-to-noise ratio, dB"),
        ("by_level", "Misses by level of the speech", "level of the word, dBFS")) if report["annotated"][name]]
    if not panels:
        return None
    figure, axes = _figure((5.2 * len(panels) + 0.4, 4.2), len(panels))
    for own, (rows, title, unit) in zip(axes, panels, strict=True):
        rates = 100 * np.array([row["miss_rate"] for row in rows])
        low, high = 100 * np.array([row["miss_interval"] for row in rows]).T
        own.bar(range(len(rows)), rates, color=BLUE, width=0.6)
        own.errorbar(range(len(rows)), rates, np.maximum([rates - low, high - rates], 0), fmt="none", color="#33404d", capsize=4,
                     linewidth=1.2)
        names = [f"{row['group']}\n{counted(row['words'], 'word')}" for row in rows]
        own.set_xticks(range(len(rows)), names, size=8, rotation=30, ha="right")
        own.set_ylim(0, max(10, min(100, high.max() * 1.1)))
        own.set_xlabel(unit)
        own.set_ylabel("missed words, % (bars: 95 % interval)")
        own.set_title(title)
    return _png(figure)


def draw_latency(report):
    """Histogram of the time from the end of the word to the event.

    Args:
        report: dict of evaluate_stream with annotated words and at least one hit.

    Returns:
        PNG bytes, or None without hits.
    """
    latency = report["annotated"]["latency"]
    if not latency["events"]:
        return None
    figure, (axes,) = _figure()
    milliseconds = 1000 * np.array(latency["seconds"])
    axes.hist(milliseconds, bins=min(40, max(8, len(milliseconds) // 4)), color=BLUE)
    for value, style, name in ((latency["median_seconds"], "-", "median"), (latency["p95_seconds"], "--", "95th percentile")):
        axes.axvline(1000 * value, color=ORANGE, linestyle=style, linewidth=1.8, label=f"{name} {1000 * value:.0f} ms")
    axes.set_xlabel("time from the end of the word to the event, ms (below 0: before the word has ended)")
    axes.set_ylabel("detected words")
    axes.set_title(f"Detection latency of {latency['events']} detected words")
    axes.legend(frameon=False)
    return _png(figure)
