"""Error, size and cost of the integer front end on recorded speech: the tables and the picture of docs/frontend.md.

    python tools/bench_front_end.py --clips=DIR --docs=docs/frontend.md --picture=docs/frontend.png

DIR is any folder of recordings. Clips are drawn with --seed, brought to each level by their peak, and used as they are and with white
noise 20 dB below. Errors are against float64, over all values above the log floor. Without --docs the tables are printed only.
"""

import contextlib
import dataclasses
import pathlib
import sys
import time
from unittest import mock

import matplotlib
import numpy as np
from absl import flags

matplotlib.use("Agg")
from matplotlib import pyplot

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kws_tf import audio  # noqa: E402
from kws_tf.config import FEATURE_PRESETS, GRAPH_PRESETS, FeatureConfig  # noqa: E402
from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.flags import refuse_arguments, run  # noqa: E402
from kws_tf.front_end import IntegerFeatures, build_clip_front_end, dft, fixed_point, framing, gain, logarithm, mel_bands, spectrum  # noqa: E402
from kws_tf.front_end.numpy_graph import NumpyGraph  # noqa: E402
from kws_tf.runtime.features import FeatureExtractor  # noqa: E402
from kws_tf.runtime.interpreter import available, open_interpreter  # noqa: E402
from kws_tf.tflite import flatbuffer, micro  # noqa: E402
from kws_tf.tflite.front_end import front_end_graph  # noqa: E402
from tools.document_tables import publish  # noqa: E402

FLAGS = flags.FLAGS

SNR_DB = 20
LEVELS_DBFS = (0, -12, -24, -36, -48, -60)
MAGNITUDE = dataclasses.replace(FEATURE_PRESETS["bc_resnet"], spectrum="magnitude", log_floor=1e-3)
CONFIGS = {
    **GRAPH_PRESETS,
    "bc_resnet, magnitude": MAGNITUDE,
    "480/320, 20 bands, magnitude": dataclasses.replace(MAGNITUDE, hop_samples=320, n_mels=20),
    "640/320, FFT 1024": FeatureConfig(window_samples=640, hop_samples=320, fft_size=1024),
    "8 kHz, 240/80, 20 bands": FeatureConfig(sample_rate=8000, window_samples=240, hop_samples=80, fft_size=256, n_mels=20, high_hz=4000.0),
}


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "bench_front_end"}
    flags.DEFINE_string("clips", None, "Folder of recordings.", required=True, **place)
    flags.DEFINE_integer("n_clips", 40, "Recordings to use.", lower_bound=1, **place)
    flags.DEFINE_integer("seed", 1, "Of the draw of clips and of the noise.", lower_bound=0, **place)
    flags.DEFINE_string("docs", "", "Markdown file whose tables are replaced.", **place)
    flags.DEFINE_string("picture", "", "PNG file to write.", **place)


def load(folder, n_clips, sample_rate, seed):
    """float [clips, one second], peak 1."""
    paths = sorted(path for path in pathlib.Path(folder).rglob("*") if path.suffix.lower() in (".flac", ".ogg", ".wav"))
    rng, clips = np.random.default_rng(seed), []
    for path in (paths[i] for i in rng.permutation(len(paths))):
        pcm = audio.read_pcm(path, sample_rate).astype(float)
        peak = np.abs(pcm).max()
        if peak >= 1000:                                                # nothing to hear below: digital silence amplified
            clips.append(np.pad(pcm / peak, (0, max(0, sample_rate - len(pcm))))[:sample_rate])
        if len(clips) == n_clips:
            return np.stack(clips)
    raise ConfigError(f"--clips={folder} holds {len(clips)} usable recordings; {n_clips} are needed. Lower --n_clips.")


def at_level(clips, level_dbfs, snr_db, seed):
    """int16 PCM with this peak level; snr_db None adds no noise."""
    signals = clips * 10 ** (level_dbfs / 20)
    if snr_db is not None:
        rms = np.sqrt(np.mean(signals**2, 1, keepdims=True))
        signals = signals + np.random.default_rng(seed).normal(size=signals.shape) * rms * 10 ** (-snr_db / 20)
    return np.clip(np.rint(signals * 32768), -32768, 32767).astype(np.int16)


def errors(features, pcm):
    """(error in dB of the values above the floor) for log-mel; (rms error / standard deviation of each coefficient) for MFCC."""
    front_end, reference = IntegerFeatures(features), FeatureExtractor(features)
    expected = np.stack([reference(clip) for clip in pcm]).astype(float)
    difference = front_end(pcm) * front_end.scale - expected
    if features.kind == "mfcc":
        return np.sqrt(np.mean(difference**2, (0, 1))) / expected.std((0, 1))
    above = expected > np.log(features.log_floor) + 1e-6
    return np.abs(difference[above]) * (10 if features.spectrum == "power" else 20) / np.log(10)


def table_head(*columns):
    """First two lines of a Markdown table."""
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]


