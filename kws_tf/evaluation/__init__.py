"""Figures that predict real use, computed from the exported file. No TensorFlow, no Keras."""

from kws_tf.evaluation.clip_evaluation import evaluate_model
from kws_tf.evaluation.confusion_picture import draw_confusion
from kws_tf.evaluation.stream_evaluation import evaluate_stream

__all__ = ["draw_confusion", "evaluate_model", "evaluate_stream"]
