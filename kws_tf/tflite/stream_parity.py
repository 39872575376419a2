"""Runs one streaming file over recordings in every interpreter that is there and says how far their scores are apart."""

import numpy as np

from kws_tf.errors import AudioError
from kws_tf.runtime.stream import Stream
from kws_tf.tflite import micro
from kws_tf.tflite.parity import LOGITS, MICRO, Difference, Parity, allowed_steps, find_runners, require_two

EXTERNAL_NOTE = "its Python interpreter cannot carry external states; a file with internal state is compared"


def compare_stream(path, manifest, content, recordings, *, optimised_steps):
    """Plays recordings hop by hop everywhere, each from a fresh state, and compares every frame that comes out.

    The reference is TFLite Micro for a file with internal state, else the reference kernels of the first interpreter. Best classes of
    single frames are counted and only promised where the integers are equal: in the middle of a word two classes can tie.

    Args:
        path: of the exported file. manifest: its Manifest. content: its bytes, checked against it.
        recordings: list of int16 [samples].
        optimised_steps: steps by which the logits of optimised integer kernels may differ.

    Returns:
        Parity; its differences are of the logits alone.

    Raises:
        ConfigError: fewer than two ways to run the file.
        AudioError: no recording is as long as a step. One that is shorter among others gives no frame, as in the runtime.
    """
    runners, absent = find_runners()
    if manifest.streaming.state != "internal" or manifest.input_kind != "pcm":
        runners = [runner for runner in runners if runner.interpreter]
        absent = {MICRO: EXTERNAL_NOTE, **absent}
    require_two(runners, absent)
    hop_samples = manifest.streaming.hop_samples
    if all(len(pcm) < hop_samples for pcm in recordings):
        raise AudioError(f"parity: none of {len(recordings)} recordings has the {hop_samples} samples of one step; give longer ones.")
    results = [_play(runner, path, manifest, content, recordings) for runner in runners]
    last = max(i for i, runner in enumerate(runners) if runner.kernels == "reference")
    expected, rows = results[last], []
    for i, (runner, values) in enumerate(zip(runners, results, strict=True)):
        if i == last:
            continue
        steps = np.abs(values.astype(np.float64) - expected).max()
        changes = int(np.sum(values.argmax(-1) != expected.argmax(-1)))
        allowed = allowed_steps(runner, manifest, optimised_steps)
        exact = allowed == 0 and runner.kernels == "reference"
        rows.append(Difference(LOGITS, runner.title, runner.kernels, runners[last].title, float(steps), changes, float(allowed),
                               allowed_changes=0 if exact else np.inf))
    return Parity(len(recordings), tuple(rows), absent)


def _play(runner, path, manifest, content, recordings):
    """Raw logits of every frame of every recording: [frames, classes]."""
    if runner.interpreter is None:
        return np.stack([logits for pcm in recordings for logits in _play_in_micro(manifest, content, pcm)])
    stream = Stream(path, interpreter=runner.interpreter, kernels=runner.kernels)
    frames = []
    for pcm in recordings:
        stream.reset()
        frames += [frame.logits for frame in stream.process(pcm)]
    return np.stack(frames)


def _play_in_micro(manifest, content, pcm):
    """Logits of the frames of one recording in TFLite Micro: a new interpreter has a fresh state, every whole hop is an inference."""
    section, opened = manifest.streaming, micro.MicroInterpreter(content)
    valid = {section.valid: np.ones((1, section.hop_frames, 1, 1), np.int8)} if section.valid else {}
    rows = []
    for start in range(0, len(pcm) - section.hop_samples + 1, section.hop_samples):
        hop = pcm[start:start + section.hop_samples]
        logits = opened(*(valid[spec.name] if spec.name in valid else hop.reshape(spec.shape) for spec in manifest.inputs))
        rows += list(np.asarray(logits).reshape(section.hop_scores, -1))
    return rows
