"""manifest.json: the contract between an exported model file and every program that runs it. No TensorFlow, no numpy."""

import dataclasses
import hashlib
import json
import pathlib

from kws_tf.config import EVAL_CROPS, FeatureConfig, from_dict, to_dict
from kws_tf.detector_settings import DetectorPresets
from kws_tf.errors import ConfigError, ModelFileError

SCHEMA_VERSION = 1
MANIFEST_FILE = "manifest.json"
LARGEST_MANIFEST_BYTES = 4 << 20
LARGEST_FFT_SIZE = 1 << 16
KINDS = ("clip", "streaming")
# What kws_tf.convert makes and kws_tf.lint checks, see kws_tf.tflite.profiles.
PROFILES = ("pi", "tflm", "features", "float32", "esphome", "ethos-u")
STATE_KINDS = ("internal", "external")
INPUT_KINDS = ("features", "pcm")


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """One tensor at the border of the graph.

    Args:
        name: name in the model file.
        shape: static, batch first.
        dtype: numpy name: "int8", "uint8", "int16", "int32" or "float32".
        scale, zero_point: real = scale * (stored - zero_point); scale 0 for a tensor that is not quantised.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


@dataclasses.dataclass(frozen=True)
class OperatorCount:
    """How often one operator of one version occurs in the file, and the multiply-accumulates of all of them together."""

    name: str
    version: int
    count: int
    macs: int = 0


@dataclasses.dataclass(frozen=True)
class Arena:
    """Working memory measured by the allocator of TFLite Micro, and the version that measured it."""

    n_bytes: int
    tflm_version: str


@dataclasses.dataclass(frozen=True)
class PartCost:
    """One part of the graph.

    Args:
        name: "front_end" or "classifier". nodes: operators. macs: multiply-accumulates of one inference.
        n_bytes: its share of the file; the shares of all parts add up to the file.
        constant_bytes: how much of that are weights, biases and tables; the rest describes the graph.
    """

    name: str
    nodes: int
    macs: int
    n_bytes: int
    constant_bytes: int


@dataclasses.dataclass(frozen=True)
class HostTime:
    """Median processor time of one inference, one thread. interpreter: package and version. kernels: see runtime.load_model."""

    interpreter: str
    kernels: str
    milliseconds: float


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one inference takes, measured on this very file.

    Args:
        parts: of the graph, in order.
        host_times: of every interpreter that was there. host: the machine that they were measured on.
    """

    parts: tuple[PartCost, ...]
    host_times: tuple[HostTime, ...] = ()
    host: str = ""

    @property
    def nodes(self):
        """Operators of all parts."""
        return sum(part.nodes for part in self.parts)


