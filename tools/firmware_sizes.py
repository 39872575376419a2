"""Bytes of code and constant data of the firmware's own parts: the table of firmware/README.md.

    python tools/firmware_sizes.py --docs=firmware/README.md

Compiles every part with arm-none-eabi-g++ -Os and asks arm-none-eabi-size. The engine and what includes it are compiled against the
stand-in of TFLite Micro in tests/firmware and the project of --model, without its golden audio. Without --docs the table is printed only.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from absl import flags

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kws_tf.errors import ConfigError  # noqa: E402
from kws_tf.flags import refuse_arguments, run  # noqa: E402
from tools.document_tables import publish  # noqa: E402

FLAGS = flags.FLAGS
COMPILER, SIZE = "arm-none-eabi-g++", "arm-none-eabi-size"
OPTIONS = ("-std=c++17", "-Os", "-mthumb", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Werror")
CORES = {"Cortex-M0+": ("-mcpu=cortex-m0plus",), "Cortex-M4F": ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
         "Cortex-M7F": ("-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16")}
WITH_ENGINE = ("kws_engine", "kws_self_test", "kws_listener")
GOLDEN_ARRAYS = ("kGoldenPcm", "kGoldenLogits", "kGoldenScores")


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "firmware_sizes"}
    flags.DEFINE_string("model", "", "Export folder of profile tflm for the engine; empty leaves out engine, self-test and listener.",
                        **place)
    flags.DEFINE_string("docs", "", "Markdown file whose table is replaced.", **place)


def measure(source, core, includes, folder):
    """(code and constants, static data) of one source in bytes."""
    target = folder / f"{source.stem}.o"
    try:
        subprocess.run([COMPILER, *OPTIONS, *CORES[core], *(f"-I{path}" for path in includes), "-c", source, "-o", target], check=True)
        text, data, bss = subprocess.run([SIZE, target], check=True, capture_output=True, text=True).stdout.splitlines()[1].split()[:3]
    except FileNotFoundError as error:
        raise ConfigError(f"{error.filename} is not installed (Debian: gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib).") from error
    return int(text), int(data) + int(bss)


def golden_bytes(project):
    """Bytes of the golden audio of a project, which the compiler puts beside the code of the self-test."""
    header = (project / "kws_golden.h").read_text(encoding="utf-8")
    counts = [int(re.search(rf"{name}\[(\d+)\]", header).group(1)) for name in GOLDEN_ARRAYS]
    return 2 * counts[0] + counts[1] + counts[2]


def table(model):
    """Lines of the table.

    Args:
        model: export folder, or "" to leave the parts with the engine out.
    """
    lines = ["| part | " + " | ".join(CORES) + " |", "|---|" + "---:|" * len(CORES)]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        includes = [ROOT / "firmware" / "src"]
        if model:
            from kws_tf.tflite import firmware_folder

            firmware_folder.write(model, folder / "project")
            includes = [folder / "project", ROOT / "tests" / "firmware" / "tflm_double"]
        for source in sorted((ROOT / "firmware" / "src").glob("*.cc")):
            if source.stem in WITH_ENGINE and not model:
                continue
            sizes = [measure(source, core, includes, folder) for core in CORES]
            if any(static for _, static in sizes):
                raise ConfigError(f"{source.name}: has static data of its own; the page says that no part has.")
            golden = golden_bytes(folder / "project") if source.stem == "kws_self_test" else 0
            lines.append(f"| `{source.stem}` | " + " | ".join(f"{code - golden:,}" for code, _ in sizes) + " |")
    return lines


def main(argv):
    refuse_arguments(argv)
    lines = table(FLAGS.model)
    version = subprocess.run([COMPILER, "-dumpversion"], check=True, capture_output=True, text=True).stdout.strip()
    lines += ["", f"Bytes; {COMPILER} {version}."]
    print("\n".join(lines))
    if FLAGS.docs:
        publish(FLAGS.docs, {"sizes": lines}, "python tools/firmware_sizes.py --model EXPORT --docs=firmware/README.md")


if __name__ == "__main__":
    run(main, define)
