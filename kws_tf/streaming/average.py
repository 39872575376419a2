"""Means of the scores over time, one for every new frame."""

import numpy as np
from keras import ops

from kws_tf.streaming.memory import StateTensor


class WindowMean:
    """The mean over the last `window` frames, or over all since the reset while there are fewer; exact, and recomputed every time, so
    that nothing drifts.

    The state is a ring of the values of the last frames, and one bit per frame that tells whether it counts.

    Args:
        window: frames.
        shape: of the values of one frame.
    """

    def __init__(self, window, shape):
        self.window = window
        self.shape = tuple(shape)
        self.state = (StateTensor("average/values", (window, *self.shape), "float32", "average"),
                      StateTensor("average/counted", (window,), "float32", "average"))

    def __call__(self, values, valid, memory):
        """Args:
            values: float32 [batch, frames, *shape].
            valid: float32 [batch, frames], 0 for frames that do not count.
            memory: memory.Memory.

        Returns:
            [batch, frames, *shape]; zeros where nothing counts yet.
        """
        frames = values.shape[1]
        values = ops.reshape(values, (-1, frames, int(np.prod(self.shape)))) * valid[:, :, None]
        ring, counted = (memory.before[spec.name] for spec in self.state)
        values = ops.concatenate([ops.reshape(ring, (-1, self.window, values.shape[2])), values], axis=1)
        counted = ops.concatenate([counted, valid], axis=1)
        memory.after[self.state[0].name] = ops.reshape(values[:, frames:], (-1, self.window, *self.shape))
        memory.after[self.state[1].name] = counted[:, frames:]
        # Pooling gives the sums over all windows at once, divided by the window.
        sums, counts = (ops.average_pool(line[:, 1:], self.window, strides=1, data_format="channels_last")
                        for line in (values, counted[:, :, None]))
        return ops.reshape(sums / ops.maximum(counts, 0.5 / self.window), (-1, frames, *self.shape))


class ExponentialMean:
    """A mean in which a frame counts 1 - 1/n times as much as the next one; not what the offline network computes.

    The weights of all frames since the reset add up to 1 from the first frame on. Its state is one value per score, where a WindowMean
    keeps a window of them. Frames are as old on average as in a window of 2n - 1 frames.

    Args:
        window: frames of the WindowMean in whose place it is used; n = (window + 1) / 2.
        shape: of the values of one frame.
    """

    def __init__(self, window, shape):
        self.shape = tuple(shape)
        self.decay = 1 - 2 / (window + 1)
        self.state = (StateTensor("average/values", self.shape, "float32", "average"),
                      StateTensor("average/counted", (1,), "float32", "average"))

    def __call__(self, values, valid, memory):
        """Args, Returns: as WindowMean."""
        frames, size = values.shape[1], int(np.prod(self.shape))
        new = ops.concatenate([ops.reshape(values, (-1, frames, size)) * valid[:, :, None], valid[:, :, None]], axis=2)
        old = ops.concatenate([ops.reshape(memory.before[self.state[0].name], (-1, size)), memory.before[self.state[1].name]], axis=1)
        ages = np.arange(frames)[:, None] - np.arange(frames)
        share = np.where(ages >= 0, (1 - self.decay) * self.decay ** np.maximum(ages, 0), 0).astype(np.float32)
        kept = (self.decay ** (1 + np.arange(frames))).astype(np.float32)
        sums = ops.matmul(ops.convert_to_tensor(share), new) + kept[None, :, None] * old[:, None]
        memory.after[self.state[0].name] = ops.reshape(sums[:, -1, :size], (-1, *self.shape))
        memory.after[self.state[1].name] = sums[:, -1, size:]
        return ops.reshape(sums[:, :, :size] / ops.maximum(sums[:, :, size:], 1e-12), (-1, frames, *self.shape))
