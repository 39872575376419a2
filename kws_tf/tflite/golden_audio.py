"""Audio and the bytes that a device must answer to it, for the self-test of the firmware."""

import dataclasses

import numpy as np

from kws_tf.audio import checked_pcm
from kws_tf.errors import ConversionError
from kws_tf.runtime import Model, Stream
from kws_tf.runtime.detection import logits_spec
from kws_tf.runtime.model import quantise
from kws_tf.runtime.score_bytes import ScoreBytes
from kws_tf.tflite import micro


@dataclasses.dataclass(frozen=True)
class Golden:
    """What the self-test plays and expects.

    Args:
        pcm: int16 [hops * hop_samples].
        logits: int8 [scores, classes]. scores: uint8 [scores, classes], their score bytes.
        made_by: the interpreter that gave the logits.
    """

    pcm: np.ndarray
    logits: np.ndarray
    scores: np.ndarray
    made_by: str


def synthetic(n_samples, sample_rate, seed=6):
    """Bursts of rising and falling tones with overtones in quiet noise: int16 [n_samples]. No speech, but it moves all of a network."""
    random = np.random.default_rng(seed)
    seconds = np.arange(n_samples) / sample_rate
    signal = random.normal(0, 0.003, n_samples)
    start = 0.03
    while n_samples and start < seconds[-1]:
        length = random.uniform(0.08, 0.2)
        inside = (seconds >= start) & (seconds < start + length)
        place = (seconds[inside] - start) / length
        pitch = random.uniform(110, 260) * (1 + random.uniform(-0.3, 0.5) * place)
        phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
        formant = random.uniform(400, 2800) * (1 + random.uniform(-0.4, 0.6) * place)
        for k in range(1, 25):
            level = np.exp(-0.5 * ((k * pitch - formant) / 350) ** 2) + 0.1 / k
            signal[inside] += random.uniform(0.05, 0.3) * level * np.sin(np.pi * place) * np.sin(k * phase)
        start += length + random.uniform(0.02, 0.15)
    return np.clip(np.rint(signal * 32767), -32768, 32767).astype(np.int16)


def make(path, manifest, content, pcm, hop_samples):
    """The golden bytes of an exported file: from TFLite Micro if it is installed, else from the reference kernels of the runtime.

    Args:
        path: of the file. manifest: its Manifest. content: its bytes, checked against it.
        pcm: int16 [samples]; what fills no whole hop is left out.
        hop_samples: samples that the device takes at once. A clip file then scores its last clip, with silence ahead of the recording.

    Returns:
        Golden.

    Raises:
        ConversionError: less audio than one hop, or all scores are the same, which would prove nothing.
        AudioError: the audio is not one-dimensional int16.
    """
    pcm = checked_pcm(pcm)
    n_hops = len(pcm) // hop_samples
    if not n_hops:
        raise ConversionError(f"the audio of the self-test has {len(pcm)} samples; at least one hop of {hop_samples} is needed.")
    pcm = pcm[:n_hops * hop_samples]
    play = _stream_rows if manifest.streaming else _clip_rows
    logits = np.concatenate(play(path, manifest, content, pcm.reshape(n_hops, hop_samples)))
    if len(logits) < 2 or not np.any(logits != logits[0]):
        raise ConversionError(f"all {len(logits)} scores of the audio of the self-test are the same, so that it would prove nothing. "
                              "Set --golden to a recording with a keyword, and --golden_seconds so that it is in them.")
    made_by = "the reference kernels of the runtime" if micro.unavailable() else f"tflite-micro {micro.version()}"
    return Golden(pcm, logits, ScoreBytes(logits_spec(manifest))(logits), made_by)


def _stream_rows(path, manifest, content, hops):
    section = manifest.streaming
    if micro.unavailable():
        stream = Stream(path, kernels="reference")
        return [np.stack([frame.logits for frame in stream.process(hop)]) for hop in hops]
    opened = micro.MicroInterpreter(content)
    valid = np.ones((1, section.hop_frames, 1, 1), np.int8)
    return [opened(*(valid if spec.name == section.valid else hop.reshape(spec.shape) for spec in manifest.inputs))
            .reshape(section.hop_scores, -1) for hop in hops]


def _clip_rows(path, manifest, content, hops):
    del path
    if micro.unavailable():
        model = Model(manifest, content, kernels="reference")
        run = lambda tensor: quantise(model.invoke(tensor), manifest.outputs[0])  # noqa: E731 - one of two callables
    else:
        run = micro.MicroInterpreter(content)
    spec = manifest.inputs[0]
    window, rows = np.zeros(manifest.clip_samples, np.int16), []
    for hop in hops:
        window = np.concatenate([window, hop])[-len(window):]
        rows.append(np.asarray(run(window.reshape(spec.shape))).reshape(1, -1))
    return rows
