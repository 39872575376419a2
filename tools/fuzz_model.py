"""Damages an exported model in many ways and checks that the runtime refuses each with one clear error.

    python tools/fuzz_model.py --model runs/NAME/export/pi
    python tools/fuzz_model.py --model runs/NAME/export/pi --trials 1000 --unchecked

Every trial is a seeded mutation of the model file (cut, bits flipped, bytes overwritten, a stretch filled, moved or repeated) or of its
manifest (cut, a field missing, of another type, or of a value that does not fit the file). A child process loads the model and runs it.
Expected is ModelFileError each time: exit status 1 if a child dies by a signal, raises anything else, hangs, or accepts the model.

--unchecked opens the damaged model files without the checks of the runtime, to show what these keep out.
"""

import collections
import copy
import faulthandler
import json
import os
import pathlib
import resource
import select
import signal
import tempfile

import numpy as np
from absl import flags

from kws_tf import manifest as manifests
from kws_tf import runtime
from kws_tf.errors import KwsError, ModelFileError
from kws_tf.flags import refuse_arguments, run
from kws_tf.runtime import model_file
from kws_tf.runtime.interpreter import import_interpreter, open_interpreter

FLAGS = flags.FLAGS

REFUSED, ACCEPTED, HANGS = "ModelFileError", "accepted", "hangs"
TIMEOUT_SECONDS = 60
# Where a damaged manifest field contradicts the file or makes no sense; each entry gives a wrong value for the given one.
WRONG_VALUES = {
    "model_file": lambda value, random: f"{value}.old",
    "model_id": lambda value, random: f"{random.integers(1 << 62):064x}",
    "model_bytes": lambda value, random: value + int(random.integers(1, 1000)),
    "kind": lambda value, random: "streaming" if value == "clip" else "clip",
    "clip_samples": lambda value, random: value + int(random.integers(1, 1000)) * 400,
    "sample_rate": lambda value, random: value * 2,
    "input_kind": lambda value, random: "features" if value == "pcm" else "pcm",
    "labels": lambda value, random: value[:-1] if random.integers(2) else [*value, value[0]],
    "crop": lambda value, random: "random",
    "schema_version": lambda value, random: int(random.integers(2, 100)),
}


def define(flag_values=FLAGS):
    """Defines the flags of this tool."""
    place = {"flag_values": flag_values, "module_name": "fuzz_model"}
    flags.DEFINE_string("model", None, "Exported clip model: a .tflite file or its folder.", required=True, **place)
    flags.DEFINE_integer("trials", 1000, "Mutations of the model file.", lower_bound=1, **place)
    flags.DEFINE_integer("manifest_trials", 200, "Mutations of the manifest.", lower_bound=0, **place)
    flags.DEFINE_integer("seed", 1, "Of the mutations.", lower_bound=0, **place)
    flags.DEFINE_string("interpreter", "", "TFLite interpreter; empty for the first that works.", **place)
    flags.DEFINE_boolean("unchecked", False, "Open the damaged model files without any check.", **place)


def _wrong_tensor(tensors, random):
    """Tensor descriptions of which one property does not fit."""
    tensors = copy.deepcopy(tensors)
    name = ("name", "shape", "dtype", "scale", "zero_point")[random.integers(5)]
    value = tensors[0][name]
    tensors[0][name] = {"name": f"{value}x", "shape": [*value, 2] if name == "shape" else None, "dtype": "uint8", "scale": 0.123,
                        "zero_point": value + 1 if name == "zero_point" else None}[name]
    return tensors


WRONG_VALUES |= {"inputs": _wrong_tensor, "outputs": _wrong_tensor}


def mutate_content(content, random):
    """A damaged copy of the bytes of a model file, and what was done to it.

    Args:
        content: bytes. random: numpy Generator.

    Returns:
        bytes that differ from content, name of the mutation.
    """
    kind = ("cut", "flip", "overwrite", "fill", "move", "repeat", "append")[random.integers(7)]
    damaged = bytearray(content)
    size = len(damaged)
    start = int(random.integers(size))
    length = int(min(size - start, 1 << random.integers(1, 12)))
    if kind == "cut":
        damaged = damaged[:start]
    elif kind == "flip":
        for place in random.integers(size, size=1 << random.integers(0, 6)):
            damaged[place] ^= 1 << random.integers(8)
    elif kind == "overwrite":
        damaged[start:start + length] = random.integers(256, size=length, dtype=np.uint8).tobytes()
    elif kind == "fill":
        damaged[start:start + length] = bytes([(0x00, 0xff)[random.integers(2)]]) * length
    elif kind == "move":
        target = int(random.integers(size - length + 1))
        damaged[target:target + length] = content[start:start + length]
    elif kind == "repeat":
        damaged[start:start] = content[start:start + length]
    else:
        damaged += random.integers(256, size=length, dtype=np.uint8).tobytes()
    return (bytes(damaged), kind) if bytes(damaged) != content else mutate_content(content, random)


