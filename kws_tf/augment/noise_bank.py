"""NoiseBank: noise recordings, end to end in one constant tensor."""

import numpy as np
from keras import ops

from kws_tf.augment.cut import cut
from kws_tf.augment.random_draw import uniform_index
from kws_tf.errors import ConfigError


class NoiseBank:
    """Noise recordings from which a random cut of one clip's length is taken for every clip.

    A cut lies within one recording. Every recording is equally likely, whatever its length, as in the published recipe; one that is
    shorter than a clip is repeated end to end. The bank is a constant of the training graph and stays int16: 6 minutes at 16 kHz
    take 12 MB.

    Args:
        recordings: arrays int16 [samples], each of any length above 0, at the sample rate of the clips.
        clip_samples: length of the cuts.

    Raises:
        ConfigError: no recording, one that is empty or not int16 [samples], or more than 2^31 samples in all.
    """

    def __init__(self, recordings, clip_samples):
        recordings = [np.asarray(recording) for recording in recordings]
        if not recordings:
            raise ConfigError("NoiseBank: expected at least one noise recording; received none. Check --noise_dir.")
        for number, recording in enumerate(recordings):
            if recording.dtype != np.int16 or recording.ndim != 1 or not recording.size:
                raise ConfigError(f"NoiseBank: expected int16 PCM [samples], at least one sample; recording {number} is "
                                  f"{recording.dtype} {recording.shape}.")
        recordings = [recording if recording.size >= clip_samples else np.resize(recording, clip_samples) for recording in recordings]
        lengths = np.array([recording.size for recording in recordings], np.int64)
        if lengths.sum() >= 2**31:
            raise ConfigError(f"NoiseBank: at most 2^31 samples of noise fit; received {lengths.sum()}. Use fewer files in --noise_dir.")
        self.clip_samples = clip_samples
        self.first = (np.cumsum(lengths) - lengths).astype(np.int32)
        self.n_cuts = (lengths - clip_samples + 1).astype(np.int32)
        self.pcm = ops.convert_to_tensor(np.concatenate(recordings))

    def draw(self, batch_size, seed_generator):
        """Start of a random cut in the bank for every clip, int32 [batch]."""
        recording = uniform_index((batch_size,), seed_generator, len(self.first))
        offset = uniform_index((batch_size,), seed_generator, ops.take(self.n_cuts, recording))
        return ops.take(self.first, recording) + offset

    def cut(self, starts):
        """The cuts that begin at starts: float32 [batch, clip_samples] in [-1, 1)."""
        return ops.cast(cut(self.pcm, starts, self.clip_samples), "float32") * (1 / 32768)
