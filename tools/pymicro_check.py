"""Plays recordings to an ESPHome export in the interpreter of pymicro-wakeword: how many phrases it hears, and how often it is wrong.

    python tools/pymicro_check.py --model runs/NAME/export/esphome --positives clips/testing/jarvis --negatives speech

Every positive is a recording of its own, between faint noise of 1.5 s and 1 s; the negatives are one long recording. An event is a mean of
the sliding window above the cutoff, at the earliest a second after the last one; the first second after a start counts for nothing,
because the front end knows no noise yet. Needs the package pymicro-wakeword.
"""

import collections
import pathlib
import sys

import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from kws_tf import audio  # noqa: E402
from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.flags import define_numbers, run  # noqa: E402

FLAGS = flags.FLAGS
RATE = 16000
STEP_SECONDS = 0.01
NOISE_LEVEL = 20
LEAD_SECONDS, TAIL_SECONDS, IGNORED_SECONDS, PAUSE_SECONDS = 1.5, 1.0, 1.0, 1.0


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "pymicro_check"}
    flags.DEFINE_string("model", "", "Export folder of profile esphome.", **place)
    flags.DEFINE_string("positives", "", "Folder of recordings, each with the phrase once.", **place)
    flags.DEFINE_list("negatives", [], "Folders of recordings without the phrase.", **place)
    define_numbers("cutoffs", (0.5, 0.8, 0.9, 0.95, 0.98), "Cutoffs to try beside that of esphome.json.", **place)
    flags.DEFINE_integer("window", 0, "Sliding window in probabilities; 0 for that of esphome.json.", lower_bound=0, **place)


def recordings(folder):
    """int16 [samples] of every recording in a folder, in the order of their names."""
    paths = sorted(path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    if not paths:
        raise ConfigError(f"{folder}: no recordings there.")
    return [audio.read_pcm(path, RATE) for path in paths]


def probabilities(model, pcm):
    """Probabilities of the steps of one recording, from a reset on: float [steps]."""
    from pymicro_wakeword import MicroWakeWordFeatures

    model.reset()
    model.sliding_window_size, model._probabilities = 1, collections.deque(maxlen=1)  # noqa: SLF001 - the mean is taken here
    found = []
    for count, frame in enumerate(MicroWakeWordFeatures().process_streaming(pcm.tobytes()), 1):
        probability = model.process_streaming_prob(frame)
        if count % model.stride == 0:
            found.append(probability)
    return np.array(found)


def count_events(steps, cutoff, window, step_seconds):
    """How often the mean of the last `window` probabilities rises above the cutoff, see the top of this file."""
    sums = np.convolve(steps, np.ones(window))[:len(steps)]
    above = sums / window > cutoff
    above[:max(window - 1, round(IGNORED_SECONDS / step_seconds))] = False
    events, earliest = 0, 0
    for place in np.flatnonzero(above & ~np.concatenate([[False], above[:-1]])):
        if place >= earliest:
            events, earliest = events + 1, place + round(PAUSE_SECONDS / step_seconds)
    return events


def main(argv):
    if argv[1:] or not (FLAGS.model and FLAGS.positives and FLAGS.negatives):
        raise ConfigError("--model, --positives and --negatives are needed, and nothing else; see --help.")
    from pymicro_wakeword import MicroWakeWord

    model = MicroWakeWord.from_config(pathlib.Path(FLAGS.model) / "esphome.json")
    cutoff, window, step_seconds = model.probability_cutoff, FLAGS.window or model.sliding_window_size, STEP_SECONDS * model.stride
    random = np.random.default_rng(1)

    def noise(seconds):
        return (random.normal(size=round(seconds * RATE)) * NOISE_LEVEL).astype(np.int16)

    positives = [probabilities(model, np.concatenate([noise(LEAD_SECONDS), pcm, noise(TAIL_SECONDS)]))
                 for pcm in recordings(FLAGS.positives)]
    negatives = {folder: probabilities(model, np.concatenate(recordings(folder))) for folder in FLAGS.negatives}
    for level in (cutoff, *FLAGS.cutoffs):
        heard = sum(count_events(steps, level, window, step_seconds) > 0 for steps in positives)
        wrong = "; ".join(f"{folder}: {count_events(steps, level, window, step_seconds)} in {len(steps) * step_seconds / 60:.1f} min"
                          for folder, steps in negatives.items())
        print(f"cutoff {level:.4f}, window {window}: {heard} of {len(positives)} heard; {wrong}")


if __name__ == "__main__":
    run(main, define)
