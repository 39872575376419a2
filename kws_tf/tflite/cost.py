"""What one inference of a file takes: nodes, multiply-accumulates, bytes, time on this machine, memory in TFLite Micro. All measured."""

import os
import pathlib
import platform
import time

import numpy as np
from absl import logging

from kws_tf.errors import ConversionError
from kws_tf.manifest import Arena, Cost, HostTime, PartCost
from kws_tf.runtime.interpreter import open_interpreter
from kws_tf.tflite import flatbuffer, micro, operators
from kws_tf.tflite.freeze import INPUT_NAME as FEATURES_NAME
from kws_tf.tflite.parity import find_runners

# Of one interpreter, after one that is not counted.
LEAST_RUNS, LEAST_SECONDS = 7, 0.02
FRONT_END, CLASSIFIER = "front_end", "classifier"


def measure(content):
    """The Cost of a file.

    Args:
        content: bytes of a file that has passed the lint.

    Returns:
        manifest.Cost.
    """
    return Cost(parts(content), host_times=host_times(content), host=host_name())


def split(graph):
    """(nodes of the front end, nodes of the classifier); the first list is empty where the host computes the features."""
    position = next((i + 1 for i, node in enumerate(graph.nodes) if any(output.name == FEATURES_NAME for output in node.outputs)), 0)
    return graph.nodes[:position], graph.nodes[position:]


def parts(content):
    """PartCost of the front end, if the file has one, and of the classifier.

    The bytes of the front end are those that the file has more than its classifier alone; constants that both use count for the first.
    """
    graph = flatbuffer.read(content)
    front_end, classifier = split(graph)
    seen, found = set(), []
    for name, nodes in ((FRONT_END, front_end), (CLASSIFIER, classifier)):
        constants = {}
        for tensor in (tensor for node in nodes for tensor in node.inputs if tensor is not None and tensor.data is not None):
            raw = np.ascontiguousarray(tensor.data).tobytes()
            if raw not in seen:
                constants[raw] = len(raw)
        seen |= constants.keys()
        found.append((name, nodes, sum(constants.values())))
    classifier_bytes = len(content)
    if front_end:
        made, read = {id(tensor) for node in classifier for tensor in node.outputs}, []
        for tensor in (tensor for node in classifier for tensor in node.inputs if tensor is not None and tensor.data is None):
            if id(tensor) not in made and not any(tensor is entry for entry in read):
                read.append(tensor)
        classifier_bytes = len(flatbuffer.write(flatbuffer.Graph(classifier, read, graph.outputs, graph.initialiser)))
    sizes = {FRONT_END: len(content) - classifier_bytes, CLASSIFIER: classifier_bytes}
    return tuple(PartCost(name, len(nodes), sum(map(operators.macs, nodes)), sizes[name], constant_bytes)
                 for name, nodes, constant_bytes in found if nodes)


def host_times(content):
    """HostTime of every interpreter and choice of kernels that is here: the quickest of some inferences on zeros.

    The processor time of the one thread. Other programs on the machine lengthen it too, by the caches that they share with it: so the
    least is what the file takes.
    """
    times = []
    for runner in find_runners()[0]:
        run = _micro_inference(content) if runner.interpreter is None else _inference(content, runner)
        if run is None:
            continue
        run()
        seconds = []
        while len(seconds) < LEAST_RUNS or sum(seconds) < LEAST_SECONDS:
            start = time.thread_time()
            run()
            seconds.append(time.thread_time() - start)
        times.append(HostTime(runner.title, runner.kernels, round(1000 * min(seconds), 3)))
    return tuple(times)


def _inference(content, runner):
    _, opened = open_interpreter(content, interpreter=runner.interpreter, kernels=runner.kernels)
    for detail in opened.get_input_details():
        opened.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    return opened.invoke


def _micro_inference(content):
    inputs = [np.zeros(tensor.shape, tensor.dtype) for tensor in flatbuffer.read(content).inputs]
    try:
        opened = micro.MicroInterpreter(content)
        opened(*inputs)
    except ConversionError as error:
        logging.warning("%s", error)
        return None
    return lambda: opened(*inputs)


def measure_arena(content):
    """(Arena or None, why there is none).

    Args:
        content: bytes of a file that has passed the lint.
    """
    if micro.unavailable():
        return None, micro.unavailable()
    try:
        return Arena(micro.MicroInterpreter(content).used_bytes(), micro.version()), ""
    except ConversionError as error:
        return None, str(error)


def host_name():
    """The machine that times are measured on: processor, architecture, number of processors."""
    model = platform.processor() or platform.machine()
    information = pathlib.Path("/proc/cpuinfo")
    if information.is_file():
        lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return f"{model}, {platform.machine()}, {os.cpu_count()} processors"
