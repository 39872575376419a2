"""A network as the list of operations that its call() performs, however deep its layers are nested."""

import dataclasses
import inspect
import re

import keras

from kws_tf.errors import ConversionError
from kws_tf.streaming.streaming_layer import StreamingLayer

TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """One operation, applied once: a layer without layers inside, or a function of keras.ops.

    Symbolic tensors (keras.KerasTensor) stand for the values of a run; they connect the calls by identity.

    Args:
        path: names of the layers around it, below the network, and its own.
        operation: layer or keras.Operation.
        args, kwargs: what it was called with.
        outputs: symbolic tensors that it returned.
        note: why a layer with layers inside is kept as one operation; "" otherwise.
    """

    path: str
    operation: keras.Operation
    args: tuple
    kwargs: dict
    outputs: tuple
    note: str = ""

    @property
    def inputs(self):
        """Symbolic tensors among the arguments, in order."""
        return _symbolic((self.args, self.kwargs))

    def run(self, values):
        """Applies the operation.

        Args:
            values: one per tensor of `inputs`.

        Returns:
            list of results, one per tensor of `outputs`.
        """
        values = iter(values)
        args, kwargs = _replace(lambda tensor: next(values), (self.args, self.kwargs))
        return keras.tree.flatten(self.operation(*args, **kwargs))


@dataclasses.dataclass(frozen=True, eq=False)
class Operations:
    """The calls of a network in an order in which they can be computed, from its symbolic input to its symbolic output."""

    input: keras.KerasTensor
    calls: tuple[Call, ...]
    output: keras.KerasTensor


def operations(model, input_shape):
    """Lists what a network computes at inference.

    The network's own call() runs on a symbolic input, and so does that of every layer with layers inside, down to those that have
    none. Nothing is copied: the calls hold the layers themselves, with their weights. A layer whose call() cannot run on a symbolic
    tensor stays one operation.

    Args:
        model: built keras.Model with one input and one output.
        input_shape: without the batch.

    Returns:
        Operations.

    Raises:
        ConversionError: call() of the network itself cannot run on a symbolic tensor, or has several outputs.
    """
    start = keras.Input(input_shape, dtype="float32")
    calls = []
    try:
        outputs = _record(model, (start,), {}, "", calls)
    except Exception as error:
        raise ConversionError(f"{model.name}: call() does not run on a symbolic tensor of shape {start.shape}: {_short(error)} "
                              "A network that streams is written with keras.ops and Keras layers.") from error
    if len(outputs) != 1:
        raise ConversionError(f"{model.name}: expected one output, the logits; received {len(outputs)}.")
    return Operations(start, tuple(calls), outputs[0])


def _record(layer, args, kwargs, path, calls):
    """Appends the calls inside a layer to `calls`; returns its outputs in terms of them and of the tensors of args and kwargs."""
    outer = _symbolic((args, kwargs))
    inner = [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype) for tensor in outer]
    graph = keras.Model(inner, _call(layer, args, kwargs, inner))
    known = {id(stand_in): tensor for stand_in, tensor in zip(inner, outer, strict=True)}
    constants = []

    def record(operation, *args, **kwargs):
        result = operation(*args, **kwargs)
        results = keras.tree.flatten(result)
        args, kwargs = _replace(lambda tensor: known.get(id(tensor), tensor), (args, kwargs))
        constants.extend(value for value in keras.tree.flatten((args, kwargs)) if _is_constant(value))
        name, note = operation.name if isinstance(operation, keras.Layer) else type(operation).__name__, ""
        if _may_hold_layers(operation):
            found = []
            try:
                inside = _record(operation, args, kwargs, f"{path}{name}/", found)
            except Exception as error:
                note = f"Its call() does not run on symbolic tensors: {_short(error)}"
            else:
                if any(isinstance(call.operation, keras.Layer) for call in found):
                    calls.extend(found)
                    known.update((id(tensor), replacement) for tensor, replacement in zip(results, inside, strict=True))
                    return result
        calls.append(Call(path + name, operation, args, kwargs, tuple(results), note))
        return result

    clone = keras.models.clone_model(graph, input_tensors=graph.inputs, clone_function=lambda operation: operation, call_function=record)
    if constants and _own_weights(layer):
        raise ConversionError("it computes with weights of its own outside of its layers, and the result would be frozen; a layer without "
                              "layers inside may do so.")
    return [known.get(id(tensor), tensor) for tensor in clone.outputs]


def _call(layer, args, kwargs, tensors):
    tensors = iter(tensors)
    args, kwargs = _replace(lambda tensor: next(tensors), (args, kwargs))
    kwargs.pop("training", None)
    if "training" in inspect.signature(layer.call).parameters:
        kwargs["training"] = False
    return layer.call(*args, **kwargs)


def _may_hold_layers(operation):
    """Whether it is worth looking: Keras's own layers show theirs as attributes, other ones may have them anywhere."""
    if not isinstance(operation, keras.Layer) or isinstance(operation, StreamingLayer):
        return False
    return bool(_attributes(operation)) or not type(operation).__module__.startswith("keras.")


def _attributes(layer):
    """Layers that are attributes of a layer, or in lists, tuples and dicts there."""
    return [value for value in keras.tree.flatten(list(vars(layer).values())) if isinstance(value, keras.Layer)]


def _own_weights(layer):
    """The weights that no layer inside has; none for a layer that holds no other, which stays one operation."""
    inner = _attributes(layer)
    below = {id(weight) for each in inner for weight in each.weights}
    return [weight for weight in layer.weights if inner and id(weight) not in below]


def _is_constant(value):
    return keras.ops.is_tensor(value) and not isinstance(value, (keras.KerasTensor, keras.Variable))


def _symbolic(structure):
    return [value for value in keras.tree.flatten(structure) if isinstance(value, keras.KerasTensor)]


def _replace(function, structure):
    return keras.tree.map_structure(lambda value: function(value) if isinstance(value, keras.KerasTensor) else value, structure)


def _short(error):
    return " ".join(TERMINAL_COLOURS.sub("", str(error)).split())[:300]