def error_table(clips_of_rate, seed):
    """Rows: configuration and condition; columns: levels."""
    lines = table_head("features", "signal", *(f"{level} dBFS" for level in LEVELS_DBFS))
    for name, features in CONFIGS.items():
        for condition, snr_db in (("with noise", SNR_DB), ("as recorded", None)):
            cells = []
            for level in LEVELS_DBFS:
                found = errors(features, at_level(clips_of_rate(features.sample_rate), level, snr_db, seed))
                if features.kind == "mfcc":
                    cells.append(f"{100 * np.median(found):.1f} % / {100 * found.max():.1f} %")
                else:
                    cells.append(" / ".join(f"{value:.3f}" for value in np.percentile(found, (50, 95, 99))))
            lines.append(f"| {name} | {condition} | " + " | ".join(cells) + " |")
    return lines


def constant_table(clips, seed):
    """What a constant (DC) in the recording does to the integers, and to the definition of the features itself."""
    lines = table_head("constant [LSB]", "integer error, median / 95 % / 99 % [dB]", "float features move, band 0",
                       "band 1", "band 2", "band 3")
    reference = FeatureExtractor(POWER)
    clean = at_level(clips, -30, SNR_DB, seed)
    before = np.stack([reference(clip) for clip in clean])
    for constant in (0, 100, 300, 1000, 3000):
        pcm = np.clip(clean.astype(int) + constant, -32768, 32767).astype(np.int16)
        found = np.percentile(errors(POWER, pcm), (50, 95, 99))
        moved = np.median(np.stack([reference(clip) for clip in pcm]) - before, (0, 1))[:4] * 10 / np.log(10)
        lines.append(f"| {constant} | " + " / ".join(f"{value:.3f}" for value in found) + " | "
                     + " | ".join(f"{value:.1f} dB" for value in moved) + " |")
    return lines


def cost(features):
    """(nodes, framing nodes of one second, multiply-accumulates of a frame, bytes of a one-window file)."""
    window, clip = front_end_graph(features, features.window_samples), front_end_graph(features, features.sample_rate)
    twin = NumpyGraph()
    build_clip_front_end(twin, twin.input(np.zeros((1, features.window_samples), np.int16), framing.PCM_SCALE), features)
    n_framing = [sum(node.output.name.startswith("framing/") for node in graph.nodes) for graph in (window, clip)]
    return len(window.nodes) - n_framing[0], n_framing[1], twin.macs, len(flatbuffer.write(window))


def cost_table():
    """What tests compare with the file: deterministic figures only."""
    lines = table_head("features", "nodes", "+ framing of a clip", "MACs per frame", "bytes")
    lines += [f"| {name} | " + " | ".join(f"{value:,}" for value in cost(features)) + " |" for name, features in CONFIGS.items()]
    return lines


def memory_table():
    """Working memory in TFLite Micro, and time of one second of audio on this machine."""
    names = [name for name in available() if name != "tensorflow"]
    lines = table_head("features", "arena, one window", "arena, one second", *(f"{name}, CPU ms per second of audio" for name in names))
    for name, features in CONFIGS.items():
        cells = []
        for n_samples in (features.window_samples, features.sample_rate):
            content = flatbuffer.write(front_end_graph(features, n_samples))
            cells.append("not measured" if micro.unavailable() else f"{micro.MicroInterpreter(content).used_bytes():,}")
        cells += [f"{1000 * host_seconds(content, interpreter):.1f}" for interpreter in names]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def host_seconds(content, interpreter, repeats=20):
    """CPU time of the fastest of some runs, one thread: what a busy machine does not change."""
    _, opened = open_interpreter(content, interpreter=interpreter)
    detail = opened.get_input_details()[0]
    opened.set_tensor(detail["index"], np.random.default_rng(1).integers(-3000, 3000, detail["shape"]).astype(np.int16))
    times = []
    for _ in range(repeats):
        start = time.process_time()
        opened.invoke()
        times.append(time.process_time() - start)
    return min(times)


def plain_rows(rows, largest=127):
    """quantise_rows without its search."""
    scales = (np.abs(rows).max(1) / largest).astype(np.float32)
    return np.rint(rows / scales[:, None]).astype(np.int64), scales


def loudest_band(features):
    """One unit for all bands."""
    return np.full(features.n_mels, _BAND_BOUNDS(features).max())


