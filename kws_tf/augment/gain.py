"""Gain: changes the level of a clip."""

from keras import ops

from kws_tf.augment.random_draw import uniform


class Gain:
    """Multiplies a clip with 10^(gain_db / 20), gain_db drawn from U(low, high).

    Args:
        prob: share of clips whose level is changed.
        gain_db: low and high.
    """

    def __init__(self, prob, gain_db):
        self.prob, self.gain_db = prob, gain_db

    def draw(self, coin, seed_generator):
        """{"gain_db": float32 [batch]}, 0 for clips whose coin, float32 [batch] in [0, 1), is not below prob."""
        return {"gain_db": ops.where(coin < self.prob, uniform(ops.shape(coin), seed_generator, *self.gain_db), 0.0)}

    def apply(self, pcm, draws):
        """[batch, samples] -> [batch, samples], not limited to [-1, 1)."""
        return pcm * ops.power(10.0, draws["gain_db"] / 20)[:, None]
