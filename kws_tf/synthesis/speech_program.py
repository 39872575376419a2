"""Programs that write speech into a file: found on the search path, asked, and run without a shell."""

import functools
import pathlib
import shlex
import shutil
import subprocess
import tempfile

from kws_tf import audio
from kws_tf.errors import AudioError, KwsError

_TIMEOUT_S = 120


def find(program, engine, package):
    """Path of a program.

    Args:
        program: its name. engine: value of --engine that needs it. package: of Debian, which brings it.

    Raises:
        KwsError: it is not on the search path.
    """
    path = shutil.which(program)
    if path is None:
        raise KwsError(f"--engine={engine} needs the program {program}, which is not installed. On Debian and its kin: "
                       f"apt install {package}")
    return path


@functools.cache
def answer(*words):
    """What a program prints, asked once per process.

    Args:
        words: the program and its arguments.

    Raises:
        KwsError: it cannot be run, or fails and prints nothing.
    """
    try:
        done = _run(words)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KwsError(f"{shlex.join(words)} could not be run to its end: {error}.") from error
    if done.returncode and not done.stdout:  # Flite tells its version and ends with status 1
        raise KwsError(f"{shlex.join(words)} ended with status {done.returncode}{_last_line(done)}")
    return done.stdout


def speak(command, name):
    """Runs a program that writes a recording.

    Args:
        command: function of the path to write to that returns the program and its arguments, list of str. It may put files of its own
            into the folder of that path, which is removed afterwards.
        name: of what is run, for messages.

    Returns:
        (float [samples] with full scale 1, sample rate in Hz); channels are averaged.

    Raises:
        AudioError: the program fails, or writes nothing that soundfile reads.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "speech.wav"
        words = command(output)
        try:
            done = _run(words)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AudioError(f"{name}: {shlex.join(words)} could not be run to its end: {error}.") from error
        if done.returncode or not output.exists():
            reason = f"ended with status {done.returncode}" if done.returncode else "wrote no file"
            raise AudioError(f"{name}: {shlex.join(words)} {reason}{_last_line(done)}")
        try:
            recording = audio.read(output)
        except AudioError as error:
            raise AudioError(f"{name}: {shlex.join(words)} wrote no speech: {error}") from error
    samples = recording.samples / 32768 if recording.samples.dtype.kind == "i" else recording.samples
    return samples.mean(axis=1, dtype="float64"), recording.sample_rate


def _run(words):
    return subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False,
                          stdin=subprocess.DEVNULL)


def _last_line(done):
    said = (done.stderr or done.stdout).strip().splitlines()
    return f": {said[-1]}" if said else "."
