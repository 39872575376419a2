"""The graph that is built once and computed often."""

import numpy as np

from kws_tf.front_end.graph import Graph, Tensor
from kws_tf.front_end.numpy_kernels import bind


class NumpyProgram(Graph):
    """Remembers the operators, prepared, for one input of a fixed shape.

    Args:
        shape: of the int16 input. scale: of the input.

    Attributes:
        source: Tensor of the input. output: Tensor of the last operator.

    Example:
        program = NumpyProgram((1, 2), 1.0)
        program.absolute(program.source)
        program(np.array([[-3, 4]], np.int16))                       # [[3, 4]], int16
    """

    def __init__(self, shape, scale):
        super().__init__()
        self._values, self._steps, self._last_reader = [None], [], {}
        self.source = self.output = Tensor(tuple(shape), scale, 0)

    def constant(self, values, scale, name):
        values = np.asarray(values).astype(np.int16)
        self._values.append(values)
        return Tensor(values.shape, scale, len(self._values) - 1, values)

    def apply(self, operator, name, inputs, shape, scale, **options):
        self._values.append(None)
        self._steps.append((bind(operator, inputs, shape, **options), [tensor.value for tensor in inputs], len(self._values) - 1))
        for tensor in inputs:
            self._last_reader[tensor.value] = len(self._steps) - 1
        self.output = Tensor(shape, scale, len(self._values) - 1, zero_point=options.get("zero_point", 0))
        return self.output

    def __call__(self, values):
        """The output for an input of the shape that it was built for."""
        known = [values, *self._values[1:]]
        for index, (function, inputs, output) in enumerate(self._steps):
            known[output] = function(*(known[slot] for slot in inputs))
            for slot in inputs:
                if self._last_reader[slot] == index:
                    known[slot] = None  # memory that is freed early is still in the cache of the processor when it is used again
        return known[self.output.value]
