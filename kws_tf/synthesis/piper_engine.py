"""PiperEngine: neural voices of the package piper-tts, which the user installs and whose voice files the user brings."""

import dataclasses
import functools
import hashlib
import json
import pathlib

import numpy as np

from kws_tf.errors import AudioError, ConfigError, KwsError
from kws_tf.synthesis.engine import Take

_FASTEST_SCALE = 0.4


@dataclasses.dataclass(frozen=True)
class PiperEngine:
    """Every speaker of every voice file is one speaker; tempo and the two noise scales of the network are drawn.

    piper-tts is licensed GPL-3.0-or-later and used through its Python interface. Each voice file has a licence of its own, written in
    its model card: read it, because it holds for the speech too. The noise inside the network comes from onnxruntime, whose
    seed holds for a whole process: a set made again has the same texts, voices and settings, not the same samples.

    Args:
        files: voices, "en_US-lessac-medium.onnx"; beside each lies its configuration, "en_US-lessac-medium.onnx.json".
        length_scale: low and high of the duration relative to the voice's own. noise_scale, noise_w_scale: of the network's noise.

    Raises:
        ConfigError: no file is given, or one is missing or without a usable configuration.
        KwsError: piper-tts is not installed.
    """

    files: tuple[str, ...]
    length_scale: tuple[float, ...] = (0.75, 1.3)
    noise_scale: tuple[float, ...] = (0.4, 1.0)
    noise_w_scale: tuple[float, ...] = (0.5, 1.1)

    def __post_init__(self):
        if not self.files:
            raise ConfigError("--engine=piper needs voices: --voice FILE.onnx, as often as there are voices.")
        for file in self.files:
            if not pathlib.Path(file).is_file():
                raise ConfigError(f"--voice={file}: there is no such file; expected a Piper voice, FILE.onnx and FILE.onnx.json.")
            _speaker_ids(file)
        _piper()

    def identity(self):
        digests = {pathlib.Path(file).name: hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest() for file in self.files}
        settings = {name: value for name, value in dataclasses.asdict(self).items() if name != "files"}
        return {"engine": "piper", "voices": digests, "licence": "see the model card of each voice", **settings}

    def speakers(self):
        return tuple((Take(f"{file}#{speaker}"),) for file in self.files for speaker in _speaker_ids(file))

    def draw(self, take, rng):
        file, speaker = take.identifier.rsplit("#", 1)
        ranges = {name: getattr(self, name) for name in ("length_scale", "noise_scale", "noise_w_scale")}
        return {"file": file, "speaker": int(speaker), **{name: round(rng.uniform(*ends), 3) for name, ends in ranges.items()}}

    def faster(self, voice):
        scale = round(voice["length_scale"] / 1.1, 3)
        return None if scale < _FASTEST_SCALE else {**voice, "length_scale": scale}

    def speak(self, text, voice, seed):
        piper = _piper()
        _seed_network(seed)
        settings = piper.SynthesisConfig(speaker_id=voice["speaker"], length_scale=voice["length_scale"], noise_scale=voice["noise_scale"],
                                         noise_w_scale=voice["noise_w_scale"])
        chunks = list(_load(voice["file"]).synthesize(text, syn_config=settings))
        if not chunks:
            raise AudioError(f"piper: {pathlib.Path(voice['file']).name} has nothing to say for the text {text!r}.")
        samples = np.concatenate([chunk.audio_float_array for chunk in chunks])
        return samples.astype(np.float64), chunks[0].sample_rate


def _piper():
    try:
        import piper
    except ImportError as error:
        raise KwsError("--engine=piper needs the package piper-tts, which is not installed: pip install piper-tts.") from error
    return piper


@functools.cache
def _speaker_ids(file):
    try:
        settings = json.loads(pathlib.Path(f"{file}.json").read_text(encoding="utf-8"))
        return tuple(range(max(1, int(settings.get("num_speakers", 1)))))
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"--voice={file}: its configuration {pathlib.Path(file).name}.json, which comes with every Piper voice, "
                          "is missing beside it or cannot be read.") from error


@functools.lru_cache(maxsize=8)
def _load(file):
    return _piper().PiperVoice.load(file)


def _seed_network(seed):
    try:
        import onnxruntime
    except ImportError:
        return
    onnxruntime.set_seed(seed)
