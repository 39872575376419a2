"""The stages in order: frames of PCM -> log-mel or MFCC."""

import numpy as np

from kws_tf.errors import ConversionError
from kws_tf.front_end import cosine, dft, framing, gain, logarithm, mel_bands, spectrum


def build_front_end(graph, frames, features, *, floor=True):
    """Adds the integer front end to a graph.

    Args:
        graph: Graph: TfliteGraph to write a file, NumpyGraph to compute.
        frames: Tensor [frames, rows, 1, columns] from framing.frame.
        features: FeatureConfig.
        floor: False leaves out the maximum with log_floor, for a consumer that saturates there itself. MFCC always has it.

    Returns:
        Tensor [1, frames, n_features, 1], int16 in natural-log units: the features of FeatureConfig in steps of its scale.

    Raises:
        ConversionError: parameters that the integer front end cannot hold.

    Example:
        graph = NumpyGraph()
        frames = framing.frame(graph, graph.input(pcm, framing.PCM_SCALE), features, dft.plan(features).columns)
        log_mel = build_front_end(graph, frames, features)
        log_mel.value * log_mel.scale                            # [1, frames, n_mels, 1], natural logarithm
    """
    if features.kind == "micro":
        raise ConversionError("integer front end: features of kind 'micro' are computed by ESPHome devices themselves; there is no file "
                              "with PCM as input for them. Use --profile=esphome or --profile=features.")
    if np.log(features.log_floor) < -logarithm.LARGEST_LOG:
        raise ConversionError(f"integer front end: log_floor={features.log_floor:g} is below e^-{logarithm.LARGEST_LOG:g}, the smallest "
                              f"logarithm that it can hold. Use --log_floor={np.exp(-logarithm.LARGEST_LOG):.0e} or more.")
    amplified, steps = gain.amplify(graph, frames)
    bins = dft.transform(graph, amplified, dft.plan(features))
    if features.spectrum == "magnitude":
        shifts, exponent = (0,), 1
        bands = mel_bands.bands(graph, spectrum.magnitude(graph, bins), features, 1.0)
    else:
        shifts, exponent = spectrum.POWER_SHIFTS, 2
        # power gives half of |X|^2
        scales = [mel_bands.bands(graph, spectrum.power(graph, bins, shift), features, 2.0 * 2**shift, spectrum.rounding_bias(shift))
                  for shift in shifts]
        bands = graph.concatenate(scales, 1)
    graph.stage = "log"
    level = logarithm.level(graph, steps, mel_bands.band_bounds(features), shifts, exponent)
    log_mel = graph.add(logarithm.logarithm(graph, bands, shifts), level)
    if floor or features.kind == "mfcc":
        lowest = np.full((1, 1, 1, 1), round(np.log(features.log_floor) / logarithm.LOG_SCALE))
        log_mel = graph.maximum(log_mel, graph.constant(lowest, logarithm.LOG_SCALE, "floor"))
    return cosine.cosine_transform(graph, log_mel, features) if features.kind == "mfcc" else log_mel


def build_clip_front_end(graph, pcm, features, *, floor=True):
    """The front end of a whole clip, or of a single window: build_front_end behind framing.frame.

    Args:
        graph: Graph. pcm: Tensor [1, samples] with scale framing.PCM_SCALE. features, floor: see build_front_end.

    Returns:
        Tensor [1, features.n_frames(samples), n_features, 1].
    """
    return build_front_end(graph, framing.frame(graph, pcm, features, dft.plan(features).columns), features, floor=floor)
