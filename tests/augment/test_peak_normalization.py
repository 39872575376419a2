import numpy as np

from kws_tf.augment import PeakNormalization


def test_each_clip_reaches_full_scale_and_silence_stays():
    pcm = np.array([[0.1, -0.2, 0.05], [0.0, 0.0, 0.0], [-0.5, 0.5, 0.0]], np.float32)
    np.testing.assert_allclose(PeakNormalization().apply(pcm, {}), [[0.5, -1, 0.25], [0, 0, 0], [-1, 1, 0]], rtol=1e-6)