@dataclasses.dataclass(frozen=True)
class StreamState:
    """What a streaming file remembers from one step to the next, in one tensor.

    Args:
        name: unique. shape, dtype: of the tensor, batch first.
        scale, zero_point: see TensorSpec; a state goes into a step with those with which it came out of the last one. Every value
            is zero_point at the start of a recording.
        input, output: names of its tensors in the file; "" for a state that the file keeps itself.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0
    input: str = ""
    output: str = ""


@dataclasses.dataclass(frozen=True)
class Streaming:
    """How a streaming file takes a recording, step by step.

    Args:
        hop_frames: frames that one step takes. hop_samples: samples of PCM that bring them.
        state: "internal" (the file remembers; reset by a new interpreter) or "external" (the caller passes every state on).
        delay_frames: frames that a score is late, the look-ahead of the network. delay_ms: the same in milliseconds.
        stride_frames: frames per score; a step gives hop_frames / stride_frames of them, the newest last.
        window_frames: frames of the mean over time. average: "window": a score is the mean over the window, in which frames before
            the recording count as logits of zero.
        states: StreamStates.
        valid: name of the input that tells which frames of a step belong to the recording, one 1 or 0 each; "" where all of them do.
    """

    hop_frames: int
    hop_samples: int
    state: str
    delay_frames: int
    delay_ms: float
    window_frames: int
    states: tuple[StreamState, ...]
    stride_frames: int = 1
    average: str = "window"
    valid: str = ""

    def __post_init__(self):
        _require(self.state in STATE_KINDS, f"streaming: state must be one of {', '.join(STATE_KINDS)}; received {self.state!r}.")
        for name, low in (("hop_frames", 1), ("hop_samples", 1), ("window_frames", 1), ("stride_frames", 1), ("delay_frames", 0)):
            _require(getattr(self, name) >= low, f"streaming: {name} must be at least {low}; received {getattr(self, name)}.")
        _require(self.hop_frames % self.stride_frames == 0,
                 f"streaming: hop_frames {self.hop_frames} must be a multiple of stride_frames {self.stride_frames}.")
        _require(len({state.name for state in self.states}) == len(self.states), "streaming: two states have one name.")
        for state in self.states:
            _require(bool(state.input and state.output) == (self.state == "external"),
                     f"streaming: {self.state} state {state.name} has input {state.input!r} and output {state.output!r}.")

    @property
    def hop_scores(self):
        """Scores that one step gives."""
        return self.hop_frames // self.stride_frames


@dataclasses.dataclass(frozen=True)
class WakeWord:
    """What a file with one probability listens for, and what ESPHome's own manifest says about it, see kws_tf.runtime.device_manifest.

    Args:
        keyword: the label. phrase: as people read it. author: name. languages: codes such as "en". website: address, or "".
    """

    keyword: str
    phrase: str
    author: str = ""
    languages: tuple[str, ...] = ("en",)
    website: str = ""


@dataclasses.dataclass(frozen=True)
class EthosEstimate:
    """What Vela, the compiler for Ethos-U, estimates for one inference.

    Args:
        vela_version: of the compiler. accelerator: its name for it, such as "ethos-u55-128". system: system configuration and memory mode.
        clock_mhz: of the accelerator. milliseconds: of one inference, the operators on the CPU not counted.
        sram_bytes: working memory. flash_bytes: of the compiled weights and commands.
        operators: nodes of the file. cpu_operators: those left to the CPU, how often by name.
        model_file, model_id, model_bytes: the compiled file beside the model, the SHA-256 of its bytes and its size.
    """

    vela_version: str
    accelerator: str
    system: str
    clock_mhz: float
    milliseconds: float
    sram_bytes: int
    flash_bytes: int
    operators: int
    cpu_operators: dict
    model_file: str
    model_id: str
    model_bytes: int

    @property
    def cpu_share(self):
        """Share of the operators that are left to the CPU."""
        return sum(self.cpu_operators.values()) / self.operators if self.operators else 0.0


@dataclasses.dataclass(frozen=True)
class Enrolment:
    """A class that kws_tf.enroll put into the file: from how many clips, and the mean cosine of those with its prototype."""

    label: str
    clips: int
    agreement: float


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a model file is, how to feed it and what its answers mean.

    Args:
        model_file: file name beside the manifest. model_id: SHA-256 of its bytes, hexadecimal. model_bytes: its size.
        kind: "clip" (one fixed length at once) or "streaming" (hop by hop, with states).
        profile: name of the export profile, such as "float32", "features", "pi" or "tflm".
        labels: class names in the order of the output.
        sample_rate: Hz. clip_samples: samples that the network sees at once. crop: where a longer clip is cut.
        features: front-end parameters. input_kind: "features" (the host computes them) or "pcm" (the graph does).
        inputs, outputs: tensors of the file, external states among them. streaming: how a streaming file takes a recording.
        operators: operators of the file. macs: multiply-accumulates of one inference. parameters: trained weights.
        kws_tf_version: version that made the file. schema_version: layout of this manifest.
        data_licence: licence note of the training data. metrics: figures of this very file by name, JSON values.
        run: configuration of the training run, as RunConfig in JSON form; informative, a runtime never needs it.
        arena: measured working memory, if measured. cost: what one inference takes, if measured.
        detector: keywords and calibrated presets of the detector.
        enrolled: classes that were added or replaced without training.
        wake_word: for a file that gives one probability, uint8 [1, 1], in the place of logits: the labels are then the background and
            the keyword. ethos: estimate for an Ethos-U, if it was made.
    """

    model_file: str
    model_id: str
    model_bytes: int
    kind: str
    profile: str
    labels: tuple[str, ...]
    sample_rate: int
    clip_samples: int
    features: FeatureConfig
    input_kind: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: tuple[OperatorCount, ...]
    macs: int
    parameters: int
    kws_tf_version: str
    crop: str = "energy"
    streaming: Streaming | None = None
    data_licence: str = ""
    metrics: dict = dataclasses.field(default_factory=dict)
    run: dict = dataclasses.field(default_factory=dict)
    arena: Arena | None = None
    cost: Cost | None = None
    detector: DetectorPresets | None = None
    enrolled: tuple[Enrolment, ...] = ()
    wake_word: WakeWord | None = None
    ethos: EthosEstimate | None = None
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self):
        _require_schema(self.schema_version)
        plain = isinstance(self.model_file, str) and self.model_file not in ("", ".", "..") and not set("/\\\0") & set(self.model_file)
        _require(plain, f"model_file must be a plain file name; received {self.model_file!r}.")
        _require(len(self.model_id) == 64 and not set(self.model_id) - set("0123456789abcdef"),
                 f"model_id must be a SHA-256 in 64 hexadecimal digits; received {self.model_id!r}.")
        _require(self.kind in KINDS, f"kind must be one of {', '.join(KINDS)}; received {self.kind!r}.")
        _require((self.kind == "streaming") == (self.streaming is not None),
                 f"kind {self.kind!r} {'needs' if self.streaming is None else 'has no'} section streaming.")
        _require(self.input_kind in INPUT_KINDS, f"input_kind must be one of {', '.join(INPUT_KINDS)}; received {self.input_kind!r}.")
        _require(self.crop in EVAL_CROPS, f"crop must be one of {', '.join(EVAL_CROPS)}; received {self.crop!r}.")
        _require(len(self.labels) >= 2 and len(set(self.labels)) == len(self.labels),
                 f"labels must be at least two different names; received {self.labels!r}.")
        _require(self.sample_rate == self.features.sample_rate,
                 f"sample_rate {self.sample_rate} and the features' {self.features.sample_rate} differ.")
        _require(self.features.fft_size <= LARGEST_FFT_SIZE,
                 f"fft_size must be at most {LARGEST_FFT_SIZE}; received {self.features.fft_size}.")
        unknown = [keyword for keyword in self.detector.keywords if keyword not in self.labels] if self.detector else []
        _require(not unknown, f"detector: {', '.join(unknown)} must be one of the labels {', '.join(self.labels)}.")
        if self.wake_word is not None:
            _require(len(self.labels) == 2 and self.labels[1] == self.wake_word.keyword,
                     f"a file with one probability has two labels, the second is {self.wake_word.keyword!r}; received {self.labels!r}.")
        _require(self.model_bytes > 0 and self.clip_samples > 0 and self.inputs and self.outputs,
                 "model_bytes and clip_samples must be positive, and inputs and outputs be listed.")


