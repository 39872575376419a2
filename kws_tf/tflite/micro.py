"""The TFLite Micro interpreter that PyPI carries: the microcontroller's reference kernels, and its own count of working memory."""

import importlib.metadata
import importlib.util
import os
import re
import tempfile

import numpy as np

from kws_tf.errors import ConversionError

PACKAGE = "tflite_micro"
LARGEST_ARENA_BYTES = 64 << 20


def unavailable():
    """Why TFLite Micro cannot be used here; "" if it can."""
    if importlib.util.find_spec(PACKAGE) is None:
        return "tflite-micro is not installed; its wheel exists for x86-64 Linux only (pip install 'kws_tf[dev]')"
    return ""


def version():
    """Version of the installed interpreter."""
    return importlib.metadata.version(PACKAGE)


class MicroInterpreter:
    """One model in TFLite Micro.

    Args:
        content: bytes of a TFLite file. They are not verified: open only files that this program made or has checked.
        arena_bytes: working memory to offer.

    Raises:
        ConversionError: TFLite Micro is not installed, or refuses the model.

    Example:
        interpreter = MicroInterpreter(content)
        scores = interpreter(pcm)
        interpreter.used_bytes()
    """

    def __init__(self, content, arena_bytes=LARGEST_ARENA_BYTES):
        reason = unavailable()
        if reason:
            raise ConversionError(f"TFLite Micro: {reason}.")
        from tflite_micro.python.tflite_micro import runtime

        try:
            self._interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)
        except RuntimeError as error:
            raise ConversionError(f"TFLite Micro refuses the model: {' '.join(str(error).split())}") from error

    def __call__(self, *inputs):
        """Runs one inference.

        Args:
            inputs: an array per input of the graph.

        Returns:
            The first output.

        Raises:
            ConversionError: the inference fails.
        """
        try:
            for index, values in enumerate(inputs):
                self._interpreter.set_input(np.ascontiguousarray(values), index)
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ConversionError(f"TFLite Micro: the inference failed: {' '.join(str(error).split())}") from error
        return np.array(self._interpreter.get_output(0))

    def used_bytes(self):
        """Working memory that the allocator of TFLite Micro has handed out: activations, scratch and its own records.

        The figure is that of the 64-bit host. Published measurements put a Cortex-M4 3-38 % below it and a Cortex-M55 above.

        Raises:
            ConversionError: this version of TFLite Micro says it in another form.
        """
        report = _captured_stderr(self._interpreter.print_allocations)
        found = re.search(r"Arena allocation total (\d+) bytes", report)
        if found is None:
            raise ConversionError(f"TFLite Micro {version()} reports its memory in an unknown form: {report[:200]!r}.")
        return int(found.group(1))


def _captured_stderr(function):
    """What a C++ function writes to file descriptor 2."""
    with tempfile.TemporaryFile() as sink:
        saved = os.dup(2)
        try:
            os.dup2(sink.fileno(), 2)
            function()
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        sink.seek(0)
        return sink.read().decode("utf-8", "replace")
