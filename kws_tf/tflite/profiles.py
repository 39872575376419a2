"""What can be exported: one table of profiles, which the converter, the lint and the reports read."""

import dataclasses

from kws_tf.errors import ConversionError

RUNTIMES = ("tflite", "micro")


@dataclasses.dataclass(frozen=True)
class Profile:
    """One kind of export.

    Args:
        name: of the profile.
        input_kind: "pcm" (the front end is in the graph) or "features" (the host computes them).
        dtype: of weights, activations and output: "int8" or "float32"; PCM is int16.
        runtimes: who must accept every operator: "tflite" (tflite-runtime 2.14 and LiteRT), "micro" (TFLite Micro).
        states: where a streaming file may keep what it remembers: "internal" (variables), "external" (inputs and outputs).
        largest_bytes: of the file.
        purpose: one line for people.
    """

    name: str
    input_kind: str
    dtype: str
    runtimes: tuple[str, ...]
    states: tuple[str, ...]
    largest_bytes: int
    purpose: str


# An int8 file of pi and of tflm is the same, byte for byte: the graph uses nothing that one of the runtimes lacks. They differ in what
# the lint insists on: tflm also wants every operator in TFLite Micro, states inside the graph, and a file that fits a microcontroller.
PROFILES = {profile.name: profile for profile in (
    Profile("pi", "pcm", "int8", ("tflite",), ("internal", "external"), 64 << 20,
            "int16 PCM to int8 logits, for tflite-runtime and LiteRT on a Raspberry Pi or a PC"),
    Profile("tflm", "pcm", "int8", RUNTIMES, ("internal",), 1 << 20,
            "the same file for TFLite Micro on Cortex-M and ESP32: the lint also demands its operators and at most 1 MiB"),
    Profile("features", "features", "int8", RUNTIMES, ("internal", "external"), 64 << 20,
            "int8 features to int8 logits, for hosts with a front end of their own"),
    Profile("float32", "features", "float32", ("tflite",), ("internal", "external"), 64 << 20,
            "float32 features to float32 logits: the reference, and the quicker one on boards without int8 instructions"),
)}


def profile_of(name):
    """The Profile of a name.

    Raises:
        ConversionError: there is none of that name.
    """
    if name not in PROFILES:
        raise ConversionError(f"profile must be one of {', '.join(PROFILES)}; received {name!r}. Set --profile.")
    return PROFILES[name]
