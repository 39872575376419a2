"""Everything that a microcontroller needs of one exported file, as C++ sources in one folder."""

import dataclasses
import pathlib

from kws_tf import manifest as manifests
from kws_tf import shipped
from kws_tf.errors import ConfigError
from kws_tf.runtime import model_file
from kws_tf.tflite import export_folder, firmware_headers, golden_audio
from kws_tf.tflite.device import CLIP_HOP_SECONDS, describe

GOLDEN_SECONDS = 0.5
# Tells for which board a project was made.
BOARD_FILE = "board.txt"


@dataclasses.dataclass(frozen=True)
class Board:
    """Where the parts of a project lie for the tools of one family of boards.

    Args:
        name: of the folder in firmware/examples. code: folder of the C++ files, "" for the project itself.
        suffix: of C++ files. purpose: one line for people.
    """

    name: str
    code: str = ""
    suffix: str = ".cc"
    purpose: str = ""


# The Arduino builder wants all files beside the sketch; .cpp is the one suffix that every version of it compiles.
BOARDS = {board.name: board for board in (
    Board("host", purpose="a PC: listens to a WAV file"),
    Board("arduino", suffix=".cpp", purpose="Arduino of the Nano 33 BLE Sense class (nRF52840), PDM microphone"),
    Board("esp32s3", code="main", purpose="ESP32-S3 with ESP-IDF, I2S microphone"),
    Board("pico", purpose="Raspberry Pi Pico with the Pico SDK, microphone on an ADC pin"),
    Board("stm32", purpose="STM32 with STM32Cube, microphone by DMA"),
)}


def write(path, output_dir, *, board="", golden_pcm=None, golden_seconds=GOLDEN_SECONDS, keywords=(), clip_hop_seconds=CLIP_HOP_SECONDS):
    """Writes the folder of C++ sources for an exported file, as a whole or not at all.

    Sources of this project and everything generated are replaced if the folder exists; the files of an example are yours from the first
    time on and are kept.

    Args:
        path: a .tflite file of profile tflm, or its export folder; or any other that keeps the rules of that profile.
        output_dir: the folder; absent, empty, or an earlier one.
        board: a name of BOARDS, to get a project with the example of that family; "" for the sources alone.
        golden_pcm: int16 [samples] for the self-test; None for synthetic audio.
        golden_seconds: how much of it; for a clip file at least one clip is taken, for a network that looks ahead so much more.
        keywords, clip_hop_seconds: see device.describe.

    Returns:
        Device, list of files that were kept.

    Raises:
        ModelFileError: the file or its manifest is damaged.
        ConversionError: the file does not suit a microcontroller. Nothing is written then.
        ConfigError: an unknown board, a folder with the project of another one, or see device.describe.

    Example:
        >>> write("runs/pi/export/tflm_stream", "my_project", board="esp32s3")
    """
    if board and board not in BOARDS:
        raise ConfigError(f"board must be one of {', '.join(BOARDS)}; received {board!r}. Set --board.")
    manifest, content = model_file.read(path)
    device = describe(manifest, content, keywords, clip_hop_seconds)
    n_samples = int(golden_seconds * manifest.sample_rate)
    if manifest.streaming is None:
        n_samples = max(n_samples, manifest.clip_samples + 2 * device.hop_samples)
    else:
        n_samples += manifest.streaming.delay_frames * manifest.features.hop_samples
    if golden_pcm is None:
        golden_pcm = golden_audio.synthetic(n_samples, manifest.sample_rate)
    golden = golden_audio.make(path, manifest, content, golden_pcm[:n_samples], device.hop_samples)
    layout, output_dir = BOARDS[board] if board else Board(""), pathlib.Path(output_dir)
    _require_same_board(output_dir / BOARD_FILE, board)
    examples = example_files(layout, output_dir.absolute().name)
    kept = sorted(name for name in examples if (output_dir / name).exists())
    code = {**own_sources(), **firmware_headers.generate(device, content, golden)}
    export_folder.write(output_dir, {
        manifest.model_file: content, manifests.MANIFEST_FILE: manifests.to_json(device.manifest).encode("utf-8"),
        **{placed(name, layout): text.encode("utf-8") for name, text in code.items()},
        **({BOARD_FILE: f"{board}\n".encode()} if board else {}),
        **{name: text for name, text in examples.items() if name not in kept}}, manifest.model_file)
    return device, kept


def _require_same_board(path, board):
    """Refuses to mix the examples of two boards: both have a main program and a microphone."""
    try:
        before = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Choose another --output.") from error
    if board and before != board:
        raise ConfigError(f"{path.parent}: holds a project for --board={before}; choose another --output for --board={board}.")


def placed(name, layout):
    """Where a C++ file goes in the project of a board."""
    path = pathlib.PurePosixPath(layout.code, name)
    return str(path.with_suffix(layout.suffix) if path.suffix == ".cc" else path)


def own_sources():
    """Name -> text of the sources that are the same for every model."""
    folder = shipped.folder("firmware") / "src"
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def example_files(layout, project):
    """Name -> bytes of the example of a board; the sketch of an Arduino project is named as its folder."""
    if not layout.name:
        return {}
    folder = shipped.folder("firmware") / "examples" / layout.name
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {placed(f"{project}.ino" if name.endswith(".ino") else name, dataclasses.replace(layout, code="")): text
            for name, text in found.items()}
