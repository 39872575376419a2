"""Rounds the weights of a layer so that its output, not every single weight, comes out as close as possible."""

import numpy as np
import tensorflow as tf

from kws_tf.tflite.executor import PADDINGS, real

LARGEST = 127
# A coarser scale may meet the heaviest weights better: these multiples of the finest scale are tried.
SCALE_STEPS = np.linspace(1, 4 / 3, 17)
SWEEPS = 4
SAMPLES = 20000
# Share of the mean variance that every input is given on top, so that weights of inputs that never varied stay close to themselves.
RIDGE = 1e-2


def refine_weights(node, twin, x, fixed_scale=False):
    """Rounds the weights of one layer anew, for the inputs that it really gets.

    Args:
        node: Node of the float graph.
        twin: the same of its int8 form; weights and bias change in place, and with them their scales.
        x: float [clips, ...], real values of the input of `twin`.
        fixed_scale: whether the scale must stay, because other nodes have it too.
    """
    weights, bias = twin.inputs[1:3]
    # Nothing to gain where integers meet every weight, as those of a mean over time do; its many taps would take minutes.
    if np.allclose(real(weights), node.inputs[1].data, rtol=1e-6, atol=0):
        return
    rows = as_rows(node, node.inputs[1].data)
    shared = len(weights.scales) == 1
    integers, scales = round_weights(rows, input_covariance(twin, x), np.broadcast_to(weights.scales, len(rows)), shared,
                                     SCALE_STEPS[:1] if fixed_scale else SCALE_STEPS)
    weights.data, weights.scales = from_rows(twin, integers, weights.shape), scales[:1] if shared else scales
    real_bias = bias.data * bias.scales.astype(np.float64)
    bias.scales = (twin.inputs[0].scales[0] * weights.scales).astype(np.float32)
    bias.data = np.rint(real_bias / bias.scales).astype(np.int32)


def round_weights(weights, covariance, scales, shared=False, steps=SCALE_STEPS):
    """Integer weights whose error, seen through inputs of a given covariance, is smallest.

    The error of an output is (scale q - w) x. Its variance, e' C e with e = scale q - w and the covariance C of x, is lowered by
    moving one integer q at a time to its best value given all others, for several scales; that of the mean is left to the bias.
    The idea is that of Nagel, Amjad, van Baalen, Louizos, Blankevoort: "Up or Down? Adaptive Rounding for Post-Training
    Quantization", ICML 2020, in closed form.

    Args:
        weights: float [outputs, taps]. covariance: float [outputs, taps, taps].
        scales: float32 [outputs], the finest scale that holds every weight.
        shared: whether all outputs have one scale. steps: multiples of it to try.

    Returns:
        (int8 [outputs, taps], float32 [outputs]).
    """
    weights = weights.astype(np.float64)
    mean = np.einsum("oii->o", covariance) / covariance.shape[1]
    covariance = covariance + RIDGE * np.maximum(mean, 1e-12)[:, None, None] * np.eye(covariance.shape[1])
    best = None
    for step in steps:
        candidate = (scales * np.float32(step)).astype(np.float32)
        integers, errors = _descend(weights, covariance, candidate.astype(np.float64)[:, None])
        if shared:
            errors = np.full_like(errors, errors.sum())
        if best is None:
            best = integers, candidate, errors
            continue
        better = errors < best[2]
        best = (np.where(better[:, None], integers, best[0]), np.where(better, candidate, best[1]), np.where(better, errors, best[2]))
    return best[0].astype(np.int8), best[1]


def _descend(weights, covariance, scales):
    integers = np.clip(np.rint(weights / scales), -LARGEST, LARGEST)
    curvature = np.einsum("oii->oi", covariance)
    used = np.flatnonzero(weights.any(0))                                  # an input without weight stays without: others rely on it
    for _ in range(SWEEPS):
        before = integers.copy()
        for tap in used:
            error = integers * scales - weights
            slope = np.einsum("oi,oi->o", covariance[:, tap], error) / curvature[:, tap]
            integers[:, tap] = np.clip(np.rint(integers[:, tap] - slope / scales[:, 0]), -LARGEST, LARGEST)
        if np.array_equal(before, integers):
            break
    error = integers * scales - weights
    return integers, np.einsum("oi,oij,oj->o", error, covariance, error)


def input_covariance(node, x):
    """Covariance of the inputs that every output of a convolution or matrix product sums over.

    Args:
        node: Node; its weights may be real or quantised.
        x: float [clips, ...], the real values of its input.

    Returns:
        float64 [outputs, taps, taps], taps in the order of as_rows.
    """
    weights = real(node.inputs[1])
    if node.operator == "FULLY_CONNECTED":
        return np.broadcast_to(_covariance(np.reshape(x, (1, -1, weights.shape[1]))), (len(weights), *2 * weights.shape[1:]))
    options = node.options
    patches = tf.image.extract_patches(x, (1, *weights.shape[1:3], 1), (1, options.strideH, options.strideW, 1),
                                       (1, options.dilationHFactor, options.dilationWFactor, 1), PADDINGS[options.padding]).numpy()
    if node.operator == "CONV_2D":
        rows = patches.reshape(1, -1, patches.shape[-1])
        return np.broadcast_to(_covariance(rows), (len(weights), *2 * rows.shape[2:]))
    rows = patches.reshape(-1, np.prod(weights.shape[1:3]), x.shape[-1]).transpose(2, 0, 1)
    return np.repeat(_covariance(rows), weights.shape[3] // x.shape[-1], axis=0)


def as_rows(node, weights):
    """The weights of a node as [outputs, taps]."""
    return weights[0].reshape(-1, weights.shape[3]).T if node.operator == "DEPTHWISE_CONV_2D" else weights.reshape(len(weights), -1)


def from_rows(node, rows, shape):
    """The inverse of as_rows."""
    return (rows.T if node.operator == "DEPTHWISE_CONV_2D" else rows).reshape(shape)


def _covariance(rows):
    """[groups, samples, taps] -> float64 [groups, taps, taps]."""
    rows = rows[:, ::max(1, rows.shape[1] // SAMPLES)]
    centred = rows - rows.mean(1, keepdims=True, dtype=np.float64).astype(np.float32)
    return (np.swapaxes(centred, 1, 2) @ centred).astype(np.float64) / rows.shape[1]