def _require(condition, message):
    if not condition:
        raise ModelFileError(f"manifest: {message}")


def _require_schema(version):
    _require(version == SCHEMA_VERSION,
             f"schema_version must be {SCHEMA_VERSION}; received {version!r}. Use the kws_tf version that made the model.")


def model_id(content):
    """SHA-256 of the bytes of a model file, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def to_json(manifest):
    """The manifest as JSON text, one field per line where it is short."""
    return json.dumps(to_dict(manifest), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text):
    """Parses and checks a manifest.

    Raises:
        ModelFileError: not JSON, an unknown schema, a missing or unknown field, a value of the wrong type or out of range.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"manifest: not a JSON text ({error}).") from error
    _require(isinstance(values, dict), f"a JSON object is expected; received {type(values).__name__}.")
    _require_schema(values.get("schema_version"))
    features = values.get("features")
    if isinstance(features, dict):
        # A front end is described in full: a default may change from version to version.
        missing = [field.name for field in dataclasses.fields(FeatureConfig) if field.name not in features]
        _require(not missing, f"features lacks {', '.join(missing)}.")
    try:
        return from_dict(Manifest, values, "manifest")
    except ConfigError as error:
        raise ModelFileError(str(error)) from error


def read(folder):
    """The manifest of an export folder.

    Raises:
        ModelFileError: manifest.json is missing, unreadable or wrong; the message names the file.
    """
    path = pathlib.Path(folder) / MANIFEST_FILE
    try:
        if not path.is_file():
            raise ModelFileError(f"{path}: no manifest beside the model. Export the model again; a .tflite file alone is not trusted.")
        if path.stat().st_size > LARGEST_MANIFEST_BYTES:
            raise ModelFileError(f"{path}: {path.stat().st_size} bytes are too many for a manifest.")
        return from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path}: cannot be read ({error}).") from error
    except ModelFileError as error:
        raise error if str(error).startswith(str(path)) else ModelFileError(f"{path}: {error}") from error
