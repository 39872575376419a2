"""Every setting of a run, as frozen dataclasses that check themselves and travel as JSON. No TensorFlow, no numpy."""

import dataclasses
import json
import math
import types
import typing

from kws_tf.errors import ConfigError

# Folders of a data set, in the order in which clips are dealt to them.
SPLITS = ("training", "validation", "testing")
# Where a longer clip is cut; "random" in training alone.
EVAL_CROPS = ("energy", "start", "centre", "end")
TRAIN_CROPS = ("random", *EVAL_CROPS)
# JSON may hold longer ones, of which no float can be made.
LARGEST_INTEGER = 2**63 - 1


def _require(condition, message):
    if not condition:
        raise ConfigError(message)


def _require_choice(owner, name, value, choices):
    _require(value in choices, f"{owner}: {name} must be one of {', '.join(map(repr, choices))}; received {value!r}.")


def _require_range(owner, name, value, low, high=math.inf, *, above=False):
    """Checks low <= value <= high (low < value with above=True), and that the value is a finite number."""
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_INTEGER
    number = whole or isinstance(value, float) and math.isfinite(value)
    inside = number and (low < value if above else low <= value) and value <= high
    bound = f"{'above' if above else 'at least'} {low:g}" + (f" and at most {high:g}" if math.isfinite(high) else "")
    _require(inside, f"{owner}: {name} must be {bound}; received {value!r}. Set --{name}.")


def _require_pair(owner, name, value, low=-math.inf):
    ordered = len(value) == 2 and all(math.isfinite(v) for v in value) and low <= value[0] <= value[1]
    _require(ordered, f"{owner}: {name} must be two numbers, low,high, with low <= high"
                      + (f" and low >= {low:g}" if math.isfinite(low) else "") + f"; received {value!r}.")


# The front end of ESPHome's micro_wake_word; log_floor means nothing there.
MICRO_PARAMETERS = types.MappingProxyType({
    "sample_rate": 16000, "window_samples": 480, "hop_samples": 160, "fft_size": 512, "n_mels": 40, "n_mfcc": 0, "low_hz": 125.0,
    "high_hz": 7500.0, "spectrum": "magnitude", "log_floor": 1.0})


