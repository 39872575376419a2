"""One HTML page with everything that was measured."""

import pathlib

import numpy as np

from kws_tf import audio, html_page
from kws_tf import manifest as manifests
from kws_tf.counted import counted
from kws_tf.detector_settings import default_keywords
from kws_tf.errors import AudioError
from kws_tf.evaluation import detection_pictures, report_text
from kws_tf.evaluation.report_text import number, percent, rate_text
from kws_tf.html_page import escaped, picture, table

INTRODUCTION = """<p>The file was played long recordings, as a device hears them, and reports an <b>event</b> when it believes that a
keyword was said. An event without the keyword is a <b>false accept</b>; a keyword without an event is a <b>miss</b>. A higher
threshold trades false accepts for misses.</p>"""
SHOWN_SOUNDS = 12
LONGEST_TABLE = 12
BEFORE_SECONDS, AFTER_SECONDS = 1.5, 0.5


def build(model_folder, *, clips=None, stream=None, confusion=None, command="", sounds=True):
    """The page as text.

    Args:
        model_folder: export folder of the model; its manifest gives card, costs and presets.
        clips: dict of evaluate_model, or None. confusion: PNG bytes of its matrix, or None.
        stream: dict of evaluate_stream, or None.
        command: the command line that made the report.
        sounds: whether pieces of the recordings are in it, to be played.

    Returns:
        str, a complete HTML document.

    Raises:
        ModelFileError: the manifest cannot be read.
    """
    manifest = manifests.read(model_folder)
    sound = _sound if sounds else _no_sound
    parts = [f"<h1>How well {escaped(manifest.model_file)} finds: {escaped(', '.join(_keywords(manifest, stream)))}</h1>",
             f"<p class=quiet>{escaped(pathlib.Path(model_folder).resolve().name)} · profile {escaped(manifest.profile)} · "
             f"SHA-256 {manifest.model_id[:16]}…</p>", INTRODUCTION if stream else "", _cards(manifest, clips, stream)]
    if stream:
        parts += [_detection(stream), _false_accepts(stream, sound), _misses(stream, sound)]
    if clips:
        parts.append(_clips(clips, confusion, sound))
    parts += [_presets(manifest), _model_card(manifest), _costs(manifest), _limits(clips, stream)]
    if command:
        parts.append(f"<p class=quiet>Made by <code>{escaped(command)}</code></p>")
    return html_page.page(f"{manifest.model_file}: evaluation", parts)


def _keywords(manifest, stream):
    return stream["detector"]["keywords"] if stream else default_keywords(manifest.labels)


def _sound(path, start_seconds=None, end_seconds=None):
    """An <audio> element with a piece of a recording as it is (mono 16-bit WAV), or why there is none."""
    try:
        recording = audio.read(path)
    except AudioError as error:
        return f"<span class=quiet>{escaped(error)}</span>"
    rate = recording.sample_rate
    first = 0 if start_seconds is None else max(0, round(start_seconds * rate))
    last = len(recording.samples) if end_seconds is None else round(end_seconds * rate)
    pcm = audio.to_pcm(audio.Recording(str(path), recording.samples[first:last], rate), rate) if last > first else np.zeros(0, np.int16)
    return html_page.sound(pcm, rate)


def _no_sound(*_):
    return "<span class=quiet>not included</span>"


def _cards(manifest, clips, stream):
    cards = []
    ambient = stream and (stream["ambient"] or (stream["annotated"] or {}).get("false_accepts"))
    if ambient:
        cards.append((rate_text(ambient["per_hour"], ambient["false_accepts"]),
                      f"false accepts per hour: {ambient['false_accepts']} in {ambient['hours']:.2f} h; with 95 % confidence below "
                      f"{number(ambient['upper_bound_per_hour'])}"))
    if stream and stream["annotated"]:
        spoken = stream["annotated"]
        cards.append((percent(spoken["miss_rate"]), f"of {counted(spoken['words'], 'word')} missed; 95 % interval "
                      f"{percent(spoken['miss_interval'][0])} to {percent(spoken['miss_interval'][1])}"))
        if spoken["latency"]["events"]:
            cards.append((f"{1000 * spoken['latency']['median_seconds']:.0f} ms", "median time from the end of the word to the event; "
                          f"95 % within {1000 * spoken['latency']['p95_seconds']:.0f} ms"))
    if clips:
        low, high = clips["accuracy_interval"]
        cards.append((percent(clips["accuracy"]), f"of {counted(clips['clips'], 'clip')} right; 95 % interval {percent(low)} to "
                      f"{percent(high)}"))
    cards.append((f"{manifest.model_bytes / 1000:.0f} kB", f"file size; {manifest.parameters:,} weights"))
    return "<div class=cards>" + "".join(f"<div class=card><b>{escaped(big)}</b>{escaped(small)}</div>" for big, small in cards) + "</div>"


