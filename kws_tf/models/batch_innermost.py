"""BC-ResNet computed in the layout (channels, frequency, time, batch): the fast way to train on a CPU.

The frameworks' depthwise convolutions use a small part of a CPU. With the clips innermost every layer is one matrix product:
a pointwise convolution directly, a depthwise one with a banded matrix that repeats its taps. Each norm works on contiguous rows.
The variables are those of the ordinary layers, so checkpoints and exported graphs know nothing of this layout.
"""

import numpy as np
from keras import ops

from kws_tf.errors import ConfigError
from kws_tf.models.bc_resnet import BCResNet


def supports(model):
    """Whether batch_innermost() can compute this network: a built BCResNet, not in half precision."""
    return isinstance(model, BCResNet) and model.built and model.compute_dtype in ("float32", "float64")


def batch_innermost(model):
    """A function that computes a network as calling it does, with the batch as the innermost axis.

    Outputs, gradients, moving statistics and dropout masks are those of model(features, training), up to rounding. Meant for
    tf.function on a CPU, without XLA. The banded matrices over time have frames^2 entries per channel: made for clips of seconds.

    Args:
        model: BCResNet, built, float32 (or float64).

    Returns:
        f(features [batch, time, frequency, 1], training=False, last_frames=None) -> logits [batch, classes]; time must be known.
        last_frames: frames at the end that the mean over time covers, None for all.

    Raises:
        ConfigError: another network or dtype.

    Example:
        >>> logits = batch_innermost(model)(features, training=True)
    """
    if not supports(model):
        raise ConfigError(f"batch_innermost: expected a built BCResNet in float32; received {type(model).__name__} "
                          f"(dtype {model.compute_dtype}). Use --layout=channels_last.")

    def forward(features, training=False, last_frames=None):
        x = ops.transpose(ops.squeeze(ops.cast(features, model.compute_dtype), axis=3), (2, 1, 0))
        x = ops.relu(_norm(model.stem_norm, _stem(model, x), training))
        for block in model.blocks:
            x = _block(block, x, training)
        x = _norm(model.head_norm, _pointwise(model.head_pointwise, _head(model, x)), training)
        first = 0 if last_frames is None else x.shape[2] - last_frames
        return model.classifier(ops.transpose(ops.mean(ops.relu(x[:, :, first:]), axis=(1, 2))), training=training)

    return forward


@ops.custom_gradient
def _normalized(x, mean, inverse_deviation, gamma, beta):
    """gamma * (x - mean) / deviation + beta for each row of x [rows, n], where mean and deviation are those of the row itself.

    The gradient for x includes the way through both statistics. It is written as one product with dy and one with x: passes
    over memory are what this layer costs.
    """
    scale = gamma * inverse_deviation

    def gradient(*args, upstream=None):
        dy = args[0] if upstream is None else upstream
        n = ops.cast(ops.shape(x)[1], x.dtype)
        d_beta = ops.sum(dy, axis=1)
        d_gamma = (ops.sum(dy * x, axis=1) - mean * d_beta) * inverse_deviation
        slope = -scale * inverse_deviation * d_gamma / n
        offset = -scale * d_beta / n - slope * mean
        dx = dy * scale[:, None] + (x * slope[:, None] + offset[:, None])
        return dx, ops.zeros_like(mean), ops.zeros_like(mean), d_gamma, d_beta

    return x * scale[:, None] + (beta - mean * scale)[:, None], gradient


def _norm(layer, x, training):
    """BatchNormalization or SubSpectralNormalization over x [channels, rows, time, batch]: each band of rows is contiguous."""
    bands = ops.reshape(x, (layer.gamma.shape[-1] * getattr(layer, "groups", 1), -1))
    gamma, beta, mean, variance = (ops.reshape(ops.transpose(weight), (-1,)) for weight in (
        layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance))
    if training and layer.trainable:
        mean, variance = ops.moments(ops.stop_gradient(bands), axes=1)
        for moving, batch in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            own_shape = ops.reshape(ops.transpose(ops.reshape(batch, (layer.gamma.shape[-1], -1))), moving.shape)
            moving.assign(moving * layer.momentum + own_shape * (1.0 - layer.momentum))
        y = _normalized(bands, mean, ops.rsqrt(variance + layer.epsilon), gamma, beta)
    else:
        scale = gamma * ops.rsqrt(variance + layer.epsilon)
        y = bands * scale[:, None] + (beta - mean * scale)[:, None]
    return ops.reshape(y, (*x.shape[:3], -1))


