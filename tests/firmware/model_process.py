"""Runs a program that is linked with tflm_double, and plays the model for it."""

import os
import struct
import subprocess
import types

INT16, INT8 = 7, 9


class PlayedModel:
    """What the stand-in asks for: descriptions of tensors, and answers.

    Args:
        inputs, outputs: lists of (type, bytes).
        start: called without arguments for every new interpreter; returns a function from the bytes of all inputs, a list, to those of
            all outputs, or to None for a kernel that fails.
        accepts: whether AllocateTensors succeeds.
    """

    def __init__(self, inputs, outputs, start, accepts=True):
        self.inputs, self.outputs, self.start, self.accepts = inputs, outputs, start, accepts
        self.opened, self.closed, self.inferences = [], 0, 0


def run(program, model, *, arguments=(), stdin=b"", environment=None, folder):
    """Runs the program to its end.

    Args:
        program: path. model: PlayedModel; what was asked is counted in it.
        arguments, stdin, environment: of the program. folder: for its streams.

    Returns:
        namespace of status, output and log.
    """
    to_model, from_program = os.pipe()[::-1]
    to_program, from_model = os.pipe()[::-1]
    (folder / "stdin").write_bytes(stdin)
    with open(folder / "stdin", "rb") as source, open(folder / "stdout", "wb") as output, open(folder / "stderr", "wb") as log:
        process = subprocess.Popen([program, *arguments], stdin=source, stdout=output, stderr=log, pass_fds=(to_model, from_model),
                                   env={**os.environ, "KWS_DOUBLE_PIPES": f"{to_model},{from_model}", **(environment or {})})
    os.close(to_model)
    os.close(from_model)
    try:
        with open(from_program, "rb") as requests, open(to_program, "wb", buffering=0) as answers:
            _serve(model, requests, answers)
        status = process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()
    return types.SimpleNamespace(status=status, output=(folder / "stdout").read_text("utf-8"), log=(folder / "stderr").read_text("utf-8"))


def _serve(model, requests, answers):
    play = None
    while request := requests.read(1):
        if request == b"O":
            model.opened.append(struct.unpack("<II", requests.read(8)))
            play = model.start()
            answer = struct.pack("<i", 0 if model.accepts else 1)
            for tensors in (model.inputs, model.outputs):
                answer += struct.pack("<I", len(tensors)) + b"".join(struct.pack("<II", *tensor) for tensor in tensors)
            answers.write(answer)
        elif request == b"I":
            model.inferences += 1
            results = play([requests.read(n_bytes) for _, n_bytes in model.inputs])
            failed = results is None
            answers.write(struct.pack("<i", int(failed)) + (bytes(sum(n for _, n in model.outputs)) if failed else b"".join(results)))
        else:
            assert request == b"C"
            model.closed += 1
