"""The prototypes in the file of an ArcFace model: reads them, adds one, and computes embeddings with the file itself."""

import numpy as np

from kws_tf.errors import ModelFileError
from kws_tf.runtime.interpreter import AUTO, open_interpreter
from kws_tf.runtime.model import Model
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.executor import real
from kws_tf.tflite.nodes import reshape


class Embedder:
    """Unit embeddings of clips, by an interpreter that runs the file up to its L2_NORMALIZATION.

    Args:
        manifest: Manifest of a clip model with an ArcFace head. content: the checked bytes of its file.
        interpreter, kernels: see runtime.load_model.

    Raises:
        ModelFileError: the file has no ArcFace head, or is no clip model.

    Example:
        >>> Embedder(*model_file.read("runs/words/export/pi"))(pcm).shape
        (32,)
    """

    def __init__(self, manifest, content, *, interpreter=None, kernels=AUTO):
        if manifest.kind != "clip":
            raise ModelFileError(f"a {manifest.kind} model scores no single clips; give the clip file of the same run.")
        graph = flatbuffer.read(content)
        normalisation, _ = find_head(graph)
        self._model = Model(manifest, content, interpreter=interpreter, kernels=kernels)
        cut = flatbuffer.Graph(graph.nodes[:graph.nodes.index(normalisation) + 1], graph.inputs, [normalisation.output])
        _, self._interpreter = open_interpreter(flatbuffer.write(cut), interpreter=self._model.interpreter_name,
                                                kernels=self._model.kernels)
        self.fit = self._model.fit

    def __call__(self, pcm):
        """Args:
            pcm: int16 [samples]; cut or padded as the model's evaluation does.

        Returns:
            float64 [embedding], of length 1; zeros where the network gives zeros.
        """
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], self._model.input_tensor(self.fit(pcm)[0]))
        self._interpreter.invoke()
        # The scale does not matter to a direction, and the zero point of L2_NORMALIZATION is 0.
        return unit(self._interpreter.get_tensor(self._interpreter.get_output_details()[0]["index"]).reshape(-1))


def unit(vector):
    """A vector divided by its length; zeros stay zeros."""
    vector = np.asarray(vector, np.float64)
    return vector / max(np.linalg.norm(vector), 1e-12)


def find_head(graph):
    """(L2_NORMALIZATION node, node of the cosines) at the end of the graph of an ArcFace model.

    The cosines are a FULLY_CONNECTED in a float32 file, and a CONV_2D of one tap ahead of a RESHAPE in an integer file.

    Raises:
        ModelFileError: the graph ends in something else.
    """
    product = graph.producer(graph.outputs[0])
    if product is not None and product.operator == "RESHAPE":
        product = graph.producer(product.inputs[0])
    linear = product is not None and (product.operator == "FULLY_CONNECTED" or
                                      product.operator == "CONV_2D" and product.inputs[1].shape[1:3] == (1, 1))
    normalisation = graph.producer(product.inputs[0]) if linear else None
    if normalisation is None or normalisation.operator != "L2_NORMALIZATION":
        raise ModelFileError("not an ArcFace model: the scores of its file are not cosines with prototypes, so a class needs training. "
                             "Train with --arcface and export again.")
    return normalisation, product


def prototypes(content):
    """The prototypes of a file: float64 [classes, embedding], each of length 1 up to the rounding of the file, in order of the labels."""
    weights = _rows(find_head(flatbuffer.read(content))[1].inputs[1])
    return weights / np.linalg.norm(weights, axis=1, keepdims=True)


def with_prototype(content, prototype, index=None):
    """A file with one more class, or with another prototype for one; every other byte of weights stays as it is.

    In an integer file the weights have one scale, that of a vector of full length (quantise.prototype_length), and the scores that of
    a cosine of 1, so any unit vector fits the grids that are there.

    Args:
        content: bytes of a TFLite file with an ArcFace head. prototype: [embedding], of any length but 0.
        index: class to replace; None adds one at the end.

    Returns:
        bytes.

    Raises:
        ModelFileError: no ArcFace head, or a prototype of another size.
    """
    graph = flatbuffer.read(content)
    _, product = find_head(graph)
    weights, bias = product.inputs[1], product.inputs[2] if len(product.inputs) > 2 else None
    lengths, size = np.linalg.norm(_rows(weights), axis=1), weights.shape[-1]
    if np.shape(prototype) != (size,) or not np.any(prototype):
        raise ModelFileError(f"a prototype of {size} values, not all of them 0, is needed; received shape {np.shape(prototype)}.")
    row = unit(prototype) * np.median(lengths)
    if weights.scales is not None:
        row = np.clip(np.rint(row / float(weights.scales[0])), -127, 127)
    index = len(lengths) if index is None else index
    _set_row(weights, index, row.astype(weights.data.dtype).reshape(weights.shape[1:]))
    if bias is not None:
        # What is there corrects the rounding errors of the prototype that was trained.
        _set_row(bias, index, bias.data.dtype.type(0))
    for node in graph.nodes[graph.nodes.index(product):]:
        node.output.shape = (*node.output.shape[:-1], len(weights.data))
        if node.operator == "RESHAPE":
            graph.nodes[graph.nodes.index(node)] = reshape(node.inputs[0], node.output)
    return flatbuffer.write(graph)


def _rows(weights):
    """The real values of the prototypes as float64 [classes, embedding]."""
    return real(weights).astype(np.float64).reshape(len(weights.data), -1)


def _set_row(tensor, index, row):
    """Writes a row of a constant tensor; one behind the last makes it longer."""
    data = np.concatenate([tensor.data, np.zeros_like(tensor.data[:1])])[:max(index + 1, len(tensor.data))]
    data[index] = row
    tensor.data, tensor.shape = data, data.shape