def _taps(n_taps, n_in, n_out, stride=1, dilation=1, before=0):
    """Constant [taps, n_out, n_in]: 1 where a tap of output o meets input o * stride + tap * dilation - before."""
    ones = np.zeros((n_taps, n_out, n_in), np.float32)
    for tap in range(n_taps):
        source = np.arange(n_out) * stride + tap * dilation - before
        inside = np.flatnonzero((source >= 0) & (source < n_in))
        ones[tap, inside, source[inside]] = 1
    return ones


def _banded(kernel, taps):
    """Banded matrices [..., n_out, n_in] of the kernels [..., taps]; the gradient falls back to the taps."""
    n_taps, n_out, n_in = taps.shape
    return ops.reshape(ops.matmul(kernel, ops.cast(taps.reshape(n_taps, -1), kernel.dtype)), (*kernel.shape[:-1], n_out, n_in))


def _time_taps(padding, frames):
    """The taps over time of the convolution behind a TemporalPadding."""
    return _taps(padding.kernel_frames, frames, frames, dilation=padding.dilation, before=padding.state_frames - padding.lookahead_frames)


def _stem(model, x):
    """The 5x5 convolution of x [rows, time, batch]: rows are banded, the time taps are stacked below each other."""
    rows, frames, _ = x.shape
    padding, kernel = model.stem_padding, model.stem_conv.kernel
    taps, stride = kernel.shape[0], model.stem_conv.strides[1]
    rows_out, channels = -(-rows // stride), kernel.shape[-1]
    after = padding.lookahead_frames
    padded = ops.pad(x, ((0, 0), (padding.state_frames - after, after), (0, 0)))
    stacked = ops.concatenate([padded[:, tap:tap + frames] for tap in range(taps)], axis=0)
    band = _banded(ops.transpose(kernel[:, :, 0], (2, 0, 1)), _taps(kernel.shape[1], rows, rows_out, stride, before=padding.rows))
    matrix = ops.reshape(ops.transpose(band, (0, 2, 1, 3)), (channels * rows_out, taps * rows))
    return ops.reshape(ops.matmul(matrix, ops.reshape(stacked, (taps * rows, -1))), (channels, rows_out, frames, -1))


def _pointwise(layer, x):
    channels, rows, frames, _ = x.shape
    y = ops.matmul(ops.transpose(layer.kernel[0, 0]), ops.reshape(x, (channels, -1)))
    return ops.reshape(y, (layer.kernel.shape[-1], rows, frames, -1))


def _block(block, x, training):
    shortcut = x
    if block.transition:
        x = ops.relu(_norm(block.transition_norm, _pointwise(block.transition_conv, x), training))
    channels, rows, frames, _ = x.shape
    rows_out = -(-rows // block.stride)
    taps = _taps(block.frequency_conv.kernel_rows, rows, rows_out, block.stride, before=block.frequency_conv.kernel_rows // 2)
    band = _banded(ops.transpose(block.frequency_conv.kernel[0, :, :, 0]), taps)
    y = ops.reshape(ops.matmul(band, ops.reshape(x, (channels, rows, -1))), (channels, rows_out, frames, -1))
    y = _norm(block.frequency_norm, y, training)
    pooled = _time_branch(block, ops.mean(y, axis=1), training)
    return ops.relu((y if block.transition else y + shortcut) + pooled)


def _time_branch(block, pooled, training):
    """What a block adds to every row: from pooled [channels, time, batch] to [channels, 1, time, batch]."""
    channels, frames, _ = pooled.shape
    band = _banded(ops.transpose(block.temporal_conv.kernel[:, 0, :, 0]), _time_taps(block.temporal_padding, frames))
    pooled = ops.silu(_norm(block.temporal_norm, ops.expand_dims(ops.matmul(band, pooled), 1), training))
    pooled = _pointwise(block.pointwise_conv, pooled)
    if training and block.dropout_rate:
        # The layer's own draw on ones: the same seeds and the same masks as in the ordinary layout.
        mask = block.dropout(ops.ones((ops.shape(pooled)[3], 1, 1, channels), pooled.dtype), training=True)
        pooled = pooled * ops.transpose(mask, (3, 1, 2, 0))
    return pooled


def _head(model, x):
    """The depthwise convolution over rows and frames: banded over time, its rows side by side."""
    channels, rows, frames, _ = x.shape
    kernel = ops.transpose(model.head_depthwise.kernel[..., 0], (2, 1, 0))
    kernel_rows = kernel.shape[1]
    band = _banded(kernel, _time_taps(model.head_padding, frames))
    matrix = ops.reshape(ops.transpose(band, (0, 2, 1, 3)), (channels, frames, kernel_rows * frames))
    return ops.stack([ops.matmul(matrix, ops.reshape(x[:, row:row + kernel_rows], (channels, kernel_rows * frames, -1)))
                      for row in range(rows - kernel_rows + 1)], axis=1)
