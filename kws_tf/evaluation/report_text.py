"""The figures of a report in words, the same on the screen and in the page."""

from kws_tf.counted import counted
from kws_tf.evaluation.detection import GRACE_SECONDS


def number(value):
    """Three significant digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def percent(share):
    """Percent with one decimal; "-" for None."""
    return "-" if share is None else f"{100 * share:.1f} %"


def rate_text(per_hour, events):
    """A rate; 0 only if there was no event at all."""
    return number(per_hour) if events else "0"


def detector_line(settings, period, detector):
    """What the detector was set to, in words.

    Args:
        settings: dict of DetectorSettings. period: seconds between scores. detector: "detector" of the report.
    """
    who = f"Preset {detector['preset']}" if detector["preset"] else "No calibrated preset"
    return (f"{who}: an event starts when the mean score of {', '.join(detector['keywords'])} over "
            f"{1000 * period * settings['window_scores']:.0f} ms reaches {settings['threshold'] / 255:.3f}, ends below "
            f"{settings['release'] / 255:.2f}, and the next starts at the earliest {period * settings['refractory_scores']:.2f} s later.")


def false_accept_line(figures):
    """Rate, hours and bound of detection.false_accept_figures in one sentence."""
    return (f"{counted(figures['false_accepts'], 'false accept')} in {figures['hours']:.2f} hours: "
            f"{rate_text(figures['per_hour'], figures['false_accepts'])} per hour; with 95 % confidence fewer than "
            f"{number(figures['upper_bound_per_hour'])} per hour.")


def miss_line(spoken):
    """Misses and latency of the annotated recordings in words."""
    low, high = spoken["miss_interval"]
    text = (f"{spoken['hits']} of {counted(spoken['words'], 'word')} found, {spoken['misses']} missed: {percent(spoken['miss_rate'])}, "
            f"95 % interval {percent(low)} to {percent(high)}. An event counts from the start of its word to {GRACE_SECONDS:g} s after "
            "the end.")
    latency = spoken["latency"]
    if latency["events"]:
        text += (f" Latency from the end of the word: median {1000 * latency['median_seconds']:.0f} ms, 95th percentile "
                 f"{1000 * latency['p95_seconds']:.0f} ms.")
    if spoken["repeats"]:
        text += f" {counted(spoken['repeats'], 'word')} reported twice."
    if spoken["other_words"]:
        text += f" Left out: {counted(spoken['other_words'], 'annotated word')} that the model does not know."
    return text


def clip_line(clips):
    """Accuracy of a split in one sentence."""
    low, high = clips["accuracy_interval"]
    return (f"{clips['correct']} of {counted(clips['clips'], 'clip')} right: {percent(clips['accuracy'])}, 95 % interval {percent(low)} to "
            f"{percent(high)}; mean recall of the classes {percent(clips['balanced_accuracy'])}.")


def preset_cells(measured):
    """Cells of the table of presets from the figures in the manifest: false accepts, bound, miss rate, note."""
    return (number(measured["per_hour"]) if "per_hour" in measured else "-",
            number(measured["upper_bound_per_hour"]) if "upper_bound_per_hour" in measured else "-",
            percent(measured.get("miss_rate")), str(measured.get("note", "")))


def kind_line(manifest):
    """Clip or streaming, with the time between scores and the delay."""
    if manifest.streaming is None:
        return f"clip model: {manifest.clip_samples / manifest.sample_rate:g} s of audio at once"
    streaming = manifest.streaming
    return (f"streaming model: {streaming.hop_samples} samples per step, {streaming.state} state, delay {streaming.delay_ms:g} ms, "
            f"mean over {streaming.window_frames} frames")


def input_line(manifest):
    """What goes into the file."""
    spec = manifest.inputs[0]
    what = "16-bit PCM, front end inside" if manifest.input_kind == "pcm" else "features, computed by the host"
    return f"{what}: {spec.dtype} {list(spec.shape)}"


def limits(clips, stream):
    """What the figures of a report cannot tell, as sentences.

    Args:
        clips: dict of evaluate_model or None. stream: dict of evaluate_stream or None.
    """
    lines = []
    if stream:
        figures = stream["ambient"] or stream["annotated"]["false_accepts"]
        bound = figures["upper_bound_per_hour"]
        lines.append(f"{figures['hours']:.2f} hours of audio can only show that there are fewer than {number(bound)} false accepts per "
                     "hour. Showing fewer than 0.5 needs 6 hours without one, showing 0.1 needs 30.")
        if not stream["ambient"]:
            lines.append("No recordings without the keywords were given: the false accepts are those beside the words of the annotated "
                         "recordings.")
        if stream["annotated"]:
            lines.append("The interval of the misses is about these words, speakers and rooms. Words of the same speaker or the same "
                         "recording are not independent, so the true interval is wider.")
            lines.append("Mixed recordings (a clean clip, added noise, a room response) are easier than a person in a room: no one turns "
                         "away, and no television talks at the same time.")
        else:
            lines.append("Nothing about misses: no annotated recordings were given.")
        lines.append("Every threshold of the curves was tried on the same recordings. Picking one here and quoting its figures is "
                     "optimistic; presets are chosen on other recordings by kws_tf.calibrate.")
    if clips:
        lines.append(f"Accuracy on clips of the {clips['split']} split says how well cut words are told apart, not how often the device "
                     "wakes by itself. Other words, speech, music and noises outnumber keywords by thousands in use.")
        if not stream:
            lines.append("Nothing about false accepts per hour: score long recordings with --ambient and --annotations.")
        if clips["split"] != "testing":
            lines.append(f"The {clips['split']} split was seen during training or picked the best epoch: read its figures as optimistic.")
    lines.append("The microphone, its gain and the room of the device are not in these recordings unless they were made with it.")
    return lines