def _detection(stream):
    settings, period = stream["detector"]["settings"], stream["detector"]["score_seconds"]
    spoken = stream["annotated"]
    speed = stream["speed"]
    parts = ["<h2>Detection in continuous audio</h2>",
             "<p>" + escaped(report_text.detector_line(settings, period, stream["detector"])) + "</p>",
             f"<p class=quiet>{speed['audio_seconds'] / 60:.1f} minutes of audio were streamed at {speed['times_real_time_per_core']:.0f} "
             "times real time per core.</p>"]
    if spoken:
        area = stream["recall_area"]
        parts.append(picture(detection_pictures.draw_det(stream), "miss rate against false accepts per hour"))
        parts.append(f"<p>Area under recall for 0 to 2 false accepts per hour: <b>{area:.3f}</b> (1 is perfect).</p>")
    parts.append(picture(detection_pictures.draw_thresholds(stream), "false accepts and misses by threshold"))
    return "\n".join(parts)


def _event_table(events, sound):
    rows = [(escaped(event["keyword"]), f"{event['score']:.2f}", escaped(pathlib.PurePath(event["recording"]).name),
             f"{event['start_seconds']:.2f}", sound(event["recording"], event["start_seconds"] - BEFORE_SECONDS,
                                                     event["start_seconds"] + AFTER_SECONDS)) for event in events[:SHOWN_SOUNDS]]
    more = f"<p class=quiet>The {SHOWN_SOUNDS} with the highest scores of {len(events)}.</p>" if len(events) > SHOWN_SOUNDS else ""
    return table(("taken for", "#score", "recording", "#at second", "listen"), rows) + more


def _false_accepts(stream, sound):
    parts = ["<h2>False accepts</h2>"]
    for title, figures in (("Recordings without the keywords", stream["ambient"]),
                           ("Beside the words of the annotated recordings", stream["annotated"] and stream["annotated"]["false_accepts"])):
        if figures:
            parts += [f"<h3>{title}</h3>", "<p>" + escaped(report_text.false_accept_line(figures)) + "</p>"]
            if figures.get("by_keyword"):
                rows = [(escaped(keyword), str(count)) for keyword, count in figures["by_keyword"].items()]
                parts.append(table(("keyword", "#false accepts"), rows))
            parts.append(_event_table(figures["events"], sound))
    return "\n".join(parts)


def _misses(stream, sound):
    spoken = stream["annotated"]
    if not spoken:
        return ""
    parts = ["<h2>Missed words and latency</h2>", "<p>" + escaped(report_text.miss_line(spoken)) + "</p>"]
    for name, title in (("by_keyword", "keyword"), ("by_snr", "signal-to-noise ratio"), ("by_level", "level of the speech"),
                        ("by_speaker", "speaker"), ("by_source", "source")):
        rows = [(escaped(row["group"]), str(row["words"]), str(row["misses"]), percent(row["miss_rate"]),
                 " to ".join(percent(end) for end in row["miss_interval"])) for row in spoken[name]]
        shown = table((title, "#words", "#missed", "#miss rate", "#95 % interval"), rows)
        parts.append(f"<details><summary>By {title}: {len(rows)} rows</summary>{shown}</details>" if len(rows) > LONGEST_TABLE else shown)
    parts.append(picture(detection_pictures.draw_conditions(stream), "miss rate by condition"))
    if spoken["missed"]:
        parts.append("<h3>Missed words, the nearest to a detection first</h3>")
        rows = [(escaped(word["keyword"]), f"{word['best_score']:.2f}",
                 escaped(word["conditions"].get("clip") or pathlib.PurePath(word["recording"]).name), f"{word['start_seconds']:.2f}",
                 escaped(_condition_text(word["conditions"])),
                 sound(word["recording"], word["start_seconds"] - 0.3, word["end_seconds"] + 0.3))
                for word in spoken["missed"][:SHOWN_SOUNDS]]
        parts.append(table(("word", "#best score", "clip", "#at second", "conditions", "listen"), rows))
    parts.append(picture(detection_pictures.draw_latency(stream), "histogram of the latency"))
    return "\n".join(parts)


