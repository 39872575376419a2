"""A trained network -> a graph that takes audio hop by hop: quantised once, for any hop and either kind of state."""

import dataclasses

import numpy as np

from kws_tf.errors import ConversionError
from kws_tf.manifest import STATE_KINDS, Streaming, StreamState
from kws_tf.streaming import StreamingModel
from kws_tf.tflite import flatbuffer
from kws_tf.tflite.convert import name_tensors, quantise_calibrated
from kws_tf.tflite.frame_scores import score_every_frame
from kws_tf.tflite.freeze import convert_float32
from kws_tf.tflite.joint_lines import join_lines, share_line_scale
from kws_tf.tflite.joint_past import join_past, share_row_scale
from kws_tf.tflite.keyword_head import margin_range, one_probability, score_margins
from kws_tf.tflite.logistic_gates import drop_saturations, gate_ranges, gates_to_logistic
from kws_tf.tflite.paddings import unfold_time_paddings
from kws_tf.tflite.pcm_step import hear_pcm
from kws_tf.tflite.row_matmul import multiply_rows
from kws_tf.tflite.simplify import simplify
from kws_tf.tflite.step_graph import step_graph
from kws_tf.tflite.variables import keep_states_inside

# Frames of a float32 graph that is not calibrated: every stride that a stream may have divides it.
FLOAT_FRAMES = 48


@dataclasses.dataclass(frozen=True)
class StreamingNetwork:
    """A network over a whole recording, with all its integers settled: what every streaming file of it is cut from.

    Args:
        graph: flatbuffer.Graph, features [1, frames, rows, 1] -> mean logits of every frame, or margins of a keyword.
        input_delay: see step_graph. delay_frames, stride_frames, window_frames: see manifest.Streaming.
        keyword: see prepare.
    """

    graph: flatbuffer.Graph
    input_delay: int
    delay_frames: int
    stride_frames: int
    window_frames: int
    keyword: int | None = None


def prepare(model, window_frames, calibration=None, *, input_range=None, keyword=None, compact=False):
    """Freezes a network and, with calibration recordings, quantises it.

    The graph is that of the offline network over a long recording: what its tensors hold for frame t is what they hold in a stream
    that is t frames old, because both see the same earlier frames. So calibration over long recordings, vectorised over time and
    recordings, is calibration by streaming, and bias correction and every rewrite of offline files serve here as they are.
    Nothing is quantised again when a step is cut out of it: files for any hop and either kind of state hold the same integers.

    Args:
        model: built keras.Model, features [batch, time, frequency, 1] -> logits [batch, classes].
        window_frames: frames of the mean over time: those of a clip.
        calibration: float32 [recordings, frames, frequency, 1], see join_clips; None for a float32 network.
        input_range: see convert.convert_classifier.
        keyword: index of the class whose probability is all that a step gives, in the operators of ESPHome's micro_wake_word; None for
            the logits of all classes.
        compact: whether blocks of a causal BC-ResNet take the form with a third less working memory and coarser integers; ESPHome has no
            operator for it, so a keyword leaves it out.

    Returns:
        StreamingNetwork.

    Raises:
        ConversionError: the network cannot stream (StreamingModel names the layer), or has an operator without int8 form.
    """
    stream = StreamingModel(model, window_frames)
    rows = stream.row_shape
    if calibration is None:
        frames = FLOAT_FRAMES
    else:
        calibration = _checked(calibration, rows)
        frames = calibration.shape[1] // stream.stride_frames * stream.stride_frames
        calibration = calibration[:, :frames]
    graph = flatbuffer.read(convert_float32(model, (frames, *rows)))
    simplify(graph)
    unfold_time_paddings(graph)
    if keyword is not None:
        score_margins(graph, keyword)
    score_every_frame(graph, stream.window_scores)
    name_tensors(graph, model.name)
    if keyword is not None:
        gates_to_logistic(graph)
    if calibration is not None:
        fixed = None if keyword is None else lambda rewritten: {**gate_ranges(rewritten), **margin_range(rewritten)}
        graph = quantise_calibrated(graph, calibration, input_range, fixed, compact=compact and keyword is None)
        share_line_scale(graph)
        share_row_scale(graph)
        drop_saturations(graph)
    trial = step_graph(graph, stream.stride_frames, stream.input_delay_frames)
    if (trial.delay, trial.rate) != (stream.delay_frames, stream.stride_frames):
        raise ConversionError(f"{model.name}: the graph of a step is {trial.delay} frames late with {trial.rate} frames per score, the "
                              f"network {stream.delay_frames} and {stream.stride_frames}.")
    return StreamingNetwork(graph, stream.input_delay_frames, stream.delay_frames, stream.stride_frames, window_frames, keyword)


