"""Compilers for the C++ of firmware/, and projects made of the small network."""

import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
SOURCES = HERE.parents[1] / "firmware" / "src"
STRICT = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fno-exceptions", "-fno-rtti"]
SANITIZED = [*STRICT, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
PARTS = ("kws_detector.cc", "kws_score_bytes.cc", "kws_pcm_ring.cc", "kws_clip_window.cc", "kws_line.cc")


class Compiler:
    """Compiles and links; an object file is made once per session.

    Args:
        command: of the compiler. options: of every call. folder: for what it makes.
    """

    def __init__(self, command, options, folder):
        self.command, self.options, self.folder, self._objects = command, options, folder, {}

    def compile(self, source, includes=()):
        """Path of the object file of a source."""
        source = pathlib.Path(source)
        key = (source, tuple(map(str, includes)))
        if key not in self._objects:
            target = self.folder / f"{len(self._objects)}_{source.stem}.o"
            self._run([*self.options, *(f"-I{folder}" for folder in includes), "-c", source, "-o", target])
            self._objects[key] = target
        return self._objects[key]

    def link(self, name, objects, options=()):
        """Path of the program of some object files."""
        program = self.folder / name
        self._run([*self.options, *objects, "-o", program, *options])
        return program

    def _run(self, arguments):
        done = subprocess.run([self.command, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr


@pytest.fixture(scope="session")
def host_compiler(tmp_path_factory):
    """g++ with every warning an error and both sanitizers."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed (Debian: apt-get install g++)")
    return Compiler("g++", SANITIZED, tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="session")
def detector_program(host_compiler):
    """Program of detector_program.cc."""
    sources = [HERE / "detector_program.cc", *(SOURCES / name for name in PARTS)]
    return host_compiler.link("detector", [host_compiler.compile(source, [SOURCES]) for source in sources])


@pytest.fixture(scope="session")
def stream_project(micro_stream, tmp_path_factory):
    """Folder of the host example with the streaming file of the small network."""
    from kws_tf.tflite import firmware_folder

    folder = tmp_path_factory.mktemp("project") / "stream"
    firmware_folder.write(micro_stream, folder, board="host", golden_seconds=0.3)
    return folder


@pytest.fixture(scope="session")
def clip_project(exported, tmp_path_factory):
    """The same with the clip file."""
    from kws_tf.tflite import firmware_folder

    folder = tmp_path_factory.mktemp("project") / "clip"
    firmware_folder.write(exported / "pi", folder, board="host", clip_hop_seconds=0.1, keywords=["low", "high"])
    return folder


@pytest.fixture(scope="session")
def link_project(host_compiler):
    """Links a project with the stand-in of TFLite Micro."""
    def link(folder, name):
        double = HERE / "tflm_double"
        stand_in = host_compiler.compile(double / "interpreter.cc", [double])
        # The parts include nothing that is made of a model: compiled once for all projects.
        parts = [host_compiler.compile(SOURCES / name, [SOURCES]) for name in PARTS]
        own = [host_compiler.compile(path, [folder, double]) for path in sorted(folder.glob("*.cc")) if path.name not in PARTS]
        return host_compiler.link(name, [*parts, *own, stand_in])
    return link


@pytest.fixture(scope="session")
def stream_program(stream_project, link_project):
    return link_project(stream_project, "stream")


@pytest.fixture(scope="session")
def clip_program(clip_project, link_project):
    return link_project(clip_project, "clip")
