"""The graph that computes as it is built."""

import numpy as np

from kws_tf.front_end.graph import Graph, Tensor
from kws_tf.front_end.numpy_kernels import bind


class NumpyGraph(Graph):
    """Computes every operator the moment it is added.

    Args:
        keep: remember every result in `results`.

    Attributes:
        results: name of the operator -> its output array, in order; empty without keep.

    Example:
        graph = NumpyGraph()
        y = graph.absolute(graph.input(np.array([[-3, 4]], np.int16), 1.0))
        y.value                                                      # [[3, 4]], int16
    """

    def __init__(self, keep=False):
        super().__init__()
        self._keep = keep
        self.results = {}

    def input(self, values, scale):
        """An int16 array as a Tensor."""
        return Tensor(values.shape, scale, values)

    def constant(self, values, scale, name):
        values = np.asarray(values).astype(np.int16)
        return Tensor(values.shape, scale, values, values)

    def apply(self, operator, name, inputs, shape, scale, **options):
        result = bind(operator, inputs, shape, **options)(*(tensor.value for tensor in inputs))
        if self._keep:
            self.results[name] = result
        return Tensor(shape, scale, result, zero_point=options.get("zero_point", 0))