def streaming_graph(network, features, hop_frames, state, input_kind="features"):
    """Cuts the graph of a step out of a network.

    Args:
        network: StreamingNetwork.
        features: FeatureConfig that it was trained with.
        hop_frames: frames of a step, a multiple of the network's stride.
        state: "internal" or "external", see manifest.Streaming.
        input_kind: "features", or "pcm" for an int8 network behind the integer front end.

    Returns:
        flatbuffer.Graph, manifest.Streaming.

    Raises:
        ConversionError: an argument out of range, or parameters that the integer front end cannot hold.

    Example:
        >>> network = prepare(model, 98, calibration)
        >>> graph, section = streaming_graph(network, features, hop_frames=2, state="internal", input_kind="pcm")
        >>> content = flatbuffer.write(graph)
    """
    if state not in STATE_KINDS:
        raise ConversionError(f"a streaming state is {' or '.join(STATE_KINDS)}; received {state!r}. Set --streaming.")
    stride = network.stride_frames
    if not isinstance(hop_frames, int) or hop_frames < 1 or hop_frames % stride:
        raise ConversionError(f"--hop_frames must be a whole number, a multiple of {stride} for this network; received {hop_frames!r}.")
    step = join_states(step_graph(network.graph, hop_frames, network.input_delay))
    if network.keyword is not None:
        step, stride = one_probability(step), hop_frames
    if input_kind == "pcm":
        step = hear_pcm(step, features, hop_frames)
    check_states(step.states)
    valid = [] if step.valid is None else [step.valid]
    graph = flatbuffer.Graph(step.graph.nodes, [*step.graph.inputs, *valid, *(entry.before for entry in step.states)],
                             [*step.graph.outputs, *(entry.after for entry in step.states)])
    if state == "internal":
        graph = keep_states_inside(graph, step.states)
    section = Streaming(
        hop_frames=hop_frames, hop_samples=hop_frames * features.hop_samples, state=state, delay_frames=network.delay_frames,
        delay_ms=network.delay_frames * features.hop_ms, window_frames=network.window_frames, stride_frames=stride,
        states=tuple(_described(entry, state) for entry in step.states), valid=step.valid.name if step.valid is not None else "")
    return graph, section


def join_states(step):
    """The form in which a step is written: what blocks keep of earlier frames, and the lines of swish, in fewer states and nodes.

    Args:
        step: step_graph.StepGraph.

    Returns:
        StepGraph.
    """
    joined = join_past(step)
    # steps of many frames have time for nodes and no small arena: convolutions are the quicker form then
    return join_lines(step if joined is step else multiply_rows(joined))


def check_states(states):
    """Refuses a state that would come out of a step as something else than what goes into the next one."""
    for state in states:
        before, after = state.before.spec, state.after.spec
        if dataclasses.replace(after, name=before.name) != before:
            raise ConversionError(f"streaming: state {state.name} goes in as {before} and comes out as {after}; it must be the same.")


def join_clips(pcm, clips_per_recording, rng):
    """Joins clips to recordings, in random order, so that calibration sees states that are full.

    Args:
        pcm: int16 [clips, samples]. clips_per_recording: at most; fewer if there are fewer. rng: numpy Generator.

    Returns:
        int16 [recordings, samples * clips_per_recording]; clips that do not fill a recording are left out.
    """
    per_recording = max(1, min(clips_per_recording, len(pcm)))
    chosen = rng.permutation(len(pcm))[:len(pcm) // per_recording * per_recording]
    return pcm[chosen].reshape(-1, per_recording * pcm.shape[1])


def _described(state, kind):
    spec = state.before.spec
    names = (state.before.name, state.after.name) if kind == "external" else ("", "")
    return StreamState(state.name, spec.shape, spec.dtype, spec.scale, spec.zero_point, *names)


def _checked(calibration, rows):
    calibration = np.asarray(calibration, np.float32)
    if calibration.ndim != 4 or not len(calibration) or calibration.shape[2:] != rows or not np.isfinite(calibration).all():
        raise ConversionError(f"calibration: expected finite float32 [recordings, frames, {', '.join(map(str, rows))}], at least one "
                              f"recording; received shape {list(calibration.shape)}.")
    return calibration
