"""Runs Vela, Arm's compiler for Ethos-U, on a file: the compiled form, and what Vela expects of it."""

import collections
import csv
import dataclasses
import pathlib
import shutil
import subprocess
import sys
import tempfile

from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.errors import ConversionError
from kws_tf.manifest import EthosEstimate, model_id
from kws_tf.tflite import untrusted

PROGRAM = "vela"
COMPILED_FILE = "model_vela.tflite"
ACCELERATORS = (*(f"ethos-u55-{size}" for size in (32, 64, 128, 256)), "ethos-u65-256", "ethos-u65-512",
                *(f"ethos-u85-{size}" for size in (128, 256, 512, 1024, 2048)))
LONGEST_SECONDS = 600
KIB = 1024
_INSTALL = ("Install it with pip install 'kws_tf[vela]', or in an environment of its own (python -m venv vela && "
            "vela/bin/pip install ethos-u-vela) and name it with --vela=vela/bin/vela.")


@dataclasses.dataclass(frozen=True)
class VelaSettings:
    """What to compile for, and with which program.

    Args:
        accelerator: one of ACCELERATORS.
        program: path of vela; "" for the one beside this Python or on the PATH.

    Raises:
        ConversionError: an unknown accelerator.
    """

    accelerator: str = "ethos-u55-128"
    program: str = ""

    def __post_init__(self):
        if self.accelerator not in ACCELERATORS:
            raise ConversionError(f"accelerator must be one of {', '.join(ACCELERATORS)}; received {self.accelerator!r}. "
                                  "Set --accelerator.")


def find(program=""):
    """The path of vela.

    Raises:
        ConversionError: it is not there.
    """
    if program:
        found = shutil.which(program)
    else:
        beside = pathlib.Path(sys.executable).with_name(PROGRAM)
        found = str(beside) if beside.is_file() else shutil.which(PROGRAM)
    if found is None:
        raise ConversionError(f"profile ethos-u needs Vela, and {program or PROGRAM} was not found. {_INSTALL}")
    return found


def compile_model(content, settings):
    """Compiles a file.

    Args:
        content: bytes of a TFLite file. settings: VelaSettings.

    Returns:
        (bytes of the compiled file, EthosEstimate).

    Raises:
        ConversionError: Vela is not there, fails, or gives no estimate.

    Example:
        >>> compile_model(content, VelaSettings("ethos-u55-128"))[1].milliseconds
        0.541
    """
    program = find(settings.program)
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "model.tflite"
        source.write_bytes(content)
        version = (_run([program, "--version"]).strip().splitlines() or ["of no version"])[-1]
        log = _run([program, str(source), "--output-dir", folder, "--accelerator-config", settings.accelerator])
        summaries, compiled = list(pathlib.Path(folder).glob("*summary*.csv")), pathlib.Path(folder) / COMPILED_FILE
        if len(summaries) != 1 or not compiled.is_file():
            raise ConversionError(f"Vela {version} wrote no compiled file or no summary: {' '.join(log.split())[-300:]}")
        with open(summaries[0], newline="", encoding="utf-8") as file:
            figures = next(csv.DictReader(file), {})
        result = compiled.read_bytes()
    return result, _estimate(content, result, figures, version, settings.accelerator)


def _run(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConversionError(f"{command[0]}: cannot be run ({error}). {_INSTALL}") from error
    if done.returncode:
        raise ConversionError(f"Vela refuses the file: {' '.join((done.stderr or done.stdout).split())[-500:]}")
    return done.stdout + done.stderr


def _estimate(content, compiled, figures, version, accelerator):
    left = operators(compiled)
    left.pop("CUSTOM", None)        # commands for the accelerator
    try:
        flash = float(figures["off_chip_flash_memory_used"]) + float(figures["on_chip_flash_memory_used"])
        return EthosEstimate(
            vela_version=version, accelerator=accelerator, system=f"{figures['system_config']}, {figures['memory_mode']}",
            clock_mhz=float(figures["core_clock"]) / 1e6, milliseconds=round(1000 * float(figures["inference_time"]), 4),
            sram_bytes=round(KIB * float(figures["sram_memory_used"])), flash_bytes=round(KIB * flash),
            operators=sum(operators(content).values()), cpu_operators=dict(sorted(left.items())),
            model_file=COMPILED_FILE, model_id=model_id(compiled), model_bytes=len(compiled))
    except (KeyError, TypeError, ValueError) as error:
        raise ConversionError(f"Vela {version}: its summary has another form than expected ({error!r}).") from error


def operators(content):
    """How often each operator occurs in the main graph: Counter by name."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    return collections.Counter(untrusted.operator_name(model.operatorCodes[node.opcodeIndex]) for node in model.subgraphs[0].operators)
