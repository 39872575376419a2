"""Golden streams of the detector: logits, score bytes and events that every implementation must reproduce exactly.

    python tools/golden_detector.py --output=firmware/golden/detector.json

Each case is one stream after a reset. `logits` are raw int8 outputs with the scale `scale`; `scores` are their score bytes
(kws_tf.runtime.score_bytes); `events` are what Detector.step reports after the score with the index `at`, with end_sample null for an
event that has started. Score number i ends at sample (i + 1) * samples_per_score. The random numbers come from --seed alone.
"""

import json

import numpy as np
from absl import flags

from kws_tf import atomic_file
from kws_tf.config import to_dict
from kws_tf.detector_settings import DetectorSettings
from kws_tf.flags import refuse_arguments, run
from kws_tf.manifest import TensorSpec
from kws_tf.runtime.detector import Detector
from kws_tf.runtime.score_bytes import ScoreBytes, exponential_table

FLAGS = flags.FLAGS
SAMPLES_PER_SCORE = 160
N_SCORES = 120
# Name, number of classes, classes that are keywords (in this order), scale of the logits, settings.
CASES = (
    ("one keyword", 2, (1,), 0.1, DetectorSettings(150, 112, 5, 20)),
    ("two keywords and background", 3, (1, 2), 0.08, DetectorSettings(128, 96, 4, 10)),
    ("keywords in another order than the labels", 4, (3, 0, 2), 0.05, DetectorSettings(90, 60, 3, 8)),
    ("no hysteresis, no pause", 3, (1, 2), 0.1, DetectorSettings(128, 128, 1, 0)),
    ("window longer than the words", 3, (1, 2), 0.12, DetectorSettings(60, 30, 40, 30)),
    ("every label a keyword: ties", 3, (0, 1, 2), 0.004, DetectorSettings(85, 85, 1, 5)),
    ("first scores ignored", 2, (1,), 0.1, DetectorSettings(120, 60, 6, 15, 50)),
    ("highest threshold", 2, (1,), 0.2, DetectorSettings(255, 255, 1, 3)),
    ("lowest threshold", 2, (1,), 0.1, DetectorSettings(1, 1, 2, 7)),
    ("pause longer than the stream", 2, (1,), 0.1, DetectorSettings(128, 64, 2, 1000)),
)


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    flags.DEFINE_string("output", "firmware/golden/detector.json", "File to write.", flag_values=flag_values)
    flags.DEFINE_integer("seed", 14, "Of the logits.", lower_bound=0, flag_values=flag_values)


def make_logits(n_classes, random):
    """int8 [scores, classes]: background with words of random length and certainty, and values at both ends of the range."""
    logits = random.normal(0, 8, (N_SCORES, n_classes))
    logits[:, 0] += 30
    position = int(random.integers(0, 10))
    while position < N_SCORES:
        length, k = int(random.integers(3, 25)), int(random.integers(0, n_classes))
        logits[position:position + length, k] += random.uniform(20, 90)
        position += length + int(random.integers(1, 20))
    logits[random.integers(0, N_SCORES, 2)] *= 20
    return np.clip(np.rint(logits), -128, 127).astype(np.int8)


def make_case(name, n_classes, chosen, scale, settings, random):
    """One case as JSON values."""
    labels = tuple(f"class{index}" for index in range(n_classes))
    keywords = tuple(labels[index] for index in chosen)
    logits = make_logits(n_classes, random)
    scores = ScoreBytes(TensorSpec("logits", (1, n_classes), "int8", scale))(logits).tolist()
    detector = Detector(labels, keywords, settings)
    changes = [(at, detector.step(row, (at + 1) * SAMPLES_PER_SCORE)) for at, row in enumerate(scores)]
    return {"name": name, "labels": labels, "keywords": keywords, "settings": to_dict(settings), "scale": scale,
            "samples_per_score": SAMPLES_PER_SCORE, "table_start": exponential_table(scale)[:8], "logits": logits.tolist(),
            "scores": scores, "events": [{"at": at, **to_dict(event)} for at, event in changes if event]}


def make(seed):
    """All cases, in order."""
    random = np.random.default_rng(seed)
    return [make_case(*case, random) for case in CASES]


def to_text(cases):
    """JSON with one line per row of numbers, so that a change can be read."""
    lines = []
    for case in cases:
        rows = {name: "[\n   " + ",\n   ".join(json.dumps(row) for row in case[name]) + "\n  ]" for name in ("logits", "scores", "events")}
        head = ",\n  ".join(f'"{name}": {rows.get(name) or json.dumps(value)}' for name, value in case.items())
        lines.append("{\n  " + head + "\n }")
    return "[\n " + ",\n ".join(lines) + "\n]\n"


def main(argv):
    refuse_arguments(argv)
    atomic_file.write_text(FLAGS.output, to_text(make(FLAGS.seed)))
    print(f"written: {FLAGS.output}")


if __name__ == "__main__":
    run(main, define)
