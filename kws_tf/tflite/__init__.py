"""Trained network -> TFLite file: freezing, integer conversion, manifest, export folder. Needs TensorFlow."""

from kws_tf.tflite.calibration import calibration_pcm, choose_clips
from kws_tf.tflite.convert import convert_classifier
from kws_tf.tflite.export import add_evaluation, export
from kws_tf.tflite.report import REPORT_FILE
from kws_tf.tflite.streaming_export import export_streaming

__all__ = ["REPORT_FILE", "add_evaluation", "calibration_pcm", "choose_clips", "convert_classifier", "export", "export_streaming"]