def mutate_manifest(text, random):
    """A damaged copy of a manifest, and what was done to it.

    Args:
        text: of manifest.json. random: numpy Generator.

    Returns:
        str, name of the mutation.
    """
    kind = ("cut", "missing field", "wrong type", "wrong value", "unknown field")[random.integers(5)]
    if kind == "cut":
        return text[:random.integers(len(text.rstrip()))], f"manifest: {kind}"
    values = json.loads(text)
    if kind == "missing field":
        # fields with a default may be missing
        name = list(WRONG_VALUES)[random.integers(len(WRONG_VALUES))]
        del values[name if name not in ("crop",) else "features"]
    elif kind == "wrong type":
        name = list(values)[random.integers(len(values))]
        values[name] = {"nested": [None, name]} if not isinstance(values[name], dict) else 17
    elif kind == "wrong value":
        name = list(WRONG_VALUES)[random.integers(len(WRONG_VALUES))]
        values[name] = WRONG_VALUES[name](values[name], random)
    else:
        values[f"surprise_{random.integers(1000)}"] = 1
    return json.dumps(values), f"manifest: {kind}"


def outcome_in_child(function):
    """Runs a function in a forked child.

    Args:
        function: returns a short text.

    Returns:
        The text; "signal NAME", "hangs", or the type of what it raised.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            text = function()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the finding
            text = type(error).__name__
        os.write(writer, text.encode()[:200])
        os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], TIMEOUT_SECONDS)
    if not ready:
        os.kill(child, signal.SIGKILL)
    text = os.read(reader, 400).decode() if ready else HANGS
    os.close(reader)
    _, status = os.waitpid(child, 0)
    return f"signal {signal.Signals(os.WTERMSIG(status)).name}" if os.WIFSIGNALED(status) and text != HANGS else text


def load_and_run(folder, interpreter):
    """REFUSED or ACCEPTED: what the runtime says about an export folder, running it if it is accepted."""
    try:
        model = runtime.load_model(folder, interpreter=interpreter)
        model.logits(np.zeros(model.manifest.clip_samples, np.int16))
    except ModelFileError:
        return REFUSED
    return ACCEPTED


def run_unchecked(content, interpreter):
    """What an interpreter makes of bytes that nobody checked."""
    try:
        _, opened = open_interpreter(content, interpreter=interpreter, kernels="reference")
        opened.invoke()
    except (KwsError, RuntimeError, ValueError):
        return "refused by the interpreter"
    return "ran as if nothing were wrong"


def fuzz(path, *, trials, manifest_trials, seed, interpreter=None, unchecked=False):
    """Runs all trials.

    Args:
        path: exported clip model. trials: mutations of the model file. manifest_trials: of the manifest. seed: of all of them.
        interpreter: import name, None for the first that works. unchecked: see the module docstring.

    Returns:
        Counter of (mutation, outcome).
    """
    manifest, content = model_file.read(path)
    text = manifests.to_json(manifest)
    import_interpreter(interpreter)                             # once, in the parent: children start with it
    found = collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)

        def trial(changed_content, changed_text, mutation):
            (folder / manifest.model_file).write_bytes(changed_content)
            (folder / manifests.MANIFEST_FILE).write_text(changed_text, encoding="utf-8")
            check = (lambda: run_unchecked(changed_content, interpreter)) if unchecked else (lambda: load_and_run(folder, interpreter))
            found[mutation, outcome_in_child(check)] += 1

        for number in range(trials):
            damaged, mutation = mutate_content(content, np.random.default_rng([seed, 0, number]))
            trial(damaged, text, mutation)
        for number in range(0 if unchecked else manifest_trials):
            damaged, mutation = mutate_manifest(text, np.random.default_rng([seed, 1, number]))
            trial(content, damaged, mutation)
    return found


def print_summary(found):
    """One line per mutation and outcome, and the totals."""
    for (mutation, outcome), count in sorted(found.items()):
        print(f"{mutation:24} {outcome:28} {count:6}")
    outcomes = collections.Counter()
    for (_, outcome), count in found.items():
        outcomes[outcome] += count
    trials = sum(outcomes.values())
    signals = sum(count for outcome, count in outcomes.items() if outcome.startswith("signal"))
    other = trials - signals - sum(outcomes[name] for name in (REFUSED, ACCEPTED, HANGS))
    print(f"{trials} trials: {outcomes[REFUSED]} gave {REFUSED}, {signals} ended by a signal, {outcomes[ACCEPTED]} were accepted, "
          f"{outcomes[HANGS]} hung, {other} gave anything else")
    return int(outcomes[REFUSED] != trials)


def main(argv):
    refuse_arguments(argv)
    interpreter = FLAGS.interpreter or None
    if load_and_run(FLAGS.model, interpreter) != ACCEPTED:
        raise ModelFileError(f"{FLAGS.model}: the undamaged model is refused.")
    found = fuzz(FLAGS.model, trials=FLAGS.trials, manifest_trials=FLAGS.manifest_trials, seed=FLAGS.seed, interpreter=interpreter,
                 unchecked=FLAGS.unchecked)
    status = print_summary(found)
    return 0 if FLAGS.unchecked else status


if __name__ == "__main__":
    run(main, define)
