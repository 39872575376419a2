"""Random changes to training clips, drawn for every clip on its own: draw the parameters, then apply them.

A draw is a dictionary of small tensors, one entry per clip. It can be recorded and replayed: apply has no randomness of its own.
"""

from kws_tf.augment.background_noise import BackgroundNoise
from kws_tf.augment.frequency_warp import FrequencyWarp
from kws_tf.augment.gain import Gain
from kws_tf.augment.microphone import Microphone
from kws_tf.augment.noise_bank import NoiseBank
from kws_tf.augment.peak_normalization import PeakNormalization
from kws_tf.augment.room import Room
from kws_tf.augment.spec_augment import SpecAugment, frequency_mask_rows
from kws_tf.augment.synthetic_noise import synthetic_noise
from kws_tf.augment.tape_speed import TapeSpeed
from kws_tf.augment.time_shift import TimeShift
from kws_tf.augment.waveform_augment import WaveformAugment
from kws_tf.augment.white_noise import WhiteNoise

__all__ = ["BackgroundNoise", "FrequencyWarp", "Gain", "Microphone", "NoiseBank", "PeakNormalization", "Room", "SpecAugment", "TapeSpeed",
           "TimeShift", "WaveformAugment", "WhiteNoise", "frequency_mask_rows", "synthetic_noise"]
