"""Numeric proofs that an operation may be part of a stream: what it computes on random frames tells, not what it is called.

Every check runs the operation on random inputs, inside random_weights(), where no weight is near zero and so no tap can hide.
"""

import contextlib
import math

import keras
import numpy as np

TOLERANCE = 1e-4


@contextlib.contextmanager
def random_weights(model, rng):
    """Within the context every floating-point weight of a model reads as drawn from U(0.5, 1.5); the model itself is not touched."""
    weights = [weight for weight in model.variables if "float" in keras.backend.standardize_dtype(weight.dtype)]
    draws = [(weight, rng.uniform(0.5, 1.5, weight.shape).astype(np.float32)) for weight in weights]
    with keras.StatelessScope(state_mapping=draws):
        yield


def is_frame_wise(call, stride, rng):
    """Whether an operation does the same to every frame, at any length of its input.

    With a stride r and T_in, T_out frames, frame j of the output may depend on frames j * r to j * r + span of the input,
    span = T_in - 1 - (T_out - 1) * r: what a convolution without padding does. Then a piece of the input gives a piece of the output.

    Args:
        call: operations.Call; all inputs have the same number of frames.
        stride: input frames per output frame.
        rng: numpy Generator.
    """
    frames = call.inputs[0].shape[1]
    cut, shift = frames // 2 // stride * stride, 2 * stride
    first, second = ([_random(tensor, rng) for tensor in call.inputs] for _ in range(2))
    crossed = [np.concatenate([a[:, :cut], b[:, cut:]], axis=1) for a, b in zip(first, second, strict=True)]
    rolled = [np.roll(a, shift, axis=1) for a in first]
    variants = [np.concatenate(values) for values in zip(first, second, crossed, rolled, strict=True)]
    for result in call.run(variants):
        first, second, crossed, rolled = _numpy(result)
        starts = np.arange(len(first)) * stride
        ends = starts + frames - 1 - starts[-1]
        before, after, whole = ends < cut, starts >= cut, np.flatnonzero(ends < frames - shift)
        if not (_same(crossed[before], first[before]) and _same(crossed[after], second[after])
                and _same(rolled[whole + shift // stride], first[whole])):
            return False
    return True


def is_time_mean(call, rng):
    """Whether an operation with one input gives the mean over the frames of what it gives for every frame alone."""
    if len(call.inputs) != 1 or len(call.outputs) != 1:
        return False
    value = _random(call.inputs[0], rng)
    if math.prod(call.outputs[0].shape[1:]) > math.prod(value.shape[2:]):
        return False
    whole, = call.run([value])
    try:
        each, = call.run([np.reshape(value, (-1, 1, *value.shape[2:]))])
    except Exception:
        # What needs several frames is no mean; each backend has an error of its own for it.
        return False
    whole, each = _numpy(whole), _numpy(each)
    return whole.shape == (1, *each.shape[1:]) and each.shape[0] == value.shape[1] and _same(whole[0], each.mean(axis=0))


def steps_equal_call(call, rng):
    """Whether a StreamingLayer, stepped through pieces of a recording, gives what its call() gives for all of it."""
    layer, value = call.operation, _random(call.inputs[0], rng)
    whole = _numpy(call.run([value])[0])
    extra, late = whole.shape[1] - value.shape[1], layer.lookahead_frames
    state = np.zeros((1, *layer.state_shape(value.shape)), np.float32)
    start = 0
    for end in (1, 3, value.shape[1] // 2, value.shape[1]):
        outputs, state = layer.step(value[:, start:end], state)
        outputs = _numpy(outputs)
        if outputs.shape[1] != end - start + extra:
            return False
        known = max(late - start, 0)
        if not _same(outputs[:, known:], whole[:, start + known - late:end - late + extra]):
            return False
        start = end
    return True


def commutes_with_mean(function, shapes, rng):
    """Whether a function of one row per frame gives for the mean row the mean of its results: whether it is affine.

    Args:
        function: takes arrays [rows, ...], returns [rows, ...].
        shapes: of the arrays, without the rows.
        rng: numpy Generator.
    """
    rows = [rng.normal(size=(16, *shape)).astype(np.float32) for shape in shapes]
    each, mean = _numpy(function(rows)), _numpy(function([row.mean(axis=0, keepdims=True) for row in rows]))
    return _same(each.mean(axis=0), mean[0])


def _random(tensor, rng):
    return rng.normal(size=(1, *tensor.shape[1:])).astype(np.float32)


def _numpy(value):
    return keras.ops.convert_to_numpy(value).astype(np.float32)


def _same(a, b):
    return a.shape == b.shape and np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE * max(1.0, np.abs(b).max(initial=0.0)))
