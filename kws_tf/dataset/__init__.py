"""Folder data sets: scanned, checked, decoded once into a memory map, dealt in batches of 16-bit PCM."""

from kws_tf.config import SPLITS
from kws_tf.dataset.clip_dataset import ClipDataset, load
from kws_tf.dataset.impulse_responses import load_responses
from kws_tf.dataset.noise import load_noise
from kws_tf.dataset.split import Split

__all__ = ["SPLITS", "ClipDataset", "Split", "load", "load_noise", "load_responses"]
