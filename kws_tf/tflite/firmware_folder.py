"""Everything that a microcontroller needs of one exported file, as C++ sources in one folder."""

import dataclasses
import pathlib

from kws_tf import manifest as manifests
from kws_tf.detector_settings import DetectorPreset, DetectorPresets, DetectorSettings, default_keywords
from kws_tf.errors import ConfigError, ConversionError
from kws_tf.runtime import model_file
from kws_tf.runtime.detection import configure, logits_spec
from kws_tf.runtime.detector import keyword_classes
from kws_tf.runtime.score_bytes import exponential_table
from kws_tf.tflite import c_source, export_folder, flatbuffer, golden_audio
from kws_tf.tflite.cost import measure_arena
from kws_tf.tflite.lint import require_clean
from kws_tf.tflite.micro_operators import registrations
from kws_tf.tflite.profiles import profile_of

SOURCES = pathlib.Path(__file__).with_name("firmware")
ARENA_RATIO, ARENA_ALIGNMENT = 1.25, 16
MOST_CLASSES = 255
CLIP_HOP_SECONDS = 0.25


@dataclasses.dataclass(frozen=True)
class Board:
    """Where the parts of a project lie for the tools of one family of boards.

    Args:
        name: of the folder in firmware/examples. code: folder of the C++ files, "" for the project itself.
        suffix: of C++ files. purpose: one line for people.
    """

    name: str
    code: str
    suffix: str
    purpose: str


# The Arduino builder knows .cpp and not .cc, and wants all files beside the sketch.
BOARDS = {board.name: board for board in (
    Board("host", "", ".cc", "a PC: listens to a WAV file"),
    Board("arduino", "", ".cpp", "Arduino, Nano 33 BLE class (nRF52840, Cortex-M4F, PDM microphone)"),
    Board("esp32s3", "main", ".cc", "ESP32-S3 with ESP-IDF, I2S microphone"),
    Board("pico", "", ".cc", "Raspberry Pi Pico with the Pico SDK, microphone on an ADC pin"),
    Board("stm32", "", ".cc", "STM32 with STM32Cube, microphone by DMA"),
)}


