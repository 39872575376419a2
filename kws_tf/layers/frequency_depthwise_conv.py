"""Depthwise convolution over frequency with PyTorch's padding."""

import keras
from keras import ops

from kws_tf.errors import ConfigError


@keras.saving.register_keras_serializable(package="kws_tf")
class FrequencyDepthwiseConv(keras.layers.Layer):
    """One kernel of `kernel_rows` taps per channel, slid along frequency; frames are independent; no bias.

    Both ends of the frequency axis are padded with kernel_rows // 2 zero rows, at any stride. TensorFlow's "same" padding
    differs from that at stride 2 on an even number of rows: it samples rows 1, 3, 5, ... instead of 0, 2, 4, ...

    Args:
        kernel_rows: taps, odd, default 3.
        stride: frequency rows per output row, default 1.
        kernel_initializer: of the kernel [1, kernel_rows, channels, 1], the shape that DepthwiseConv2D has.

    Input shape:
        [batch, time, frequency, channels], frequency and channels known.

    Output shape:
        [batch, time, ceil(frequency / stride), channels]

    Raises:
        ConfigError: an even or non-positive kernel, or a stride below 1.

    Example:
        >>> FrequencyDepthwiseConv(stride=2)(features)                   # [8, 101, 20, 16] -> [8, 101, 10, 16]
    """

    def __init__(self, kernel_rows=3, stride=1, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        if not isinstance(kernel_rows, int) or kernel_rows < 1 or kernel_rows % 2 == 0:
            raise ConfigError(f"FrequencyDepthwiseConv: kernel_rows must be an odd whole number; received {kernel_rows!r}.")
        if not isinstance(stride, int) or stride < 1:
            raise ConfigError(f"FrequencyDepthwiseConv: stride must be a whole number, at least 1; received {stride!r}.")
        self.kernel_rows = kernel_rows
        self.stride = stride
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(1, self.kernel_rows, input_shape[-1], 1), name="kernel",
                                      initializer=self.kernel_initializer)

    def call(self, inputs):
        if self.stride == 1:
            return ops.depthwise_conv(inputs, self.kernel, strides=1, padding="same", data_format="channels_last")
        # TensorFlow refuses unequal strides unless oneDNN is on, so each frame becomes an image of height 1 and takes the
        # stride on both axes.
        _, time, rows, channels = inputs.shape
        edge = self.kernel_rows // 2
        frames = ops.pad(ops.reshape(inputs, (-1, 1, rows, channels)), ((0, 0), (0, 0), (edge, edge), (0, 0)))
        frames = ops.depthwise_conv(frames, self.kernel, strides=self.stride, padding="valid", data_format="channels_last")
        time = ops.shape(inputs)[1] if time is None else time
        return ops.reshape(frames, (-1, time, frames.shape[2], channels))

    def compute_output_shape(self, input_shape):
        batch, time, rows, channels = input_shape
        return (batch, time, -(-rows // self.stride), channels)

    def get_config(self):
        return {**super().get_config(), "kernel_rows": self.kernel_rows, "stride": self.stride,
                "kernel_initializer": keras.initializers.serialize(self.kernel_initializer)}
