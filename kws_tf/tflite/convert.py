"""One trained network -> the bytes of a TFLite file; writes nothing."""

import numpy as np

from kws_tf.errors import ConversionError
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.bias_correction import correct_biases
from kws_tf.tflite.freeze import INPUT_NAME, OUTPUT_NAME, convert_float32
from kws_tf.tflite.integer_form import integer_form
from kws_tf.tflite.paddings import fold_paddings
from kws_tf.tflite.past_frames import row_scales
from kws_tf.tflite.pointwise_products import pointwise_products
from kws_tf.tflite.quantise import prototype_length, quantise
from kws_tf.tflite.ranges import choose_range, logit_range, observe, with_zero
from kws_tf.tflite.simplify import simplify

DTYPES = ("float32", "int8")


def convert_classifier(model, calibration, dtype="int8", *, input_shape=None, input_range=None):
    """A network from features to logits as a TFLite file.

    The float32 file is the frozen graph as TensorFlow's converter makes it, with tensors named. The int8 file is made from that
    graph here: rewritten (integer_form), calibrated (ranges), quantised (quantise) and corrected (bias_correction), because the
    converter's own quantisation leaves an error about three times as large in BC-ResNet.

    Args:
        model: built keras.Model, features [batch, time, frequency, 1] -> logits [batch, classes].
        calibration: float32 [clips, time, frequency, 1], features of training clips; sets the ranges of int8 tensors. Not used for
            float32.
        dtype: "int8" (every tensor integer, inputs and outputs too) or "float32".
        input_shape: (time, frequency, 1); by default that of the calibration clips.
        input_range: (low, high) that the int8 input must span at least, beyond what the calibration clips show.

    Returns:
        bytes.

    Raises:
        ConversionError: no calibration clips, features that are not finite or of another shape, or an operator without int8 form.
    """
    if dtype not in DTYPES:
        raise ConversionError(f"dtype must be one of {', '.join(DTYPES)}; received {dtype!r}.")
    if input_shape is None and calibration is None:
        raise ConversionError("convert_classifier needs calibration clips or an input_shape.")
    shape = tuple(input_shape or calibration.shape[1:])
    if dtype == "int8":
        calibration = _checked_calibration(calibration, shape)
    graph = flatbuffer.read(convert_float32(model, shape))
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ConversionError(f"{model.name}: a classifier has one input and one output; found {len(graph.inputs)} and "
                              f"{len(graph.outputs)}.")
    simplify(graph)
    if dtype == "int8":
        graph = quantise_calibrated(graph, calibration, input_range)
        pointwise_products(graph)
    fold_paddings(graph)
    name_tensors(graph, model.name)
    return flatbuffer.write(graph)


def quantise_calibrated(graph, calibration, input_range=None, fixed_ranges=None, compact=False):
    """The int8 form of a float graph, calibrated with clips.

    Args:
        graph: flatbuffer.Graph, float32, with one input and one output; rewritten in place.
        calibration, input_range: see convert_classifier.
        fixed_ranges: function of the rewritten graph that gives id(tensor) -> (low, high) for tensors whose range is known; None for none.
        compact: see integer_form.

    Returns:
        Graph.
    """
    integer_form(graph, calibration, compact)
    histograms = observe(graph, calibration)
    ranges = {key: choose_range(histogram) for key, histogram in histograms.items()}
    # A clipped input would lose quiet or loud clips.
    source, target = id(graph.inputs[0]), id(graph.outputs[0])
    low, high = with_zero(histograms[source])
    ranges[source] = (low, high) if input_range is None else (min(low, input_range[0]), max(high, input_range[1]))
    ranges[target] = logit_range(graph, calibration)
    length = prototype_length(graph, graph.producer(graph.outputs[0]))
    if length is not None:
        ranges[target] = -length, length
    if fixed_ranges is not None:
        ranges.update(fixed_ranges(graph))
    quantised = quantise(graph, ranges, row_scales(graph) if compact else None)
    correct_biases(graph, quantised, calibration)
    return quantised


def name_tensors(graph, model_name):
    """Gives input, output and computed values the names that reports show; constants get one letter, which costs few bytes.

    The converter joins the names of all layers that it merged with semicolons, model name first: the last one is kept, without
    the model and without the suffixes that Keras adds in each trace.
    """
    used = set()
    for tensor in graph.tensors():
        if tensor.data is not None:
            tensor.name = tensor.name.rsplit("/", 1)[-1][:1]
            continue
        parts = [part.removesuffix("_1") for part in tensor.name.split(";")[-1].split("/")]
        name = short = "/".join(part for part in parts if part and not part.startswith(model_name))
        number = 1
        while name in used:
            number += 1
            name = f"{short}_{number}"
        used.add(name)
        tensor.name = name
    graph.inputs[0].name, graph.outputs[0].name = INPUT_NAME, OUTPUT_NAME


def _checked_calibration(calibration, shape):
    calibration = np.asarray([] if calibration is None else calibration, np.float32)
    if calibration.ndim != 4 or not len(calibration) or calibration.shape[1:] != shape or not np.isfinite(calibration).all():
        raise ConversionError(f"calibration: expected finite float32 [clips, {', '.join(map(str, shape))}], at least one clip; "
                              f"received shape {list(calibration.shape)}.")
    return calibration
