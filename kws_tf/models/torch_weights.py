"""Weights of the published PyTorch BC-ResNet, brought into a BCResNet."""

import numpy as np

from kws_tf.errors import ModelFileError
from kws_tf.models.bc_resnet import STAGE_BLOCKS

# A trainer that wraps the network puts one of these in front of every name.
WRAPPERS = ("module.", "model.", "_orig_mod.")


def load(model, state):
    """Copies a PyTorch state dict into a network.

    Kernels go from (out, in, frequency, time) to (time, frequency, in, out), depthwise ones to (time, frequency, channels, 1).
    The vectors of SubSpectralNormalization, there channel * groups + band, go to [groups, channels]. The published network pads
    symmetrically and has 5 sub-bands: build with padding="symmetric" and 40 or 80 features to compute what it computes.

    Args:
        model: BCResNet, built.
        state: {name: array}, the names of the published code, for example torch.load(path, map_location="cpu"); arrays may be
            numpy or torch. `num_batches_tracked` is not used. PyTorch need not be installed.

    Raises:
        ModelFileError: missing or unknown names, or a shape that does not fit; lists them all. Nothing is assigned then.

    Example:
        >>> load(model, {name: tensor.numpy() for name, tensor in torch_model.state_dict().items()})
    """
    for variable, value in match(model, state):
        variable.assign(value)


def match(model, state):
    """The pairs (variable, array in its shape) that load() would assign; gradients under the same names pair up as well.

    Args, Raises: as load().
    """
    if not hasattr(model.classifier, "bias"):
        raise ModelFileError("PyTorch weights of the published network have a linear classifier; build without --arcface.")
    arrays = {_bare(name): _array(value) for name, value in state.items() if not name.endswith("num_batches_tracked")}
    pairs, missing, misfits = [], [], []
    for name, variable, convert in _plan(model):
        if name not in arrays:
            missing.append(f"missing: {name}, for {variable.path}")
            continue
        received = arrays.pop(name)
        try:
            value = convert(received)
        except ValueError:
            value = received
        if value.shape == tuple(variable.shape):
            pairs.append((variable, value))
        else:
            misfits.append(f"shape: {name} {received.shape} does not fit {variable.path} {tuple(variable.shape)}")
    problems = missing + misfits + [f"unknown: {name}" for name in arrays]
    if problems:
        raise ModelFileError("These PyTorch weights are not of this network; check --tau, --ssn_groups, --n_mels and the number of "
                             "classes.\n" + "\n".join(f"  {problem}" for problem in problems))
    return pairs


def _bare(name):
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper)
    return name


def _array(value):
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value, np.float32)


def _same(value):
    return value


def _conv(value):
    return value.transpose(3, 2, 1, 0)


def _depthwise(value):
    return value.transpose(3, 2, 0, 1)


def _dense(value):
    return value.reshape(value.shape[:2]).T


def _bands(groups):
    return lambda value: value.reshape(-1, groups).T


def _norm(name, layer, groups=0):
    """Entries for BatchNormalization, or for SubSpectralNormalization of that many groups."""
    name, convert = (f"{name}.ssnorm", _bands(groups)) if groups else (name, _same)
    return [(f"{name}.weight", layer.gamma, convert), (f"{name}.bias", layer.beta, convert),
            (f"{name}.running_mean", layer.moving_mean, convert), (f"{name}.running_var", layer.moving_variance, convert)]


def _plan(model):
    """(PyTorch name, variable, conversion) of every weight of the network."""
    plan = [("cnn_head.0.weight", model.stem_conv.kernel, _conv), *_norm("cnn_head.1", model.stem_norm)]
    places = [(stage, index) for stage, count in enumerate(STAGE_BLOCKS) for index in range(count)]
    for (stage, index), block in zip(places, model.blocks, strict=True):
        prefix = f"BCBlocks.{stage}.{index}"
        frequency = f"{prefix}.f2.0.block"
        if block.transition:
            plan += [(f"{frequency}.0.weight", block.transition_conv.kernel, _conv), *_norm(f"{frequency}.1", block.transition_norm)]
            frequency = f"{prefix}.f2.1.block"
        plan += [(f"{frequency}.0.weight", block.frequency_conv.kernel, _depthwise),
                 *_norm(f"{frequency}.1", block.frequency_norm, block.groups),
                 (f"{prefix}.f1.0.block.0.weight", block.temporal_conv.kernel, _depthwise),
                 *_norm(f"{prefix}.f1.0.block.1", block.temporal_norm),
                 (f"{prefix}.f1.1.weight", block.pointwise_conv.kernel, _conv)]
    return plan + [("classifier.0.weight", model.head_depthwise.kernel, _depthwise),
                   ("classifier.1.weight", model.head_pointwise.kernel, _conv), *_norm("classifier.2", model.head_norm),
                   ("classifier.5.weight", model.classifier.kernel, _dense), ("classifier.5.bias", model.classifier.bias, _same)]
