"""Networks that run on audio as it comes: exactly the offline network, frame by frame, with an explicit state."""

from kws_tf.streaming.streaming_layer import StreamingLayer
from kws_tf.streaming.streaming_model import StreamingModel

__all__ = ["StreamingLayer", "StreamingModel"]
