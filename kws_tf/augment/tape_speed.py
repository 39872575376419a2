"""TapeSpeed: plays a clip faster or slower, as a tape."""

from keras import ops

from kws_tf.augment.random_draw import uniform


class TapeSpeed:
    """Stretches a clip around its middle by a factor drawn from U(low, high); pitch, formants and tempo move together.

    Formants move as with a shorter or longer vocal tract, so one voice becomes many. Samples between two samples are interpolated
    linearly, which leaves (2 + cos w) / 3 of the power at w radians per sample: 1.8 dB less at a quarter of the sample rate. Beyond the
    ends of the clip lie zeros.

    Args:
        prob: share of clips.
        speed: low and high; 1.1 is a tenth faster and higher.
        clip_samples: length of the clips.
    """

    def __init__(self, prob, speed, clip_samples):
        self.prob, self.speed, self.clip_samples = prob, speed, clip_samples

    def draw(self, coin, seed_generator):
        """{"tape_speed": float32 [batch]}, 1 for clips whose coin, float32 [batch] in [0, 1), is not below prob."""
        return {"tape_speed": ops.where(coin < self.prob, uniform(ops.shape(coin), seed_generator, *self.speed), 1.0)}

    def apply(self, pcm, draws):
        """[batch, samples] -> [batch, samples]."""
        middle = (self.clip_samples - 1) / 2
        place = (ops.arange(self.clip_samples, dtype="float32") - middle) * draws["tape_speed"][:, None] + middle
        # One zero on either side: whatever lies outside falls on it.
        place = ops.clip(place + 1, 0.0, self.clip_samples + 1.0)
        padded = ops.pad(pcm, [[0, 0], [1, 2]])
        first = ops.floor(place)
        index = ops.cast(first, "int32")
        share = place - first
        return ops.take_along_axis(padded, index, axis=1) * (1 - share) + ops.take_along_axis(padded, index + 1, axis=1) * share