def _condition_text(conditions):
    known = {"snr_db": "SNR {} dB", "level_dbfs": "{} dBFS", "room": "room {}", "speaker": "speaker {}"}
    return ", ".join(text.format(conditions[name]) for name, text in known.items() if name in conditions)


def _clips(clips, confusion, sound):
    parts = [f"<h2>Single clips: {escaped(clips['split'])} split</h2>", "<p>" + escaped(report_text.clip_line(clips)) + "</p>"]
    rows = [(escaped(row["label"]), str(row["clips"]), percent(row["precision"]), percent(row["recall"]), percent(row["f1"]))
            for row in clips["classes"]]
    parts += [table(("class", "#clips", "#precision", "#recall", "#F1"), rows), picture(confusion, "confusion matrix")]
    worst = clips.get("worst") or []
    if worst:
        parts.append("<h3>Wrong with the highest score</h3>")
        parts.append(table(("clip", "true class", "taken for", "#score", "listen"), [
            (escaped(clip["file"]), escaped(clip["label"]), escaped(clip["predicted"]), f"{clip['score']:.2f}",
             sound(pathlib.Path(clips["data_root"]) / clip["file"])) for clip in worst[:SHOWN_SOUNDS]]))
    return "\n".join(parts)


def _presets(manifest):
    if manifest.detector is None:
        return ("<h2>Presets</h2><p>The model has no calibrated presets yet; <code>python -m kws_tf.calibrate</code> makes them on "
                "validation recordings.</p>" if manifest.kind == "streaming" else "")
    rows = []
    for preset in manifest.detector.presets:
        default = " (default)" if preset.name == manifest.detector.default else ""
        rows.append((escaped(preset.name) + default, f"{preset.settings.threshold / 255:.3f}", str(preset.settings.window_scores),
                     *map(escaped, report_text.preset_cells(preset.measured))))
    return ("<h2>Presets</h2><p>Calibrated on validation recordings; stored in the manifest.</p>"
            + table(("preset", "#threshold", "#window (scores)", "#false accepts per hour", "#95 % bound", "#miss rate", "note"), rows))


def _model_card(manifest):
    features, run = manifest.features, manifest.run
    rows = [("file", f"{manifest.model_file}, {manifest.model_bytes:,} bytes"), ("SHA-256", manifest.model_id),
            ("kind", report_text.kind_line(manifest)), ("labels", ", ".join(manifest.labels)),
            ("input", report_text.input_line(manifest)),
            ("front end", f"{features.kind}, {features.n_features} rows, window {features.window_samples} and step {features.hop_samples} "
                          f"samples at {features.sample_rate} Hz"),
            ("trained on", run.get("data", {}).get("data_root") or "not recorded"),
            ("licence of the data", manifest.data_licence or "not stated"), ("made with", f"kws_tf {manifest.kws_tf_version}"),
            *((name.replace("_", " "), f"{value:.4g}" if isinstance(value, float) else value)
              for name, value in manifest.metrics.items() if isinstance(value, (int, float, str)))]
    return "<h2>Model card</h2>" + table(("", ""), [(escaped(name), escaped(value)) for name, value in rows])


def _costs(manifest):
    rows = [("multiply-accumulates per inference", f"{manifest.macs:,}"), ("weights", f"{manifest.parameters:,}"),
            ("operators", f"{sum(operator.count for operator in manifest.operators)} nodes of {len(manifest.operators)} kinds")]
    if manifest.arena:
        rows.append(("working memory in TFLite Micro", f"{manifest.arena.n_bytes:,} bytes (measured, {manifest.arena.tflm_version})"))
    if manifest.cost:
        rows += [(f"{part.name.replace('_', ' ')}", f"{part.macs:,} multiply-accumulates, {part.nodes} nodes, {part.n_bytes:,} bytes")
                 for part in manifest.cost.parts]
        rows += [(f"one inference with {time.interpreter}, {time.kernels} kernels", f"{time.milliseconds:.3f} ms on {manifest.cost.host}")
                 for time in manifest.cost.host_times]
    return "<h2>Cost</h2>" + table(("", ""), [(escaped(name), escaped(value)) for name, value in rows])


def _limits(clips, stream):
    return "<h2>What these numbers do not show</h2><ul>" + "".join(
        f"<li>{escaped(line)}</li>" for line in report_text.limits(clips, stream)) + "</ul>"
