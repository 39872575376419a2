"""Keras layers of the networks, one per file, written with keras.ops. Tensors are [batch, time, frequency, channels]."""

from kws_tf.layers.cosine_classifier import CosineClassifier
from kws_tf.layers.frequency_depthwise_conv import FrequencyDepthwiseConv
from kws_tf.layers.sparse_binarization import SparseBinarization
from kws_tf.layers.sub_spectral_normalization import SubSpectralNormalization
from kws_tf.layers.temporal_padding import TemporalPadding

__all__ = ["CosineClassifier", "FrequencyDepthwiseConv", "SparseBinarization", "SubSpectralNormalization", "TemporalPadding"]