@dataclasses.dataclass(frozen=True)
class FeatureConfig:
    """Log-mel or MFCC features of 16-bit PCM: one definition for training, the numpy runtime and the integer graph.

    Kind "micro" is the front end of ESPHome devices instead, see kws_tf.micro_front_end: all its parameters are fixed.

    Frames are causal, without centring: frame t covers samples [t*hop, t*hop + window). A frame is multiplied with a
    periodic Hann window, zero-padded to fft_size, and its spectrum is |X| (magnitude) or |X|^2 (power) of samples scaled
    to [-1, 1). HTK mel triangles without area normalisation, then ln(max(mel, log_floor)). MFCC: orthonormal DCT-II of that.

    Args:
        kind: "logmel", "mfcc" or "micro".
        sample_rate: Hz.
        window_samples, hop_samples, fft_size: frame geometry in samples; window_samples <= fft_size.
        n_mels: mel bands. n_mfcc: DCT coefficients kept, 0 for log-mel.
        low_hz, high_hz: edges of the mel filterbank.
        spectrum: "power" or "magnitude".
        log_floor: smallest mel value before the logarithm, in units of the spectrum.
    """

    kind: str = "logmel"
    sample_rate: int = 16000
    window_samples: int = 480
    hop_samples: int = 160
    fft_size: int = 512
    n_mels: int = 40
    n_mfcc: int = 0
    low_hz: float = 0.0
    high_hz: float = 8000.0
    spectrum: str = "power"
    log_floor: float = 1e-6

    def __post_init__(self):
        own = "features"
        _require_choice(own, "kind", self.kind, ("logmel", "mfcc", "micro"))
        _require_choice(own, "spectrum", self.spectrum, ("power", "magnitude"))
        _require_range(own, "sample_rate", self.sample_rate, 4000, 192000)
        _require_range(own, "window_samples", self.window_samples, 2)
        _require_range(own, "hop_samples", self.hop_samples, 1)
        _require(self.window_samples <= self.fft_size,
                 f"{own}: fft_size must be at least window_samples={self.window_samples}; received {self.fft_size}.")
        _require_range(own, "n_mels", self.n_mels, 1, self.fft_size // 2)
        if self.kind == "mfcc":
            _require(1 <= self.n_mfcc <= self.n_mels,
                     f"{own}: n_mfcc must be between 1 and n_mels={self.n_mels} for MFCC; received {self.n_mfcc}.")
        else:
            _require(self.n_mfcc == 0, f"{own}: n_mfcc={self.n_mfcc} is given, but kind is {self.kind!r}; use kind 'mfcc' or n_mfcc=0.")
        _require(0 <= self.low_hz < self.high_hz <= self.sample_rate / 2,
                 f"{own}: mel edges must satisfy 0 <= low_hz < high_hz <= sample_rate/2 = {self.sample_rate / 2:g} Hz; "
                 f"received {self.low_hz:g} and {self.high_hz:g}.")
        _require_range(own, "log_floor", self.log_floor, 0, above=True)
        if self.kind == "micro":
            other = [f"{name}={getattr(self, name)}" for name, value in MICRO_PARAMETERS.items() if getattr(self, name) != value]
            _require(not other, f"{own}: kind 'micro' is the front end of ESPHome devices, which has these parameters and no others: "
                                + ", ".join(f"{name}={value}" for name, value in MICRO_PARAMETERS.items())
                                + f"; received {', '.join(other)}. Use --features=micro alone.")

    @property
    def n_features(self):
        """Rows per frame: n_mfcc for MFCC, n_mels for log-mel."""
        return self.n_mfcc if self.kind == "mfcc" else self.n_mels

    @property
    def hop_ms(self):
        """Time between the starts of two frames in milliseconds."""
        return 1000 * self.hop_samples / self.sample_rate

    def n_frames(self, n_samples):
        """Whole frames in n_samples; 0 if they do not fill one window."""
        return 0 if n_samples < self.window_samples else 1 + (n_samples - self.window_samples) // self.hop_samples


FEATURE_PRESETS = types.MappingProxyType({
    "bc_resnet": FeatureConfig(),
    "bc_resnet_80": FeatureConfig(n_mels=80),
    "sparknet": FeatureConfig(kind="mfcc", window_samples=400, n_mels=32, n_mfcc=32),
    "mlperf_tiny": FeatureConfig(kind="mfcc", hop_samples=320, n_mels=40, n_mfcc=10, low_hz=20.0, high_hz=4000.0, spectrum="magnitude"),
    "low_compute": FeatureConfig(kind="mfcc", hop_samples=480, n_mels=40, n_mfcc=20, spectrum="magnitude", log_floor=1e-3),
    "micro": FeatureConfig(kind="micro", **MICRO_PARAMETERS),
})
# Those that a Keras layer and the integer front end compute.
GRAPH_PRESETS = types.MappingProxyType({name: preset for name, preset in FEATURE_PRESETS.items() if preset.kind != "micro"})


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the clips are and how each is fitted to one length.

    Args:
        data_root: folder with training/<class>/** and, if present, validation/ and testing/.
        clip_duration: seconds that the network sees.
        index: file with one class name per line that fixes their order; "" for alphabetical order.
        train_crop, eval_crop: where a longer clip is cut: "random" (training only), "energy" (the window with most energy),
            "start", "centre" or "end". Shorter clips are padded with zeros at both ends (evaluation: centred).
        cache_dir: folder of decoded clips; "" for the user's cache folder, $XDG_CACHE_HOME/kws_tf or ~/.cache/kws_tf.
        allow_bad_files: go on without unreadable files, saying how many.
        audio_backend: "auto", "tensorflow_io" or "soundfile".
    """

    data_root: str = ""
    clip_duration: float = 1.0
    index: str = ""
    train_crop: str = "random"
    eval_crop: str = "energy"
    cache_dir: str = ""
    allow_bad_files: bool = False
    audio_backend: str = "auto"

    def __post_init__(self):
        _require_range("data", "clip_duration", self.clip_duration, 0, 60, above=True)
        _require_choice("data", "train_crop", self.train_crop, TRAIN_CROPS)
        _require_choice("data", "eval_crop", self.eval_crop, EVAL_CROPS)
        _require_choice("data", "audio_backend", self.audio_backend, ("auto", "tensorflow_io", "soundfile"))


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """Random changes to training clips, drawn per clip. Every probability 0 switches its change off.

    Shift and noise of a clip are decided by one draw, as in the published recipe: with equal probabilities a clip gets both or neither.

    Args:
        tape_prob, tape_speed: share of clips that are played as a tape at another speed, and low and high of the speed.
        warp_prob, frequency_warp: share of clips whose frequency axis is stretched (kws_tf.augment.FrequencyWarp), and low and high of
            the factor; log-mel features alone.
        shift_prob, shift_ms: time shift by up to +-shift_ms, zero fill.
        noise_dir: folder of noise recordings; "" for none.
        noise_fraction: share of each recording, from its start, that is used (the rest may be in silence clips or tests).
        noise_prob: share of clips that get noise.
        noise_mode: "amplitude" (scaled by U(noise_amplitude)) or "snr" (signal-to-noise ratio U(noise_snr_db)).
        noise_amplitude, noise_snr_db: low and high.
        white_noise_prob, white_noise_dbfs: share of clips that get white noise, of a level from U(white_noise_dbfs) relative to full scale.
        rir_dir: folder of room impulse responses, made by kws_tf.rooms or recorded; "" for none, and then no rooms.
        rir_prob: share of clips that are in a room, their noise with them; noise_snr_db then is that of the sources.
        gain_prob, gain_db: level change drawn from U(gain_db).
        curriculum: stages of the run as JSON text, see kws_tf.training.curriculum; "" for the same all the time.
        mic_prob: share of clips that go through a cheap microphone: band limits, tilted and uneven spectrum, clipping.
        mic_uneven_db: its response goes up and down by up to so many dB, at a point in every octave.
        peak_normalize: bring every training clip to full scale first; only to reproduce the published training of SparkNet.
        silence_label, silence_amplitude: clips of this class always get noise at amplitude U(silence_amplitude),
            synthetic noise if there is no noise_dir.
        spec_prob: share of clips that get SpecAugment.
        frequency_masks, frequency_mask_rows, time_masks, time_mask_frames: number of masks and their parameter P: a mask is
            int(U(0, P)) wide. -1 rows means the preset of the paper for the model's tau (tau <= 1: no masks at all, time masks included).
    """

    tape_prob: float = 0.0
    tape_speed: tuple[float, ...] = (0.88, 1.14)
    warp_prob: float = 0.0
    frequency_warp: tuple[float, ...] = (0.85, 1.2)
    shift_prob: float = 0.8
    shift_ms: float = 100.0
    noise_dir: str = ""
    noise_fraction: float = 1.0
    noise_prob: float = 0.8
    noise_mode: str = "amplitude"
    noise_amplitude: tuple[float, ...] = (0.0, 0.1)
    noise_snr_db: tuple[float, ...] = (-5.0, 30.0)
    white_noise_prob: float = 0.0
    white_noise_dbfs: tuple[float, ...] = (-90.0, -46.0)
    rir_dir: str = ""
    rir_prob: float = 0.5
    gain_prob: float = 0.0
    gain_db: tuple[float, ...] = (-20.0, 6.0)
    mic_prob: float = 0.0
    mic_uneven_db: float = 0.0
    curriculum: str = ""
    peak_normalize: bool = False
    silence_label: str = "_silence_"
    silence_amplitude: tuple[float, ...] = (0.0, 1.0)
    spec_prob: float = 1.0
    frequency_masks: int = 2
    frequency_mask_rows: int = -1
    time_masks: int = 2
    time_mask_frames: int = 20

    def __post_init__(self):
        own = "augment"
        for name in ("shift_prob", "noise_prob", "white_noise_prob", "rir_prob", "gain_prob", "mic_prob", "tape_prob", "warp_prob",
                     "spec_prob"):
            _require_range(own, name, getattr(self, name), 0, 1)
        _require_range(own, "noise_fraction", self.noise_fraction, 0, 1, above=True)
        _require_range(own, "shift_ms", self.shift_ms, 0)
        _require_choice(own, "noise_mode", self.noise_mode, ("amplitude", "snr"))
        _require_pair(own, "noise_amplitude", self.noise_amplitude, 0)
        _require_pair(own, "silence_amplitude", self.silence_amplitude, 0)
        _require_pair(own, "noise_snr_db", self.noise_snr_db)
        _require_pair(own, "white_noise_dbfs", self.white_noise_dbfs)
        _require_pair(own, "tape_speed", self.tape_speed, 0.5)
        _require(self.tape_speed[1] <= 2, f"{own}: tape_speed must be at most 2; received {self.tape_speed!r}. Set --tape_speed.")
        _require_pair(own, "frequency_warp", self.frequency_warp, 0.5)
        _require(self.frequency_warp[1] <= 1.6, f"{own}: frequency_warp must be at most 1.6; received {self.frequency_warp!r}. "
                 "Set --frequency_warp.")
        _require_pair(own, "gain_db", self.gain_db)
        _require_range(own, "mic_uneven_db", self.mic_uneven_db, 0, 30)
        for name in ("frequency_masks", "time_masks", "time_mask_frames"):
            _require_range(own, name, getattr(self, name), 0)
        _require_range(own, "frequency_mask_rows", self.frequency_mask_rows, -1)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The network. Fields that a network does not use keep their defaults; kws_tf.models.build refuses them otherwise.

    Args:
        model: a name of kws_tf.models.MODELS.
        tau: width factor of BC-ResNet, 0.625 to 8 in the paper; any that gives at least one channel.
        ssn_groups: sub-bands of SubSpectralNormalization: "auto", a number that divides every stage's height, or "0" for BatchNorm.
        padding: "causal", "symmetric" or "mixed" padding of the temporal convolutions.
        dropout: channel dropout rate of each block of BC-ResNet.
        channels: width of SparkNet, 4, 8, 16 or 32 in the paper, or of DS-CNN; 0 for the network's own: 16 and 64.
        gate: SparkNet's gates at inference: "soft" or "hard".
        gate_penalty: SparkNet's weight of the mean probability that a gate is open, beside the cross entropy in nats.
        lookahead_stages: with padding "mixed", how many of the four stages (BC-ResNet) or blocks are symmetric, and the stem with them;
            the rest is causal. A streaming network is late by the look-ahead: BC-ResNet 8 frames for 2 stages, 58 if all is symmetric.
        arcface: cosine scores in place of a linear classifier, trained with an angular margin; such a model can enrol new classes.
        arcface_margin: radians that the loss adds to the angle of the right class. arcface_scale: score of a cosine of 1.
    """

    model: str = "bc_resnet"
    tau: float = 1.0
    ssn_groups: str = "auto"
    padding: str = "causal"
    dropout: float = 0.1
    channels: int = 0
    gate: str = "soft"
    gate_penalty: float = 0.01
    lookahead_stages: int = 0
    arcface: bool = False
    arcface_margin: float = 0.5
    arcface_scale: float = 30.0

    def __post_init__(self):
        own = "model"
        _require_range(own, "tau", self.tau, 0, 64, above=True)
        _require(int(8 * self.tau) >= 1,
                 f"{own}: tau={self.tau:g} gives no channel: int(8*tau) must be at least 1; use --tau=0.625 or more.")
        _require(self.ssn_groups == "auto" or self.ssn_groups.isdecimal(),
                 f"{own}: ssn_groups must be 'auto', 0 or a positive number; received {self.ssn_groups!r}.")
        _require_choice(own, "padding", self.padding, ("causal", "symmetric", "mixed"))
        _require_range(own, "lookahead_stages", self.lookahead_stages, 0, 4)
        _require((self.padding == "mixed") == (self.lookahead_stages > 0),
                 f"{own}: padding={self.padding!r} and lookahead_stages={self.lookahead_stages} contradict each other: "
                 "--padding=mixed needs --lookahead_stages of 1 to 4, any other padding none.")
        _require(isinstance(self.dropout, (int, float)) and 0 <= self.dropout < 1,
                 f"{own}: dropout must be at least 0 and below 1; received {self.dropout!r}. Set --dropout.")
        _require_range(own, "channels", self.channels, 0, 4096)
        _require_choice(own, "gate", self.gate, ("soft", "hard"))
        _require_range(own, "gate_penalty", self.gate_penalty, 0)
        _require_range(own, "arcface_margin", self.arcface_margin, 0, 1.5)
        _require_range(own, "arcface_scale", self.arcface_scale, 0, above=True)
        for name, default in (("arcface_margin", 0.5), ("arcface_scale", 30.0)):
            _require(self.arcface or getattr(self, name) == default,
                     f"{own}: {name}={getattr(self, name):g} is given, but there is no ArcFace head; add --arcface or leave --{name} away.")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """The recipe. Defaults are the published recipe of BC-ResNet.

    Args:
        batch_size: clips per step. lr: peak learning rate. epochs: passes over the training split.
        warmup_epochs: linear rise from 0 to lr. schedule: "cosine" (to 0 at the last step), "hold_polynomial" (SparkNet's: lr until 45 %
            of the steps, then a parabola down to 1e-4 of it), "plateau" or "constant".
        plateau_epochs, plateau_factor: schedule "plateau" multiplies the rate by the factor after so many epochs without a better monitor.
        patience: stop after so many epochs without a better monitor; 0 never stops early.
        momentum, weight_decay: SGD; the decay is added to the gradient of every weight, as PyTorch does.
        label_smoothing: share of the target spread over all classes.
        class_weights: "none" or "balanced" (inverse class frequency, mean 1).
        monitor: validation metric that picks the best checkpoint: "accuracy", "balanced_accuracy", "loss", or for wake words "recall_area",
            the area under recall for 0 to 2 false accepts per hour (kws_tf.recall_area).
        seed: of every random draw; 0 to 2^32 - 1.
        layout: "auto", "channels_last" or "batch_innermost" (about 1.7 times faster on CPUs; auto picks it there).
        pre_roll_frames: feature frames of earlier audio in front of the clips of some batches, and in the evaluation "pre_roll"; the
            mean over time leaves them out. 116 fill the whole context of BC-ResNet.
        pre_roll_probability: share of the training batches with pre-roll; 0 for none. For networks that will run in a stream.
        initial_weights: run folder whose best weights the training starts from; "" for freshly drawn ones.
    """

    batch_size: int = 100
    lr: float = 0.1
    epochs: int = 200
    warmup_epochs: float = 5.0
    schedule: str = "cosine"
    plateau_epochs: int = 5
    plateau_factor: float = 0.5
    patience: int = 0
    momentum: float = 0.9
    weight_decay: float = 1e-3
    label_smoothing: float = 0.0
    class_weights: str = "none"
    monitor: str = "accuracy"
    seed: int = 1
    layout: str = "auto"
    pre_roll_frames: int = 116
    pre_roll_probability: float = 0.0
    initial_weights: str = ""

    def __post_init__(self):
        own = "training"
        _require_range(own, "batch_size", self.batch_size, 1)
        _require_range(own, "lr", self.lr, 0, above=True)
        _require_range(own, "epochs", self.epochs, 1)
        _require_range(own, "warmup_epochs", self.warmup_epochs, 0)
        _require_choice(own, "schedule", self.schedule, ("cosine", "hold_polynomial", "plateau", "constant"))
        _require_range(own, "plateau_epochs", self.plateau_epochs, 1)
        _require_range(own, "plateau_factor", self.plateau_factor, 0, 1, above=True)
        _require_range(own, "patience", self.patience, 0)
        _require_range(own, "seed", self.seed, 0, 2**32 - 1)
        _require(0 <= self.momentum < 1, f"{own}: momentum must be at least 0 and below 1; received {self.momentum!r}. Set --momentum.")
        _require_range(own, "weight_decay", self.weight_decay, 0)
        _require(0 <= self.label_smoothing < 1,
                 f"{own}: label_smoothing must be at least 0 and below 1; received {self.label_smoothing!r}. Set --label_smoothing.")
        _require_choice(own, "class_weights", self.class_weights, ("none", "balanced"))
        _require_choice(own, "monitor", self.monitor, ("accuracy", "balanced_accuracy", "loss", "recall_area"))
        _require_choice(own, "layout", self.layout, ("auto", "channels_last", "batch_innermost"))
        _require_range(own, "pre_roll_frames", self.pre_roll_frames, 1, 10_000)
        _require_range(own, "pre_roll_probability", self.pre_roll_probability, 0, 1)


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything that one training run depends on; stored as config.json in its run folder."""

    data: DataConfig = DataConfig()
    features: FeatureConfig = FeatureConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()

    @property
    def clip_samples(self):
        """Samples that the network sees: clip_duration at the feature sample rate."""
        return round(self.data.clip_duration * self.features.sample_rate)

    def __post_init__(self):
        frames = self.features.n_frames(self.clip_samples)
        _require(frames >= 1, f"data: clip_duration={self.data.clip_duration:g} s is shorter than one feature window of "
                              f"{self.features.window_samples / self.features.sample_rate:g} s. Set --clip_duration.")


def to_dict(config):
    """A config dataclass as plain JSON types (tuples become lists)."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def from_dict(cls, values, where=""):
    """The inverse of to_dict, for any dataclass of plain types, tuples and dataclasses: every value must have the annotated type.

    Args:
        cls: the dataclass. values: dict of JSON values; fields with a default may be missing.
        where: what the messages call it; "" for the name of the class.

    Raises:
        ConfigError: an unknown or missing field, a value of another type, or one that a dataclass refuses; the message says where.
    """
    where = where or cls.__name__
    _require(isinstance(values, dict), f"{where} must be an object; received {values!r:.80}.")
    hints = typing.get_type_hints(cls)
    unknown = sorted(set(values) - set(hints))
    missing = [field.name for field in dataclasses.fields(cls) if field.name not in values
               and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING]
    _require(not unknown, f"{where} has the unknown field {', '.join(unknown)}; known are {', '.join(hints)}.")
    _require(not missing, f"{where} lacks {', '.join(missing)}.")
    decoded = {name: _decode(hints[name], value, f"{where}.{name}") for name, value in values.items()}
    try:
        return cls(**decoded)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _decode(kind, value, where):
    """JSON value -> the annotated type."""
    if isinstance(value, int):
        _require(abs(value) <= LARGEST_INTEGER, f"{where} is out of range; received a number of {value.bit_length()} bits.")
    if dataclasses.is_dataclass(kind):
        return from_dict(kind, value, where)
    if typing.get_origin(kind) is tuple:
        _require(isinstance(value, list), f"{where} must be a list; received {value!r:.80}.")
        return tuple(_decode(typing.get_args(kind)[0], entry, f"{where}[{i}]") for i, entry in enumerate(value))
    if isinstance(kind, types.UnionType):
        return None if value is None else _decode(typing.get_args(kind)[0], value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    _require(isinstance(value, kind) and not (kind is int and isinstance(value, bool)) and not (kind is float and not math.isfinite(value)),
             f"{where} must be {kind.__name__}; received {value!r:.80}.")
    return value
