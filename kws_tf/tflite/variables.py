"""Keeps the states of a step inside the file, as resource variables."""

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from kws_tf.tflite.flatbuffer import Graph, Node, Tensor, constant

INITIALISER_INDEX = 1


def keep_states_inside(graph, states):
    """Turns the states of a step into variables that outlive an inference.

    Every state is a VAR_HANDLE; READ_VARIABLE stands ahead of the node that needs it and ASSIGN_VARIABLE behind the one that computes
    it, so that neither copy lives longer than it must. Ahead of all, CALL_ONCE runs the initialiser, a second graph that assigns every
    state its zero point: zero in real terms, the start of a recording. It runs in the first inference of every interpreter.

    Args:
        graph: flatbuffer.Graph whose nodes read each state.before and compute each state.after; left as it is.
        states: tuple of step_graph.State.

    Returns:
        Graph with an initialiser, its inputs and outputs without states.
    """
    nodes = [_call_once()]
    handles = {id(state): _handle(state) for state in states}
    reads = {id(state.before): state for state in states}
    writes = {id(state.after): state for state in states}
    for node in graph.nodes:
        for tensor in node.inputs:
            state = reads.pop(id(tensor), None)
            if state is not None:
                handle = handles[id(state)]
                nodes += [handle, Node("READ_VARIABLE", [handle.output], [state.before], schema.ReadVariableOptionsT())]
        nodes.append(node)
        for tensor in node.outputs:
            state = writes.pop(id(tensor), None)
            if state is not None:
                nodes.append(Node("ASSIGN_VARIABLE", [handles[id(state)].output, tensor], [], schema.AssignVariableOptionsT()))
    own = {id(tensor) for state in states for tensor in (state.before, state.after)}
    return Graph(nodes, [tensor for tensor in graph.inputs if id(tensor) not in own],
                 [tensor for tensor in graph.outputs if id(tensor) not in own], _initialiser(states))


def _initialiser(states):
    nodes = []
    for state in states:
        handle = _handle(state)
        start = constant("z", start_of(state.before))
        start.scales, start.zero_points = state.before.scales, state.before.zero_points
        nodes += [handle, Node("ASSIGN_VARIABLE", [handle.output, start], [], schema.AssignVariableOptionsT())]
    return Graph(nodes, [], [])


def start_of(tensor):
    """The value of a state at the start of a recording: zero in real terms."""
    zero_point = 0 if tensor.zero_points is None else int(tensor.zero_points[0])
    return np.full(tensor.shape, zero_point, tensor.dtype)


def _handle(state):
    options = schema.VarHandleOptionsT()
    options.container, options.sharedName = "", state.name
    return Node("VAR_HANDLE", [], [Tensor(f"{state.name}/variable", (), "resource")], options)


def _call_once():
    options = schema.CallOnceOptionsT()
    options.initSubgraphIndex = INITIALISER_INDEX
    return Node("CALL_ONCE", [], [], options)
