"""The state of a run in one file: weights, optimiser, and what the loop knows. Written whole or not at all."""

import json
import zipfile

import numpy as np

from kws_tf import atomic_file
from kws_tf.counted import counted
from kws_tf.errors import TrainingError

_LOOP = "loop.json"


def _named_variables(model):
    """(key, variable) of every weight and optimiser variable; the position makes keys unique and fixes the order."""
    groups = {"weights": model.weights, "optimizer": model.optimizer.variables}
    return [(f"{group}/{index}/{variable.path}", variable)
            for group, variables in groups.items() for index, variable in enumerate(variables)]


def save(path, model, loop):
    """Writes the checkpoint; a kill leaves the previous file or this one.

    Args:
        path: file to replace, .npz.
        model: compiled keras.Model whose optimiser is built.
        loop: JSON-able dict: the state of the loop after a whole epoch.
    """
    arrays = {key: np.asarray(variable) for key, variable in _named_variables(model)}
    text = np.frombuffer(json.dumps(loop).encode("utf-8"), np.uint8)
    with atomic_file.replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays, **{_LOOP: text})


def restore(path, model):
    """Puts weights and optimiser variables back and returns the loop's state.

    Args:
        path: file that `save` wrote.
        model: the same network, compiled, its optimiser built.

    Returns:
        The dict given to `save`.

    Raises:
        TrainingError: the file is damaged, or belongs to another network.
    """
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        loop = json.loads(arrays.pop(_LOOP).tobytes())
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        # RuntimeError: the zip directory asks for a password, or for a compression or version that there is not.
        raise TrainingError(f"{path}: not a readable checkpoint ({error}). Start the run anew with --overwrite.") from error
    variables = dict(_named_variables(model))
    shapes = {key: tuple(variable.shape) for key, variable in variables.items()}
    if shapes != {key: array.shape for key, array in arrays.items()}:
        odd = sorted(key for key in shapes.keys() | arrays.keys()
                     if key not in arrays or key not in shapes or shapes[key] != arrays[key].shape)
        raise TrainingError(f"{path}: the checkpoint belongs to another network; {counted(len(odd), 'variable')} of another shape, "
                            f"first {odd[0]}. Continue with the version and settings that wrote it, or start anew with --overwrite.")
    for key, variable in variables.items():
        variable.assign(arrays[key])
    return loop
