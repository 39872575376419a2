"""The operations of a plan, run on the next frames."""

from keras import ops

from kws_tf.errors import ConversionError
from kws_tf.streaming.forms import AfterMean, EachFrame
from kws_tf.streaming.operations import operations
from kws_tf.streaming.plan import INPUT_DELAY


class FrameNetwork:
    """A network without its mean over time: from frames to one value per frame.

    The values are scores if what follows the mean is linear, else what goes into the mean.

    Args:
        model: built keras.Model.
        row_shape: of one frame of the features, (frequency, 1).
        plan: plan.Plan of the model.
    """

    def __init__(self, model, row_shape, plan):
        self.model = model
        self.row_shape = row_shape
        self.plan = plan
        self._listed = {}

    def operations(self, n_frames):
        """The operations for steps of n frames; listed once."""
        if n_frames not in self._listed:
            network = operations(self.model, (n_frames, *self.row_shape))
            if tuple(call.path for call in network.calls) != self.plan.paths:
                raise ConversionError(f"{self.model.name}: call() does other things with {n_frames} frames than with a long recording.")
            self._listed[n_frames] = network
        return self._listed[n_frames]

    @property
    def n_scores(self):
        """Classes."""
        return self.operations(self.plan.rate).output.shape[-1]

    @property
    def value_shape(self):
        """Shape of the value of one frame."""
        return tuple(self.operations(self.plan.rate).output.shape[1:]) if self.plan.affine else self.plan.averaged_shape

    def values(self, frames, memory):
        """Runs a step.

        Args:
            frames: [batch, n, frequency, 1].
            memory: memory.Memory; its `after` is filled.

        Returns:
            [batch, n / rate, *value_shape].
        """
        network = self.operations(frames.shape[1])
        known = {id(network.input): memory.delayed(INPUT_DELAY, frames) if self.plan.input_delay else frames}
        for call, form in zip(network.calls, self.plan.forms, strict=True):
            if not isinstance(form, AfterMean):
                results = form.run(call, [known[id(tensor)] for tensor in call.inputs], memory)
                known.update(zip(map(id, call.outputs), results, strict=True))
        rows = self._behind_mean(network, known) if self.plan.affine else known[id(self._mean(network))]
        return ops.reshape(rows, (-1, frames.shape[1] // self.plan.rate, *self.value_shape))

    def scores(self, means):
        """The scores of means of values.

        Args:
            means: [batch, frames, *value_shape].

        Returns:
            [batch, frames, classes].
        """
        if self.plan.affine:
            return means
        network = self.operations(self.plan.rate)
        rows = self._behind_mean(network, {id(self._mean(network)): ops.reshape(means, (-1, *self.value_shape))})
        return ops.reshape(rows, (-1, means.shape[1], *rows.shape[1:]))

    def _mean(self, network):
        """The output of the mean over time; where it is needed there is only one."""
        return next(call.outputs[0] for call, form in zip(network.calls, self.plan.forms, strict=True) if isinstance(form, EachFrame))

    def _behind_mean(self, network, known):
        for call, form in zip(network.calls, self.plan.forms, strict=True):
            if isinstance(form, AfterMean):
                known.update(zip(map(id, call.outputs), call.run([known[id(tensor)] for tensor in call.inputs]), strict=True))
        return known[id(network.output)]
