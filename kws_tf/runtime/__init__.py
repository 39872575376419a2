"""Runs exported models with numpy and a TFLite interpreter alone: no TensorFlow, no Keras."""

from kws_tf.runtime.detector import Detector, Event
from kws_tf.runtime.model import Model, Prediction, load_model

__all__ = ["Detector", "Event", "Model", "Prediction", "load_model"]
