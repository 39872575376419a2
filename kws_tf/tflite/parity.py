"""Runs one model file in every interpreter that is there and says how far their integers are apart."""

import dataclasses
import importlib.metadata

import numpy as np

from kws_tf.errors import ConfigError, ConversionError
from kws_tf.front_end import IntegerFeatures
from kws_tf.runtime.detection import logits_spec
from kws_tf.runtime.interpreter import INTERPRETERS, KERNELS, open_interpreter, unusable
from kws_tf.runtime.model import Model
from kws_tf.tflite import flatbuffer, micro
from kws_tf.tflite.freeze import INPUT_NAME as FEATURES_NAME
from kws_tf.tflite.merge import classifier_input, saturates_at_floor

FRONT_END, FEATURES, LOGITS = "front end", "features", "logits"
TWIN, MICRO = "numpy twin", "tflite_micro"
# TensorFlow's own interpreter is the one of LiteRT in an older version; nothing is deployed with it.
DEPLOYED = tuple(name for name in INTERPRETERS if name != "tensorflow")


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far one interpreter is from the reference on one tensor group.

    Args:
        group: "front end" (int16 features), "features" (the input of the classifier) or "logits".
        runtime: interpreter and version. kernels: "optimised", "builtin" or "reference".
        reference: what it is compared with.
        steps: largest difference, in steps of the tensor (real units for float32). argmax_changes: clips whose best class differs.
        allowed: steps that are promised. allowed_changes: changes of the best class that are.
    """

    group: str
    runtime: str
    kernels: str
    reference: str
    steps: float
    argmax_changes: int
    allowed: float
    allowed_changes: float = 0

    @property
    def kept(self):
        """Whether the promise is kept."""
        return self.steps <= self.allowed and self.argmax_changes <= self.allowed_changes


@dataclasses.dataclass(frozen=True)
class Parity:
    """The outcome: clips compared, one Difference per group and interpreter, and the absent interpreters with the reason."""

    clips: int
    differences: tuple[Difference, ...]
    absent: dict

    @property
    def kept(self):
        """Whether every promise is kept."""
        return all(difference.kept for difference in self.differences)


def compare(manifest, content, pcm, *, optimised_steps):
    """Runs a clip model everywhere.

    The front end and the features are compared with the numpy twin, the logits with TFLite Micro, or with the reference kernels of
    the first interpreter where TFLite Micro is absent.

    Args:
        manifest: Manifest. content: bytes of the model file, checked against it.
        pcm: int16 [clips, clip_samples].
        optimised_steps: steps by which the logits of optimised integer kernels may differ.

    Returns:
        Parity.

    Raises:
        ConfigError: fewer than two interpreters, so that nothing can be compared.
        ConversionError: a streaming file.
    """
    if manifest.kind != "clip":
        raise ConversionError(f"{manifest.model_file}: a {manifest.kind} model; stream_parity.compare_stream compares those.")
    runners, absent = find_runners()
    require_two(runners, absent)
    model = Model(manifest, content, interpreter=runners[0].interpreter)
    fed = [model.input_tensor(clip) for clip in pcm]
    differences = []
    for group, graph_content, expected in _front_end_groups(manifest, content, pcm):
        differences += [_difference(group, runner, TWIN, runner.run(graph_content, fed), expected, 0) for runner in runners]
    results = {runner: runner.run(content, fed) for runner in runners}
    # the last one is TFLite Micro where it is there, else reference kernels
    reference = runners[-1]
    for runner in runners[:-1]:
        allowed = allowed_steps(runner, manifest, optimised_steps)
        differences.append(_difference(LOGITS, runner, reference.title, results[runner], results[reference], allowed))
    return Parity(len(pcm), tuple(differences), absent)


@dataclasses.dataclass(frozen=True)
class Runner:
    """One way to run a file: an interpreter with one choice of kernels. interpreter None: TFLite Micro."""

    interpreter: str | None
    kernels: str
    version: str

    @property
    def title(self):
        """Interpreter and version."""
        return f"{self.interpreter or MICRO} {self.version}"

    def run(self, content, inputs):
        """The first output for every input array: [clips, ...]."""
        if self.interpreter is None:
            opened = micro.MicroInterpreter(content)
            return np.stack([opened(values)[0] for values in inputs])
        _, opened = open_interpreter(content, interpreter=self.interpreter, kernels=self.kernels)
        source, target = opened.get_input_details()[0]["index"], opened.get_output_details()[0]["index"]
        results = []
        for values in inputs:
            opened.set_tensor(source, values)
            opened.invoke()
            results.append(opened.get_tensor(target)[0].copy())
        return np.stack(results)


def find_runners():
    """(Runners that work here, the reference last; name -> reason of those that do not)."""
    runners, absent = [], {}
    for name in DEPLOYED:
        reason = unusable(name)
        if reason:
            absent[name] = reason
        else:
            runners += [Runner(name, kernels, importlib.metadata.version(name.replace("_", "-"))) for kernels in KERNELS]
    if micro.unavailable():
        absent[MICRO] = micro.unavailable()
    else:
        runners.append(Runner(None, "reference", micro.version()))
    return runners, absent


def require_two(runners, absent):
    """Refuses to compare one Runner with itself.

    Raises:
        ConfigError: there are fewer than two; names the absent ones, see find_runners.
    """
    if len(runners) < 2:
        raise ConfigError(f"parity needs two interpreters; absent are {'; '.join(f'{name}: {why}' for name, why in absent.items())}.")


def allowed_steps(runner, manifest, optimised_steps):
    """By how many steps the logits of a Runner may differ: none by reference kernels, any number in a float32 file."""
    if not logits_spec(manifest).scale:
        return np.inf
    return 0 if runner.kernels == "reference" else optimised_steps


def _front_end_groups(manifest, content, pcm):
    """(group, file that ends at this tensor, integers of the twin) of a file with a front end inside; none for the others."""
    if manifest.input_kind != "pcm":
        return
    graph = flatbuffer.read(content)
    joint = next((node for node in graph.nodes if node.output.name == FEATURES_NAME), None)
    if joint is None:
        raise ConversionError(f"{manifest.model_file}: no tensor {FEATURES_NAME!r} between front end and classifier.")
    position = graph.nodes.index(joint)
    features, spec = manifest.features, joint.output.spec
    twin = IntegerFeatures(features, floor=not saturates_at_floor(features, spec))
    for group, tensor, count, expected in ((FRONT_END, joint.inputs[0], position, np.stack([twin(clip) for clip in pcm])),
                                           (FEATURES, joint.output, position + 1, np.stack([classifier_input(features, clip, spec)
                                                                                            for clip in pcm]))):
        cut = flatbuffer.Graph(graph.nodes[:count], graph.inputs, [tensor])
        yield group, flatbuffer.write(cut), expected[..., None]


def _difference(group, runner, reference, values, expected, allowed):
    values, expected = np.asarray(values), np.asarray(expected).reshape(np.shape(values))
    wide = np.float64 if values.dtype.kind == "f" else np.int64
    steps = np.abs(values.astype(wide) - expected.astype(wide)).max()
    changes = int(np.sum(values.argmax(-1) != expected.argmax(-1))) if group == LOGITS else 0
    return Difference(group, runner.title, runner.kernels, reference, float(steps), changes, float(allowed))
