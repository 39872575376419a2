"""Figures that predict real use, computed from the exported file. No TensorFlow, no Keras."""

from kws_tf.evaluation.clip_evaluation import evaluate_model

__all__ = ["evaluate_model"]
