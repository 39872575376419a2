"""The diagnosis of a data set as text and as one HTML page with pictures and sounds inside."""

import collections
import io
import os

import numpy as np

from kws_tf import audio
from kws_tf.config import FeatureConfig
from kws_tf.counted import counted
from kws_tf.errors import AudioError
from kws_tf.html_page import escaped, page, picture, sound, table
from kws_tf.runtime.features import FeatureExtractor

SHOWN_LINES, SHOWN_CLIPS = 5, 4
_LONGEST_SOUND_S = 4.0


def text_report(diagnosis, shown=SHOWN_LINES):
    """The diagnosis in lines for a terminal.

    Args:
        diagnosis: Diagnosis. shown: lines per check.
    """
    lines = [_summary(diagnosis)]
    for check, found in diagnosis.by_check().items():
        lines.append(f"{found[0].severity}: {check}" + (f" ({len(found)})" if len(found) > 1 else ""))
        lines += [f"    {finding.text}" for finding in found[:shown]]
        if len(found) > shown:
            lines.append(f"    and {len(found) - shown} more")
        lines.append(f"    -> {found[0].advice}")
    if not diagnosis.findings:
        lines.append("nothing wrong was found")
    return "\n".join(lines)


def html_report(diagnosis):
    """One HTML document: summary, pictures of the whole set, and every check with its worst clips to see and hear.

    Args:
        diagnosis: Diagnosis.
    """
    title = f"{os.path.basename(os.path.realpath(diagnosis.root))}: what is in it, and what is wrong"
    parts = [f"<h1>{escaped(title)}</h1>", f"<p>{escaped(_summary(diagnosis))}</p>", _class_table(diagnosis.facts),
             picture(_histograms(diagnosis.facts), "durations, levels and positions")]
    for check, found in diagnosis.by_check().items():
        items = "".join(f"<li>{escaped(finding.text)}</li>" for finding in found[:40])
        more = f"<p class=quiet>and {len(found) - 40} more</p>" if len(found) > 40 else ""
        paths = list(dict.fromkeys(path for finding in found for path in finding.paths))[:SHOWN_CLIPS]
        clips = "".join(_clip(diagnosis.root, path) for path in paths)
        parts.append(f"<h2>{escaped(check)} <span class=quiet>({found[0].severity}, {len(found)})</span></h2>"
                     f"<p>{escaped(found[0].advice)}</p><ul>{items}</ul>{more}<div class=cards>{clips}</div>")
    if not diagnosis.findings:
        parts.append("<h2>Nothing wrong was found</h2>")
    return page(title, parts)


def _summary(diagnosis):
    splits = collections.Counter(fact.split for fact in diagnosis.facts)
    hours = sum(fact.duration_s for fact in diagnosis.facts) / 3600
    accuracy = ("the labels were not checked: too few classes or clips" if diagnosis.label_accuracy is None else
                f"a small model on light features gets {100 * diagnosis.label_accuracy:.0f} % of the labels right")
    speakers = counted(diagnosis.n_speakers, "speaker") if diagnosis.n_speakers else "speakers unknown"
    n_warnings = len(diagnosis.findings) - diagnosis.n_errors
    return (f"{diagnosis.root}: {counted(len(diagnosis.facts), 'clip')} "
            f"({', '.join(f'{split} {n}' for split, n in splits.items())}), {hours:.2f} h, "
            f"{speakers}; {accuracy}; {counted(diagnosis.n_errors, 'error')}, {counted(n_warnings, 'warning')}")


def _class_table(facts):
    splits = list(dict.fromkeys(fact.split for fact in facts))
    counts = collections.Counter((fact.label, fact.split) for fact in facts)
    rows = [(escaped(label), *(str(counts[label, split]) for split in splits)) for label in sorted({fact.label for fact in facts})]
    return "<h2>Classes</h2>" + table(("class", *(f"#{split}" for split in splits)), rows)


def _png(figure, dpi):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def _histograms(facts):
    from matplotlib.figure import Figure

    readable = [fact for fact in facts if not fact.problem]
    figure = Figure(figsize=(10, 3), layout="constrained")
    splits = list(dict.fromkeys(fact.split for fact in readable))
    columns = (("duration_s", "duration in s"), ("rms_dbfs", "level in dBFS (loudest 0.3 s)"),
               ("centre", "where the energy lies (0 start, 1 end)"))
    for axes, (name, label) in zip(figure.subplots(1, 3), columns, strict=True):
        values = [[getattr(fact, name) for fact in readable if fact.split == split] for split in splits]
        axes.hist(values, bins=30, stacked=True, label=splits)
        axes.set_xlabel(label)
        axes.set_yscale("symlog")
    if readable:
        axes.legend()
    return _png(figure, 90)


def _clip(root, path):
    """A card with spectrogram, waveform and sound of one clip."""
    from matplotlib.figure import Figure

    try:
        pcm = audio.read_pcm(os.path.join(root, path), 16000)
    except AudioError:
        return ""
    pcm = pcm[:round(_LONGEST_SOUND_S * 16000)]
    figure = Figure(figsize=(3, 2), layout="constrained")
    wave, spectrogram = figure.subplots(2, 1, height_ratios=(1, 2))
    wave.plot(pcm, linewidth=0.4)
    wave.set_ylim(-32768, 32767)
    wave.set_axis_off()
    spectrogram.set_axis_off()
    settings = FeatureConfig()
    if len(pcm) >= settings.window_samples:
        features = FeatureExtractor(settings)(pcm)
        spectrogram.imshow(features.T, origin="lower", aspect="auto", vmin=features.max() - 12 if np.ptp(features) else None)
    return f"<div class=card>{picture(_png(figure, 60), path)}<br>{sound(pcm, 16000)}<br><code>{escaped(path)}</code></div>"