@dataclasses.dataclass(frozen=True)
class Device:
    """What a device needs to know of a file beside its bytes.

    Args:
        manifest: Manifest, its arena measured.
        hop_samples: samples that one inference takes. score_samples: samples between two scores. hop_scores: scores per inference.
        presets: DetectorPresets.
    """

    manifest: manifests.Manifest
    hop_samples: int
    score_samples: int
    hop_scores: int
    presets: DetectorPresets

    @property
    def arena_bytes(self):
        """What to declare: the measured figure with its margin, a multiple of the alignment."""
        return -(-int(self.manifest.arena.n_bytes * ARENA_RATIO) // ARENA_ALIGNMENT) * ARENA_ALIGNMENT


def write(path, output_dir, *, board="", golden_pcm=None, golden_seconds=0.5, keywords=(), clip_hop_seconds=CLIP_HOP_SECONDS):
    """Writes the folder of C++ sources for an exported file, as a whole or not at all.

    Sources of this project and everything generated are replaced if the folder exists; the files of an example are yours from the first
    time on and are kept.

    Args:
        path: a .tflite file of profile tflm, or its export folder; or any other that keeps the rules of that profile.
        output_dir: the folder; absent, empty, or an earlier one.
        board: a name of BOARDS, to get a project with the example of that family; "" for the sources alone.
        golden_pcm: int16 [samples] for the self-test; None for synthetic audio.
        golden_seconds: how much of it; for a clip file at least one clip is taken.
        keywords: labels that make events; none for those of the manifest, or all but those such as _unknown_.
        clip_hop_seconds: how often a clip file scores its last clip.

    Returns:
        Device, list of files that were kept.

    Raises:
        ModelFileError: the file or its manifest is damaged. ConversionError: the file does not suit a microcontroller. Nothing is written
        then.
    """
    manifest, content = model_file.read(path)
    folder, _ = model_file.find(path)
    device = describe(manifest, content, keywords, clip_hop_seconds)
    if golden_pcm is None:
        golden_pcm = golden_audio.synthetic(device.manifest.sample_rate * 2, device.manifest.sample_rate)
    n_samples = int(golden_seconds * manifest.sample_rate)
    if manifest.streaming is None:
        n_samples = max(n_samples, manifest.clip_samples + 2 * device.hop_samples)
    golden = golden_audio.make(folder, manifest, content, golden_pcm[:n_samples], device.hop_samples)
    layout = BOARDS[board] if board else Board("", "", ".cc", "")
    output_dir = pathlib.Path(output_dir)
    examples = example_files(layout, output_dir.absolute().name)
    kept = sorted(name for name in examples if (output_dir / name).exists())
    code = {pathlib.PurePosixPath(layout.code, name).with_suffix(layout.suffix if name.endswith(".cc") else ".h").as_posix(): text
            for name, text in {**own_sources(), **generated(device, content, golden)}.items()}
    files = {manifest.model_file: content, manifests.MANIFEST_FILE: manifests.to_json(device.manifest).encode("utf-8"),
             **{name: text.encode("utf-8") for name, text in code.items()},
             **{name: text for name, text in examples.items() if name not in kept}}
    export_folder.write(output_dir, files, manifest.model_file)
    return device, kept


def describe(manifest, content, keywords=(), clip_hop_seconds=CLIP_HOP_SECONDS):
    """The Device of an exported file.

    Args:
        manifest, content: of model_file.read. keywords, clip_hop_seconds: see write.

    Raises:
        ConversionError: the file does not keep the rules of profile tflm, or its arena cannot be measured.
    """
    if manifest.input_kind != "pcm" or manifest.streaming and manifest.streaming.state != "internal":
        kind = f"{manifest.streaming.state} state" if manifest.streaming else "no state"
        raise ConversionError(f"{manifest.model_file}: takes {manifest.input_kind} and has {kind}; a microcontroller needs PCM in and, if it "
                              "streams, internal state. Convert the run with: python -m kws_tf.convert --profile tflm --streaming internal")
    require_clean(content, profile_of("tflm"), manifest.model_file)
    if len(manifest.labels) > MOST_CLASSES:
        raise ConversionError(f"{manifest.model_file}: {len(manifest.labels)} labels; the firmware counts up to {MOST_CLASSES}.")
    if manifest.arena is None:
        arena, reason = measure_arena(content)
        if arena is None:
            raise ConversionError(f"{manifest.model_file}: the manifest has no arena, and it cannot be measured: {reason}.")
        manifest = dataclasses.replace(manifest, arena=arena)
    section = manifest.streaming
    if section:
        score_samples = section.stride_frames * manifest.features.hop_samples
        return Device(manifest, section.hop_samples, score_samples, section.hop_scores, detector_presets(manifest, keywords, score_samples))
    hop_samples = round(clip_hop_seconds * manifest.sample_rate)
    if not 0 < hop_samples <= manifest.clip_samples:
        raise ConfigError(f"--clip_hop_seconds must be above 0 and at most the {manifest.clip_samples / manifest.sample_rate:g} s of a clip; "
                          f"received {clip_hop_seconds:g}.")
    return Device(manifest, hop_samples, hop_samples, 1, detector_presets(manifest, keywords, hop_samples))


def detector_presets(manifest, keywords, score_samples):
    """The presets of the manifest, or one that nothing was measured for."""
    presets = manifest.detector
    keywords = tuple(keywords) or (presets.keywords if presets else default_keywords(manifest.labels))
    keyword_classes(manifest.labels, keywords)
    if presets:
        return dataclasses.replace(presets, keywords=keywords)
    period = score_samples / manifest.sample_rate
    settings = configure(manifest)[1] if manifest.streaming else DetectorSettings.of_probability(0.8, period)
    return DetectorPresets(keywords, "uncalibrated", (DetectorPreset("uncalibrated", settings),))


def own_sources():
    """Name -> text of the sources that are the same for every model."""
    folder = SOURCES / "src"
    if not folder.is_dir():
        raise ConversionError(f"{folder}: the C++ sources of this project are not there. Install kws_tf again, or from a clone.")
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def example_files(board, project):
    """Name -> bytes of the example of a board; the sketch of an Arduino project is named as its folder."""
    if not board.name:
        return {}
    folder = SOURCES / "examples" / board.name
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {f"{project}.ino" if name.endswith(".ino") else name: content for name, content in found.items()}


def generated(device, content, golden):
    """Name -> text of the files that are made of one model.

    Args:
        device: Device. content: bytes of the model file. golden: Golden.
    """
    manifest = device.manifest
    origin = [f"Generated by kws_tf.firmware {manifest.kws_tf_version} from {manifest.model_file}; do not edit.",
              f"SHA-256 {manifest.model_id}"]
    return {"kws_model_data.h": _data_header(origin), "kws_model_data.cc": _data(origin, content),
            "kws_model_ops.h": _operators(origin, content), "kws_model_config.h": _config(origin, device, content),
            "kws_labels.h": _labels(origin, device), "kws_golden.h": _golden(origin, device, golden)}


def _constant(kind, name, value, comment=""):
    return f"inline constexpr {kind} {name} = {value};" + (f"  // {comment}" if comment else "") + "\n"


def _data_header(origin):
    return c_source.header("kws_model_data.h", [*origin, "The model file, aligned to 16 bytes as TFLite Micro reads it in place."],
                           "extern const uint8_t kModelData[];\n")


def _data(origin, content):
    comment = "".join(f"// {line}\n" for line in origin)
    data = c_source.array("uint8_t", "kModelData", [f"0x{byte:02x}" for byte in content], storage="alignas(16) const ")
    return f'{comment}#include "kws_model_data.h"\n\nnamespace kws_model {{\n\n{data}\n}}  // namespace kws_model\n'


def _operators(origin, content):
    calls = registrations(content)
    lines = "".join(f"  if (resolver.{call} != kTfLiteOk) return kTfLiteError;\n" for call in calls)
    comment = "".join(f"// {line}\n" for line in [*origin, "The operators of the model: those and no others, so that no other kernel is linked."])
    return (f"{comment}#ifndef KWS_MODEL_OPS_H_\n#define KWS_MODEL_OPS_H_\n\n"
            '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"\n\n'
            f"using KwsOpResolver = tflite::MicroMutableOpResolver<{len(calls)}>;\n\n"
            "inline TfLiteStatus kws_add_operators(KwsOpResolver& resolver) {\n"
            f"{lines}  return kTfLiteOk;\n}}\n\n#endif  // KWS_MODEL_OPS_H_\n")


def _config(origin, device, content):
    manifest, section, presets = device.manifest, device.manifest.streaming, device.presets
    inputs = [spec.name for spec in manifest.inputs]
    valid = inputs.index(section.valid) if section and section.valid else -1
    rows = [f"{{{s.threshold}, {s.release}, {s.window_scores}, {s.refractory_scores}, {s.warmup_scores}}}"
            for s in (preset.settings for preset in presets.presets)]
    names = [preset.name for preset in presets.presets]
    ratio = f"{ARENA_RATIO:g} times that, for kernels and pointers that differ by board"
    body = "".join((
        _constant("bool", "kStreaming", "true" if section else "false", "whether the model remembers, or is given the last clip every time"),
        _constant("int", "kSampleRate", manifest.sample_rate, "Hz"),
        _constant("int", "kHopSamples", device.hop_samples, "samples that one step takes"),
        _constant("int", "kClipSamples", manifest.clip_samples, "samples that a score looks back on"),
        _constant("int", "kScoresPerHop", device.hop_scores),
        _constant("int", "kScoreSamples", device.score_samples, "samples between two scores"),
        _constant("int", "kDelaySamples", section.delay_frames * manifest.features.hop_samples if section else 0,
                  "by which a score is late"),
        _constant("int", "kClasses", len(manifest.labels)),
        _constant("int", "kPcmInput", 1 - valid if valid >= 0 else 0, "index among the inputs of the model"),
        _constant("int", "kValidInput", valid, "of the input that says which frames count; -1 for none"),
        _constant("int", "kVariables", _variables(content), "states that the model keeps"),
        _constant("uint32_t", "kModelBytes", len(content)),
        _constant("uint32_t", "kArenaBytesMeasured", manifest.arena.n_bytes, f"on a 64-bit PC by TFLite Micro {manifest.arena.tflm_version}"),
        _constant("uint32_t", "kArenaBytes", device.arena_bytes, ratio),
        "\n// Score bytes: floor(65536 * exp(-scale * d) + 1/2) for two logits that are d apart.\n",
        c_source.array("uint32_t", "kExponentials", exponential_table(logits_spec(manifest).scale)),
        "\n// Detector: classes that are keywords, in the order that breaks ties, and settings {threshold, release, window_scores,\n"
        "// refractory_scores, warmup_scores}.\n",
        _constant("int", "kKeywords", len(presets.keywords)),
        c_source.array("uint8_t", "kKeywordClasses", keyword_classes(manifest.labels, presets.keywords)),
        _constant("int", "kPresetCount", len(rows)),
        _constant("int", "kDefaultPreset", names.index(presets.default)),
        c_source.array("KwsDetectorSettings", "kPresets", rows),
        c_source.array("char* const", "kPresetNames", map(c_source.text, names), storage="inline constexpr const "),
        _constant("int", "kLongestWindowScores", max(preset.settings.window_scores for preset in presets.presets))))
    return c_source.header("kws_model_config.h", [*origin, "What the model expects and gives, and how the detector decides."], body,
                           ("<cstdint>", '"kws_detector.h"'))


def _variables(content):
    return len({node.options.sharedName for node in flatbuffer.read(content).nodes if node.operator == "VAR_HANDLE"})


def _labels(origin, device):
    body = c_source.array("char* const", "kLabels", map(c_source.text, device.manifest.labels), storage="inline constexpr const ")
    return c_source.header("kws_labels.h", [*origin, "Names of the classes, UTF-8, in the order of the scores."], body, ())


def _golden(origin, device, golden):
    n_hops = len(golden.pcm) // device.hop_samples
    body = "".join((
        _constant("int", "kGoldenHops", n_hops),
        c_source.array("int16_t", "kGoldenPcm", golden.pcm), "\n",
        c_source.array("int8_t", "kGoldenLogits", golden.logits.reshape(-1)), "\n",
        c_source.array("uint8_t", "kGoldenScores", golden.scores.reshape(-1))))
    about = [*origin, "Audio for the self-test, and the bytes that the model answers to it after a reset: every score, class by class.",
             f"Made by {golden.made_by}."]
    return c_source.header("kws_golden.h", about, body)
