"""Stage 0: a clip of PCM is cut into overlapping frames."""

import numpy as np

from kws_tf.errors import ConversionError

PCM_SCALE = 2.0**-15


def frame(graph, pcm, features, columns):
    """Cuts a clip into frames, each laid out as rows of `columns` consecutive samples.

    The clip is seen as rows of one hop; piece j of every frame is row t + j. That takes ceil(window / hop) slices for all frames
    together. Samples after the last whole frame are dropped, and where the last piece would reach past the clip, zeros that no
    frame contains are appended.

    Args:
        graph: Graph. pcm: int16 [1, samples]. features: FeatureConfig.
        columns: a divisor of the window (DftPlan.columns).

    Returns:
        Tensor [frames, window / columns, 1, columns] with the scale of pcm.

    Raises:
        ConversionError: a clip shorter than one window.
    """
    graph.stage = "framing"
    n_samples = pcm.shape[1]
    n_frames = features.n_frames(n_samples)
    if n_frames < 1:
        raise ConversionError(f"integer front end: a clip of {n_samples} samples is shorter than one window of "
                              f"{features.window_samples} samples. Use a longer clip.")
    window, hop = features.window_samples, features.hop_samples
    shape = (n_frames, window // columns, 1, columns)
    if n_frames == 1:
        return graph.reshape(graph.slice(pcm, (0, 0), (1, window)), shape)
    pieces = -(-window // hop)
    n_rows = n_frames - 1 + pieces
    pcm = graph.slice(pcm, (0, 0), (1, min(n_samples, n_rows * hop)))
    pcm = graph.pad_end(pcm, (0, max(0, n_rows * hop - n_samples)))
    # rows of the final layout where a hop is made of whole rows: one RESHAPE less
    width = columns if hop % columns == 0 and window % columns == 0 else np.gcd(hop, window).item()
    rows = graph.reshape(pcm, (n_rows, hop // width, 1, width))
    parts = [graph.slice(rows, (j, 0, 0, 0), (j + n_frames, min(hop, window - j * hop) // width, 1, width)) for j in range(pieces)]
    return graph.reshape(graph.concatenate(parts, 1), shape)
