"""Runs exported models with numpy and a TFLite interpreter alone: no TensorFlow, no Keras."""

from kws_tf.runtime.detector import Detector, Event
from kws_tf.runtime.model import Model, Prediction, load_model
from kws_tf.runtime.stream import ScoredFrame, Stream

__all__ = ["Detector", "Event", "Model", "Prediction", "ScoredFrame", "Stream", "load_model"]