_BAND_BOUNDS = mel_bands.band_bounds
POWER, CHANGES = FEATURE_PRESETS["bc_resnet"], {
    "as it is": [],
    "gain up to 2^7 instead of 2^10": [(gain, "DOUBLINGS", 7)],
    "no gain": [(gain, "DOUBLINGS", 0)],
    "DFT split 8 x 64": [(dft, "COLUMNS", [8])],
    "DFT split 16 x 32": [(dft, "COLUMNS", [16])],
    "mel weights without scale search": [(fixed_point, "quantise_rows", plain_rows)],
    "one unit for all bands": [(mel_bands, "band_bounds", loudest_band)],
    "4 projections": [(spectrum, "PROJECTIONS", 4)],
    "8 projections": [(spectrum, "PROJECTIONS", 8)],
    "squares at two scales": [(spectrum, "POWER_SHIFTS", (12, 0))],
    "no correction of rounding": [(spectrum, "rounding_bias", lambda shift: 0.0)],
    "hand-over at 12 bits": [(logarithm, "HANDOVER_BITS", 12)],
    "one log line per octave": [(logarithm, "POWER_RATIO", 2.0), (logarithm, "MAGNITUDE_RATIO", 2.0)],
    "more log lines": [(logarithm, "POWER_RATIO", 2.0 ** (7 / 12)), (logarithm, "MAGNITUDE_RATIO", 2.0**0.4)],
}
ONLY = {"power": {"squares at two scales", "no correction of rounding", "hand-over at 12 bits"},
        "magnitude": {"4 projections", "8 projections"}}


@contextlib.contextmanager
def changed(changes):
    """The front end with other constants."""
    caches = (dft.plan, dft._spectrum_bound, _BAND_BOUNDS, logarithm.knots)
    with contextlib.ExitStack() as stack:
        for owner, name, value in changes:
            stack.enter_context(mock.patch.object(owner, name, value))
        for cache in caches:
            cache.cache_clear()
        yield
    for cache in caches:
        cache.cache_clear()


def change_table(clips, seed):
    """What each decision buys, one changed at a time."""
    lines = table_head("change", "spectrum", "with noise, -24 dBFS", "as recorded, -24 dBFS", "as recorded, -60 dBFS", "nodes",
                       "MACs per frame", "bytes", "arena")
    for name, changes in CHANGES.items():
        for features in (POWER, MAGNITUDE):
            if any(name in ONLY[other] for other in ONLY if other != features.spectrum):
                continue
            with changed(changes):
                cells = []
                for level, snr_db in ((-24, SNR_DB), (-24, None), (-60, None)):
                    found = np.percentile(errors(features, at_level(clips, level, snr_db, seed)), (50, 95, 99))
                    cells.append(" / ".join(f"{value:.3f}" for value in found))
                nodes, _, macs, n_bytes = cost(features)
                content = flatbuffer.write(front_end_graph(features, features.window_samples))
                arena = "" if micro.unavailable() else f"{micro.MicroInterpreter(content).used_bytes():,}"
            lines.append(f"| {name} | {features.spectrum} | " + " | ".join(cells) + f" | {nodes} | {macs:,} | {n_bytes:,} | {arena} |")
    return lines


def draw(clip, path):
    """Float and integer log-mel of one clip, and their difference."""
    features, front_end = POWER, IntegerFeatures(POWER)
    pcm = at_level(clip[None], -12, None, 0)[0]
    decibels = 10 / np.log(10)
    float_log_mel = FeatureExtractor(features)(pcm) * decibels
    integer_log_mel = front_end(pcm) * front_end.scale * decibels
    extent = (0, len(pcm) / features.sample_rate, -0.5, features.n_mels - 0.5)
    figure, axes = pyplot.subplots(1, 3, figsize=(13, 3.8), sharey=True, constrained_layout=True)
    panels = [("float64", float_log_mel, {}), ("integer graph", integer_log_mel, {}),
              ("integer - float64", integer_log_mel - float_log_mel, {"cmap": "RdBu", "vmin": -0.5, "vmax": 0.5})]
    low, high = float_log_mel.min(), float_log_mel.max()
    for axis, (title, values, style) in zip(axes, panels, strict=True):
        image = axis.imshow(values.T, origin="lower", aspect="auto", extent=extent, **(style or {"vmin": low, "vmax": high}))
        axis.set(title=title, xlabel="time [s]")
        figure.colorbar(image, ax=axis, label="difference [dB]" if style else "band power [dB]")
    axes[0].set_ylabel("mel band")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def main(argv):
    refuse_arguments(argv)
    loaded = {}

    def clips_of_rate(sample_rate):
        if sample_rate not in loaded:
            loaded[sample_rate] = load(FLAGS.clips, FLAGS.n_clips, sample_rate, FLAGS.seed)
        return loaded[sample_rate]

    tables = {"cost": cost_table(), "memory": memory_table(), "errors": error_table(clips_of_rate, FLAGS.seed),
              "constant": constant_table(clips_of_rate(16000), FLAGS.seed), "changes": change_table(clips_of_rate(16000), FLAGS.seed)}
    for name, lines in tables.items():
        print(f"{name}\n" + "\n".join(lines) + "\n")
    if FLAGS.picture:
        draw(clips_of_rate(16000)[0], FLAGS.picture)
    if FLAGS.docs:
        publish(FLAGS.docs, tables, "python tools/bench_front_end.py --clips=SPEECH_COMMANDS_TESTING --docs=docs/frontend.md")


if __name__ == "__main__":
    run(main, define)
