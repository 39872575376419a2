"""Opens a TFLite interpreter: tflite-runtime, else LiteRT, else the one inside TensorFlow."""

import importlib
import importlib.util

import numpy as np
from absl import logging

from kws_tf.errors import ConfigError, ModelFileError

# Import name and the module that has the interpreter, in the order in which they are tried.
INTERPRETERS = {
    "tflite_runtime": "tflite_runtime.interpreter",
    "ai_edge_litert": "ai_edge_litert.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}
# The name of the op resolver that each choice of kernels takes.
KERNELS = {
    "optimised": "AUTO",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}
AUTO = "auto"
KERNELS_HELP = ("auto: reference kernels for an integer model, which give the same bytes on every machine, optimised ones for float32. "
                "optimised: quicker, most where features are the input; logits may differ by a step. builtin: optimised without XNNPACK.")


def available():
    """Import names of the interpreters that this machine has, best first; nothing is imported."""
    return tuple(name for name in INTERPRETERS if unusable(name) == "")


def unusable(name):
    """Why an interpreter cannot be used here; "" if it can."""
    try:
        found = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        found = False
    if not found:
        return "not installed"
    if name == "tflite_runtime" and int(np.__version__.split(".")[0]) >= 2:
        return f"needs numpy below 2, found {np.__version__}"
    return ""


def import_interpreter(name=None):
    """The module of the first usable interpreter, or of the named one.

    Args:
        name: a key of INTERPRETERS, or None for the first that works.

    Returns:
        import name, module.

    Raises:
        ConfigError: the named one is unknown or unusable, or there is none at all.
    """
    if name is not None and name not in INTERPRETERS:
        raise ConfigError(f"interpreter must be one of {', '.join(INTERPRETERS)}; received {name!r}.")
    reasons = []
    for candidate in [name] if name else INTERPRETERS:
        reason = unusable(candidate)
        if not reason:
            try:
                return candidate, importlib.import_module(INTERPRETERS[candidate])
            except ImportError as error:
                reason = f"import failed: {error}"
        reasons.append(f"{candidate} ({reason})")
        if reason != "not installed":
            logging.warning("interpreter %s is passed over: %s", candidate, reason)
    raise ConfigError(f"no TFLite interpreter: {'; '.join(reasons)}. Install one with: pip install 'kws_tf[pi]'")


def open_interpreter(content, *, interpreter=None, kernels="optimised", num_threads=1):
    """An interpreter with allocated tensors for the bytes of a model file that has been checked.

    Args:
        content: bytes of the file.
        interpreter: a key of INTERPRETERS, or None for the first that works.
        kernels: "optimised" (with XNNPACK where it takes the graph), "builtin" (optimised, without XNNPACK) or "reference" (the
            plain kernels that TFLite Micro shares: the same integers everywhere, but slower).
        num_threads: threads of one inference.

    Returns:
        import name, interpreter object.

    Raises:
        ConfigError: an unknown choice, or no interpreter.
        ModelFileError: the interpreter refuses the file.
    """
    if kernels not in KERNELS:
        raise ConfigError(f"kernels must be one of {', '.join(KERNELS)}; received {kernels!r}.")
    if not isinstance(num_threads, int) or num_threads < 1:
        raise ConfigError(f"num_threads must be a whole number, at least 1; received {num_threads!r}.")
    name, module = import_interpreter(interpreter)
    resolver = getattr(module.OpResolverType, KERNELS[kernels])
    try:
        opened = module.Interpreter(model_content=content, num_threads=num_threads, experimental_op_resolver_type=resolver)
        opened.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelFileError(f"{name} refuses the model: {' '.join(str(error).split())}") from error
    return name, opened
