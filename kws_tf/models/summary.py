"""What a network costs: parameters and operations, layer by layer."""

import dataclasses
import math

from keras import layers

COUNTING_RULES = {
    "parameters": "Trainable values; the moving statistics of norms are not counted.",
    "macs": "Multiply-accumulates of convolutions and linear layers for one clip: output positions times kernel entries.",
    "thop": "The count of pytorch-OpCounter (thop), which papers quote: the macs, plus 4 per element of an affine norm, "
            "plus inputs and outputs of a pooling. Activations, sums and biases are free in both.",
}


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """One layer: its path in the network, its class, its output shape without the batch, and its costs for one clip."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    thop: int


def layer_costs(model, n_frames):
    """The costs of every layer of a network that has parameters or computes.

    Args:
        model: built network with layer_shapes(), the (layer, input shape, output shape) of its layers.
        n_frames: frames of one clip.

    Returns:
        list of LayerCost, in the order of computation.
    """
    costs = []
    for layer, before, after in model.layer_shapes((1, n_frames, model.n_features, 1)):
        cost = _layer_cost(layer, before[1:], after[1:], layer.path.removeprefix(f"{model.name}/"))
        if cost.parameters or cost.thop:
            costs.append(cost)
    return costs


def totals(costs):
    """{"parameters", "macs", "thop"}: the sums over layer costs."""
    return {name: sum(getattr(cost, name) for cost in costs) for name in COUNTING_RULES}


def _layer_cost(layer, before, after, name):
    parameters = sum(math.prod(weight.shape) for weight in layer.trainable_weights)
    macs = math.prod(after[:-1]) * math.prod(layer.kernel.shape) if hasattr(layer, "kernel") else 0
    thop = macs
    if hasattr(layer, "gamma"):
        thop += 4 * math.prod(after)
    if isinstance(layer, (layers.AveragePooling2D, layers.GlobalAveragePooling2D)):
        thop += math.prod(before) + math.prod(after)
    return LayerCost(name, type(layer).__name__, after, parameters, macs, thop)
