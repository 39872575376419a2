"""What can be exported: one table of profiles, which the converter, the lint and the reports read."""

import dataclasses

from kws_tf.errors import ConversionError

MIB = 1 << 20
# Those that micro_wake_word registers.
ESPHOME_OPERATORS = (
    "CALL_ONCE", "VAR_HANDLE", "RESHAPE", "READ_VARIABLE", "STRIDED_SLICE", "CONCATENATION", "ASSIGN_VARIABLE", "CONV_2D", "MUL", "ADD",
    "MEAN", "FULLY_CONNECTED", "LOGISTIC", "QUANTIZE", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "PAD", "PACK", "SPLIT_V")


@dataclasses.dataclass(frozen=True)
class Profile:
    """One kind of export.

    Args:
        name: of the profile.
        input_kind: "pcm" (the front end is in the graph) or "features" (the host computes them).
        dtype: of weights, activations and output: "int8" or "float32"; PCM is int16.
        states: where a streaming file may keep what it remembers: "internal" (variables), "external" (inputs and outputs).
        largest_bytes: of the file. largest_variables: states inside the graph.
        probability: whether a step gives the probability of one keyword, uint8 [1, 1], in the place of logits.
        accelerated: whether Vela compiles the file for an Ethos-U.
        operators: names of all operators that its runtime has; empty for those on which the runtimes agree.
        purpose: one line for people.
    """

    name: str
    input_kind: str
    dtype: str
    states: tuple[str, ...]
    largest_bytes: int
    largest_variables: int
    purpose: str
    probability: bool = False
    accelerated: bool = False
    operators: tuple[str, ...] = ()


# An integer file of pi and of tflm is the same, byte for byte: its operators are those on which tflite-runtime, LiteRT and TFLite Micro
# agree. What differs is what the lint and the measurements insist on: tflm must fit a microcontroller and keep its states inside.
PROFILES = {profile.name: profile for profile in (
    Profile("pi", "pcm", "int8", ("internal", "external"), 64 * MIB, 64,
            "int16 PCM to int8 logits, for tflite-runtime and LiteRT on a Raspberry Pi or a PC"),
    Profile("tflm", "pcm", "int8", ("internal",), MIB, 64,
            "the same file for TFLite Micro on Cortex-M and ESP32: at most 1 MiB, states inside the graph, arena measured"),
    Profile("features", "features", "int8", ("internal", "external"), 64 * MIB, 64,
            "int8 features to int8 logits, for hosts with a front end of their own"),
    Profile("float32", "features", "float32", ("internal", "external"), 64 * MIB, 64,
            "float32 features to float32 logits: the reference, and the quicker one on boards without int8 instructions"),
    Profile("esphome", "features", "int8", ("internal",), MIB, 20,
            "int8 features of ESPHome devices to the uint8 probability of one keyword, for micro_wake_word and pymicro-wakeword",
            probability=True, operators=ESPHOME_OPERATORS),
    Profile("ethos-u", "pcm", "int8", ("internal",), MIB, 64,
            "the file of tflm and its compiled form for Ethos-U, with the estimate of Vela: time, memory, operators left to the CPU",
            accelerated=True),
)}


def profile_of(name):
    """The Profile of a name.

    Raises:
        ConversionError: there is none of that name.
    """
    if name not in PROFILES:
        raise ConversionError(f"profile must be one of {', '.join(PROFILES)}; received {name!r}. Set --profile.")
    return PROFILES[name]
