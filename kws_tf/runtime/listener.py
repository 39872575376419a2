"""Stream and detector together: PCM in, keyword events out."""

import numpy as np

from kws_tf import runtime
from kws_tf.audio import checked_pcm
from kws_tf.runtime.detection import configure, logits_spec
from kws_tf.runtime.detector import Detector
from kws_tf.runtime.score_bytes import ScoreBytes

SILENT_DBFS = -120.0


class Listener:
    """Finds keywords in audio as it comes. One object serves one thread at a time.

    Args:
        model_path: a streaming model, see runtime.Stream.
        preset, keywords, changes: what the detector does, see runtime.detection.configure.
        gain_db: level change of the PCM before the model; samples saturate.
        options: interpreter and kernels, see runtime.Stream.

    Attributes:
        sample_rate: Hz that the PCM must have. keywords, settings, preset: of the detector.
        calibrated: whether the model has presets (kws_tf.calibrate); without them the threshold is a guess.
        level_dbfs: root mean square of the last samples, behind the gain, relative to full scale.

    Raises:
        ModelFileError: the file is no streaming model or cannot be used. ConfigError: no such preset or keyword.

    Example:
        listener = Listener("runs/pi/export/pi_stream")
        for chunk in microphone:                                 # int16, any length
            for event in listener.process(chunk):
                print(event.keyword, event.start_sample)
    """

    def __init__(self, model_path, *, preset="", keywords=(), changes=None, gain_db=0.0, **options):
        self._stream = runtime.Stream(model_path, **options)
        manifest = self._stream.manifest
        self.keywords, self.settings, self.preset = configure(manifest, preset, keywords, **(changes or {}))
        self.sample_rate, self.calibrated = manifest.sample_rate, manifest.detector is not None
        self._bytes = ScoreBytes(logits_spec(manifest))
        self._detector = Detector(manifest.labels, self.keywords, self.settings)
        self._gain = 10 ** (gain_db / 20)
        self.level_dbfs = SILENT_DBFS

    @property
    def scores(self):
        """Mean score of every keyword, 0 to 1, as the detector sees it."""
        return {keyword: mean / 255 for keyword, mean in zip(self.keywords, self._detector.means, strict=True)}

    @property
    def open_event(self):
        """The event that has started and not ended yet, or None."""
        return self._detector.event

    def process(self, pcm):
        """Takes the next samples.

        Args:
            pcm: int16 [samples], any number of them.

        Returns:
            list of runtime.Event that have started (end_sample None) or ended, in order.

        Raises:
            AudioError: not one-dimensional int16.
        """
        pcm = checked_pcm(pcm)
        if self._gain != 1:
            pcm = np.clip(np.rint(pcm * self._gain), -32768, 32767).astype(np.int16)
        if len(pcm):
            power = float(np.mean(np.square(pcm.astype(np.float64) / 32768)))
            self.level_dbfs = 10 * np.log10(power) if power > 0 else SILENT_DBFS
        changes = [self._detector.step(self._bytes(frame.logits).tolist(), frame.end_samples) for frame in self._stream.process(pcm)]
        return [event for event in changes if event is not None]
