"""PeakNormalization: brings every clip to full scale."""

from keras import ops


class PeakNormalization:
    """Divides a clip by its largest absolute sample; a clip of zeros stays.

    The published code of SparkNet does this to its training files and not to the audio it is used on. It is here to reproduce that;
    a model for use hears every level as it comes and is trained with Gain instead.
    """

    def apply(self, pcm, draws):
        """[batch, samples] -> [batch, samples] in [-1, 1]; needs no draw."""
        peak = ops.max(ops.abs(pcm), axis=1, keepdims=True)
        return pcm / ops.where(peak > 0, peak, 1.0)
