"""Scores the clips of a split with an exported file, in parallel."""

import concurrent.futures
import threading

import numpy as np
from tqdm import tqdm

from kws_tf import runtime, worker_pool
from kws_tf.runtime import model_file
from kws_tf.runtime.detection import logits_spec
from kws_tf.runtime.model import dequantise

CHUNK_CLIPS = 16
# Less than the smallest score byte that is not 0.
SMALLEST_SCORE = 1 / 512


class StreamedClips:
    """Scores single clips with a streaming file: every clip is a recording of its own, and its last score counts.

    Args:
        stream: runtime.Stream.

    Attributes:
        labels: class names in the order of the logits.
    """

    def __init__(self, stream):
        self.labels = stream.labels
        self._stream, self._spec = stream, logits_spec(stream.manifest)

    def logits(self, pcm):
        """float32 [classes] of int16 [samples]; the logarithms of the scores for a file that gives one probability."""
        self._stream.reset()
        frame = (self._stream.process(pcm) + self._stream.flush())[-1]
        last = frame.logits
        if last.dtype == np.uint8:
            return np.log(np.maximum(frame.scores, SMALLEST_SCORE))
        return dequantise(last, self._spec) if self._spec.scale else last.astype(np.float32)


def open_scorer(model_path, **options):
    """The object that scores clips: runtime.Model for a clip model, StreamedClips for a streaming one."""
    if model_file.read(model_path)[0].kind == "streaming":
        return StreamedClips(runtime.Stream(model_path, **options))
    return runtime.load_model(model_path, **options)


def score(model_path, clips, n_clips, *, workers=None, progress=True, title="scoring", **options):
    """Logits of many clips by the runtime that users run.

    Every thread opens an interpreter of its own; interpreters compute outside Python's lock, so threads run side by side.

    Args:
        model_path: a .tflite file or its export folder.
        clips: function of an index array that returns int16 [indices, clip_samples].
        n_clips: number of clips.
        workers: threads; None takes one per processor.
        progress: whether to show a bar. title: its text.
        options: interpreter and kernels, see runtime.load_model.

    Returns:
        float32 [n_clips, classes].

    Raises:
        ModelFileError: the file cannot be used.
    """
    first = open_scorer(model_path, **options)
    logits = np.zeros((n_clips, len(first.labels)), np.float32)
    workers = min(workers or worker_pool.processors(), -(-n_clips // CHUNK_CLIPS)) or 1
    idle, own = [first], threading.local()

    def open_model():
        try:
            own.model = idle.pop()
        except IndexError:
            own.model = open_scorer(model_path, **options)

    def run(indices):
        for index, pcm in zip(indices, clips(indices), strict=True):
            logits[index] = own.model.logits(pcm)
        return len(indices)

    chunks = [np.arange(start, min(start + CHUNK_CLIPS, n_clips)) for start in range(0, n_clips, CHUNK_CLIPS)]
    with (concurrent.futures.ThreadPoolExecutor(workers, initializer=open_model) as pool,
          tqdm(total=n_clips, desc=title, unit="clip", disable=not progress or None, leave=False) as bar):
        for done in concurrent.futures.as_completed([pool.submit(run, chunk) for chunk in chunks]):
            bar.update(done.result())
    return logits
