"""TimeShift: moves a clip earlier or later."""

from keras import ops

from kws_tf.augment.cut import cut
from kws_tf.augment.random_draw import uniform_index
from kws_tf.errors import ConfigError


class TimeShift:
    """Moves a clip by a whole number of samples, drawn from -max_samples .. max_samples; what becomes free is filled with zeros.

    Args:
        prob: share of clips that are moved.
        max_samples: largest shift, shorter than the clip.
        clip_samples: length of the clips.

    Raises:
        ConfigError: a shift that can move the whole clip out of sight.
    """

    def __init__(self, prob, max_samples, clip_samples):
        if max_samples >= clip_samples:
            raise ConfigError(f"TimeShift: a shift of {max_samples} samples moves a clip of {clip_samples} samples out of sight; "
                              "use a smaller --shift_ms.")
        self.prob, self.max_samples, self.clip_samples = prob, max_samples, clip_samples

    def draw(self, coin, seed_generator):
        """Draws for the clips of one batch.

        Args:
            coin: float32 [batch] in [0, 1); a clip is moved if its coin is below prob.
            seed_generator: keras.random.SeedGenerator.

        Returns:
            {"shift_samples": int32 [batch]}, positive for later, 0 for clips that stay.
        """
        shift = uniform_index(ops.shape(coin), seed_generator, 2 * self.max_samples + 1) - self.max_samples
        return {"shift_samples": ops.where(coin < self.prob, shift, 0)}

    def apply(self, pcm, draws):
        """[batch, samples] -> [batch, samples], moved by draws["shift_samples"], each within +-max_samples."""
        margin = self.max_samples
        padded = ops.pad(pcm, [[0, 0], [margin, margin]])
        clip_starts = ops.arange(ops.shape(pcm)[0], dtype="int32") * (self.clip_samples + 2 * margin)
        return cut(ops.reshape(padded, (-1,)), clip_starts + margin - draws["shift_samples"], self.clip_samples)
