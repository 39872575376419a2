"""WaveformAugment: everything that happens to PCM in training."""

import keras
from absl import logging
from keras import ops

from kws_tf.augment.background_noise import BackgroundNoise
from kws_tf.augment.gain import Gain
from kws_tf.augment.microphone import Microphone
from kws_tf.augment.noise_bank import NoiseBank
from kws_tf.augment.peak_normalization import PeakNormalization
from kws_tf.augment.random_draw import uniform
from kws_tf.augment.room import Room
from kws_tf.augment.synthetic_noise import synthetic_noise
from kws_tf.augment.tape_speed import TapeSpeed
from kws_tf.augment.time_shift import TimeShift
from kws_tf.augment.white_noise import WhiteNoise
from kws_tf.errors import ConfigError

SYNTHETIC_NOISE_S = 20.0
LARGEST_SAMPLE = 32767 / 32768


class WaveformAugment:
    """Peak normalisation, tape speed, time shift, background noise, room, white noise, gain, microphone, in this order, then the
    limits of 16-bit PCM.

    One coin per clip decides on shift and background noise together: with equal probabilities a clip gets both or neither, as in the
    published recipe of BC-ResNet. The others have coins of their own. Clip and noise are at two places of the room; white noise is that of
    the microphone itself, and gain and microphone act on all there is.
    A change whose probability is 0 is left out of the graph and of the draws.

    Without recordings only clips of the silence class get noise, and that is synthetic: white, pink and brown, the same in every run.

    Args:
        augment: AugmentConfig.
        sample_rate: Hz.
        clip_samples: length of the clips.
        recordings: noise, arrays int16 [samples] at sample_rate; empty for none.
        silence_index: label of the silence class, None if there is none.
        responses: impulse responses float32 [rooms, 2, samples] of kws_tf.dataset.load_responses; None for none.

    Raises:
        ConfigError: noise_dir or rir_dir is set but no recordings or responses are passed, or a shift that is not shorter than the clip.

    Example:
        waveform = WaveformAugment(AugmentConfig(), 16000, 16000, recordings, silence_index=0)
        draws = waveform.draw(batch_size, labels, keras.random.SeedGenerator(1))
        pcm = waveform.apply(pcm, draws)             # [batch, 16000]
    """

    def __init__(self, augment, sample_rate, clip_samples, recordings=(), silence_index=None, responses=None):
        if augment.noise_dir and not recordings:
            raise ConfigError(f"WaveformAugment: noise_dir is {augment.noise_dir!r}, but no noise recording was passed.")
        if augment.rir_dir and responses is None:
            raise ConfigError(f"WaveformAugment: rir_dir is {augment.rir_dir!r}, but no impulse responses were passed.")
        noise_prob = augment.noise_prob if recordings else 0.0
        # A stage may bring later what is off at first.
        noise_is_possible = noise_prob or (recordings and augment.curriculum)
        self.tape = self.shift = self.noise = self.room = self.white_noise = self.gain = self.microphone = None
        self.peak_normalization = PeakNormalization() if augment.peak_normalize else None
        if augment.tape_prob:
            self.tape = TapeSpeed(augment.tape_prob, augment.tape_speed, clip_samples)
        max_samples = round(augment.shift_ms * sample_rate / 1000)
        if augment.shift_prob and max_samples:
            self.shift = TimeShift(augment.shift_prob, max_samples, clip_samples)
        if noise_is_possible or silence_index is not None:
            if not recordings:
                logging.info("No noise recordings (--noise_dir): clips of class %s get synthetic white, pink and brown noise, "
                             "other clips none.", augment.silence_label)
                recordings = synthetic_noise(sample_rate, SYNTHETIC_NOISE_S, seed=0)
            self.noise = BackgroundNoise(augment, NoiseBank(recordings, clip_samples), noise_prob, silence_index)
        if (augment.rir_prob or augment.curriculum) and responses is not None:
            self.room = Room(augment.rir_prob, responses, clip_samples)
        if augment.white_noise_prob:
            self.white_noise = WhiteNoise(augment.white_noise_prob, augment.white_noise_dbfs, sample_rate, clip_samples)
        if augment.gain_prob:
            self.gain = Gain(augment.gain_prob, augment.gain_db)
        if augment.mic_prob:
            self.microphone = Microphone(augment.mic_prob, sample_rate, clip_samples, augment.mic_uneven_db)
        self.clip_samples = clip_samples
        self._stage = {}
        if augment.curriculum:
            self._make_adjustable(augment, noise_is_possible)

    def _make_adjustable(self, augment, noise_is_possible):
        """Puts variables in the place of the numbers that a curriculum changes: the compiled graph stays."""
        low, high = augment.noise_snr_db
        values = {"rir_prob": augment.rir_prob, "low": low, "high": high}
        if noise_is_possible:  # without recordings the noise stays with the silence class, whatever a stage says
            values["noise_prob"] = augment.noise_prob
        self._stage = {name: keras.Variable(value, trainable=False, dtype="float32", name=name) for name, value in values.items()}
        if self.room:
            self.room.prob = self._stage["rir_prob"]
        if noise_is_possible:
            self.noise.prob, self.noise.snr_db = self._stage["noise_prob"], (self._stage["low"], self._stage["high"])

    def set_stage(self, rir_prob, noise_prob, noise_snr_db):
        """Changes what a curriculum changes, between two steps; without --curriculum nothing can be changed.

        Args:
            rir_prob, noise_prob, noise_snr_db: as in AugmentConfig.
        """
        for name, value in (("rir_prob", rir_prob), ("noise_prob", noise_prob), ("low", noise_snr_db[0]), ("high", noise_snr_db[1])):
            if name in self._stage:
                self._stage[name].assign(value)

    def draw(self, batch_size, labels, seed_generator):
        """Draws for the clips of one batch.

        Args:
            batch_size: clips, an int or a scalar tensor.
            labels: int32 [batch]; may be None without a silence class.
            seed_generator: keras.random.SeedGenerator.

        Returns:
            Dictionary of tensors [batch]: tape_speed float32, shift_samples int32, noise_start int32, noise_amplitude float32,
            noise_snr_db float32, room int32, white_noise_start int32, white_noise_dbfs float32, gain_db float32 and those of Microphone; of
            these, what the configuration asks for.
        """
        draws = {}
        coin = uniform((batch_size,), seed_generator)
        if self.shift:
            draws.update(self.shift.draw(coin, seed_generator))
        if self.noise:
            draws.update(self.noise.draw(coin, labels, seed_generator))
        for change in (self.room, self.white_noise, self.gain, self.microphone, self.tape):
            if change:
                draws.update(change.draw(uniform((batch_size,), seed_generator), seed_generator))
        return draws

    def apply(self, pcm, draws):
        """Applies draws to float PCM.

        Args:
            pcm: float32 [batch, clip_samples] in [-1, 1).
            draws: as draw returns them.

        Returns:
            float32 [batch, clip_samples] in [-1, 1).
        """
        for change in (self.peak_normalization, self.tape, self.shift):
            if change:
                pcm = change.apply(pcm, draws)
        noise = self.noise.scaled(pcm, draws) if self.noise else None
        if self.room:
            pcm = self.room.apply(pcm, noise, draws)
        elif noise is not None:
            pcm = pcm + noise
        for change in (self.white_noise, self.gain, self.microphone):
            if change:
                pcm = change.apply(pcm, draws)
        return ops.clip(pcm, -1.0, LARGEST_SAMPLE)
