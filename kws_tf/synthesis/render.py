"""From a planned clip to PCM: speech, resampling, cuts, placement, noise, level."""

import dataclasses

import numpy as np

from kws_tf import audio
from kws_tf.crop import energy_start
from kws_tf.errors import DatasetError
from kws_tf.synthesis import mixing, noise, other_speech

# A multiple of this keeps the ratio to the sample rate short, and with it the resampling filter.
_RATE_STEP = 50
_FADE_MS = 8.0
# Kinds of which any part may be heard: they are cut where a phrase would be spoken faster.
_MAY_BE_CUT = {"sentence", "word", "repeated", "spliced"}


def render(clip, settings, engine):
    """Speaks one clip.

    A phrase or a near miss that does not fit is spoken faster by a tenth until it does, so none is ever cut. Of longer other speech a
    stretch is taken.

    Args:
        clip: Clip.
        settings: SynthesisConfig.
        engine: Engine.

    Returns:
        (int16 [samples], the clip with the voice that was used). Of a longer recording of a phrase it is the
        stretch with the most energy: training would draw any other. Other recordings and pieces keep their length; all else has
        clip_samples.

    Raises:
        DatasetError: the speech does not fit at the highest speed.
        AudioError: the engine cannot say the text, or a recording cannot be read.
    """
    if clip.source_seconds:
        return other_speech.read(clip, settings.sample_rate), clip
    if clip.source:
        pcm = audio.read_pcm(clip.source, settings.sample_rate)
        if clip.label in settings.labels and len(pcm) > settings.clip_samples:
            start = energy_start(pcm, settings.clip_samples)
            pcm = pcm[start:start + settings.clip_samples]
        return pcm, clip
    rng = np.random.default_rng(clip.seed)
    background = noise.make(clip.noise, settings.clip_samples, settings.sample_rate, rng) if clip.noise else None
    if not clip.pieces:
        return mixing.to_pcm(background, clip.peak_db), clip
    speech = utterance(clip, settings, engine)
    while len(speech) > settings.clip_samples and clip.kind not in _MAY_BE_CUT:
        voice = engine.faster(clip.voice)
        if voice is None:
            raise DatasetError(f"synthesis: {clip.pieces[0].text!r} by {clip.speaker!r} does not fit into "
                               f"{settings.clip_seconds:g} s at any speed. Use a longer --clip_duration; or, if this voice alone is "
                               "too slow, leave it out: give --voice for each of the others.")
        clip = dataclasses.replace(clip, voice=voice)
        speech = utterance(clip, settings, engine)
    if len(speech) > settings.clip_samples:
        start = round(clip.position * (len(speech) - settings.clip_samples))
        speech = speech[start:start + settings.clip_samples]
    speech = mixing.place(speech, settings.clip_samples, clip.position)
    return mixing.to_pcm(speech if background is None else mixing.add_noise(speech, background, clip.snr_db), clip.peak_db), clip


def utterance(clip, settings, engine):
    """The speech of a clip alone: its pieces, each spoken whole, trimmed, cut and joined; float [samples] of any length."""
    spoken = {}
    for text in dict.fromkeys(piece.text for piece in clip.pieces):
        samples, rate = engine.speak(text, clip.voice, clip.seed)
        samples = mixing.block_offset(samples, rate)
        rate = round(rate * clip.formant_scale / _RATE_STEP) * _RATE_STEP
        spoken[text] = mixing.trim(audio.resample(samples, rate, settings.sample_rate), settings.sample_rate)
    parts = []
    for text, start, end in clip.pieces:
        sound = spoken[text]
        parts.append(mixing.cut(sound, round(start * len(sound)), round(end * len(sound)), settings.sample_rate, _FADE_MS))
    return np.concatenate(parts)
