"""Stochastic gradient descent as PyTorch computes it."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kws_tf")
class CoupledSGD(keras.optimizers.Optimizer):
    """Momentum SGD with weight decay coupled into the gradient: the update of torch.optim.SGD, which the published recipe uses.

        v = momentum * v + gradient + decay * w
        w = w - learning_rate * v

    It differs from keras.optimizers.SGD in two ways that matter. The decay passes through the momentum instead of being applied
    beside it, and v holds gradients instead of steps, so that a change of the learning rate acts on the whole of v at once.
    The decay acts on every trainable weight, normalisation scales and biases included.

    Args:
        learning_rate: default 0.1.
        momentum: default 0.9.
        decay: L2 decay, default 1e-3. (weight_decay of Keras optimizers is the decoupled kind and is not accepted.)

    Example:
        >>> model.compile(CoupledSGD(learning_rate=0.1), loss, jit_compile=False)
    """

    def __init__(self, learning_rate=0.1, momentum=0.9, decay=1e-3, name="coupled_sgd"):
        super().__init__(learning_rate=learning_rate, name=name)
        self.momentum = momentum
        self.decay = decay

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(self, gradient, variable, learning_rate):
        velocity = self.velocities[self._get_variable_index(variable)]
        gradient = ops.cast(gradient, variable.dtype)
        # Written with subtractions: TensorFlow's graph optimiser gathers a tree of additions into one sum whose order changes from
        # process to process, and equal seeds would no longer give equal weights.
        self.assign(velocity, self.momentum * velocity - (-self.decay * variable - gradient))
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * velocity)

    def get_config(self):
        config = super().get_config()
        kept = {name: config[name] for name in ("name", "learning_rate")}
        return {**kept, "momentum": self.momentum, "decay": self.decay}
